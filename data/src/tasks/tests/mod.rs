#![allow(clippy::unwrap_used)]
//! Layouts that others share, and what is wrong with sets.
use std::fs;
use std::path::Path;

use super::*;
use crate::labels::IGNORE;
use crate::write::{PixelFormat, write_npy, write_png};

fn png(path: &Path, format: PixelFormat, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_png(path, 3, 2, format, bytes).unwrap();
}

fn text(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn classes(label: &TaskLabel) -> Vec<u8> {
    let TaskLabel::Classes(labels) = label else { panic!("{label:?}") };
    labels.iter().copied().collect()
}

#[test]
fn pascal_for_several_tasks() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    for (list, names) in [("train", "a\nb\n"), ("val", "c\n")] {
        text(&at(&format!("ImageSets/Context/{list}.txt")), names);
    }
    for name in ["a", "b", "c"] {
        png(&at(&format!("JPEGImages/{name}.png")), PixelFormat::Rgb, &[90; 18]);
        png(&at(&format!("semseg/VOC12/{name}.png")), PixelFormat::Gray, &[0, 20, 255, 1, 2, 3]);
        png(&at(&format!("sal_distill/{name}.png")), PixelFormat::Gray, &[0, 127, 128, 255, 3, 200]);
        let normals = [128, 128, 255, 0, 0, 0, 255, 128, 128, 128, 255, 128, 128, 128, 0, 128, 128, 255];
        png(&at(&format!("normals_distill/{name}.png")), PixelFormat::Rgb, &normals);
    }
    png(&at("human_parts/a.png"), PixelFormat::Gray, &[0, 1, 6, 255, 2, 2]);
    let set = TaskSet::open(root.path()).unwrap();
    assert_eq!(set.format, TaskFormat::Pascal);
    let tasks: Vec<_> = set.tasks.iter().map(|labels| (labels.task, labels.classes.len())).collect();
    assert_eq!(
        tasks,
        [(DenseTask::Semseg, 21), (DenseTask::Parts, 7), (DenseTask::Saliency, 0), (DenseTask::Normals, 0)]
    );
    let train = set.split("train").unwrap();
    let sample = set.load(&train.images[0]).unwrap();
    assert_eq!(classes(&sample.labels[0]), [0, 20, IGNORE, 1, 2, 3]);
    assert_eq!(classes(&sample.labels[1]), [0, 1, 6, IGNORE, 2, 2]);
    assert_eq!(classes(&sample.labels[2]), [0, 0, 1, 1, 0, 1]);
    let TaskLabel::Normals(normals) = &sample.labels[3] else { panic!("normals") };
    assert!(normals[[0, 0]][2] > 0.999 && normals[[0, 1]] == [0.0; 3] && normals[[0, 2]][0] > 0.999);
    // Without people.
    let sample = set.load(&train.images[1]).unwrap();
    assert_eq!(classes(&sample.labels[1]), [IGNORE; 6]);

    // MATLAB's files are told, and so is an image that is not there.
    text(&at("human_parts/b.mat"), "");
    let error = TaskSet::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("b.mat") && error.contains("scipy.io.loadmat"), "{error}");
    fs::remove_file(at("human_parts/b.mat")).unwrap();
    text(&at("ImageSets/Context/val.txt"), "c\nd\n");
    let error = TaskSet::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("no image d"), "{error}");
}

#[test]
fn nyud_for_several_tasks() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    text(&at("gt_sets/train.txt"), "1\n");
    text(&at("gt_sets/val.txt"), "2\n");
    for name in ["1", "2"] {
        png(&at(&format!("images/{name}.png")), PixelFormat::Rgb, &[90; 18]);
        png(&at(&format!("segmentation/{name}.png")), PixelFormat::Gray, &[0, 1, 40, 255, 2, 3]);
        for folder in ["normals", "depth", "edge"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let normals: Vec<f32> =
            (0..18).map(|i| [0.0, 0.0, 2.0][i % 3] * f32::from(u8::from(i > 2))).collect();
        write_npy(&at(&format!("normals/{name}.npy")), &[2, 3, 3], &normals).unwrap();
        write_npy(&at(&format!("depth/{name}.npy")), &[2, 3], &[1.5, 0.0, 2.0, 3.0, f32::NAN, 1.0]).unwrap();
        write_npy(&at(&format!("edge/{name}.npy")), &[2, 3], &[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
    }
    let set = TaskSet::open(root.path()).unwrap();
    assert_eq!(set.format, TaskFormat::Nyud);
    let sample = set.load(&set.held_out().unwrap().images[0]).unwrap();
    assert_eq!(classes(&sample.labels[0]), [IGNORE, 0, 39, IGNORE, 1, 2]);
    let TaskLabel::Normals(normals) = &sample.labels[1] else { panic!("normals") };
    assert!(normals[[0, 0]] == [0.0; 3] && normals[[1, 1]] == [0.0, 0.0, 1.0]);
    let TaskLabel::Depth(depth) = &sample.labels[2] else { panic!("depth") };
    assert_eq!(depth.iter().copied().collect::<Vec<_>>(), [1.5, 0.0, 2.0, 3.0, 0.0, 1.0]);
    assert_eq!(classes(&sample.labels[3]), [1, 0, 0, 1, 0, 1]);

    // Tasks in another order, and one that is not there.
    let chosen = set.clone().with_tasks(&[DenseTask::Depth, DenseTask::Semseg]).unwrap();
    let sample = chosen.load(&chosen.splits[0].images[0]).unwrap();
    assert!(matches!(&sample.labels[..], [TaskLabel::Depth(_), TaskLabel::Classes(_)]));
    for (wanted, said) in
        [(vec![DenseTask::Parts], "task parts: has no labels"), (vec![DenseTask::Depth; 2], "is named twice")]
    {
        let error = set.clone().with_tasks(&wanted).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    // Labels of another size.
    write_npy(&at("depth/2.npy"), &[3, 3], &[1.0; 9]).unwrap();
    let error = set.load(&set.splits[1].images[0]).unwrap_err().to_string();
    assert!(error.contains("3x2") && error.contains("3x3") && error.contains("2.npy"), "{error}");
}

#[test]
fn label_sets_have_edges() {
    let root = tempfile::tempdir().unwrap();
    let demo =
        crate::demo::labels::LabelDemo { height: 24, width: 24, train: 3, val: 2, ..Default::default() };
    demo.write(root.path(), &|_, _| ()).unwrap();
    let set = TaskSet::open(root.path()).unwrap();
    assert_eq!(set.format, TaskFormat::Labels);
    assert_eq!(set.tasks.iter().map(|l| l.task).collect::<Vec<_>>(), [DenseTask::Semseg, DenseTask::Edges]);
    let sample = set.load(&set.splits[0].images[0]).unwrap();
    let TaskLabel::Classes(mask) = &sample.labels[0] else { panic!("classes") };
    assert!(sample.labels[1] == TaskLabel::Classes(edges_of(mask)));
    let edges = set.with_tasks(&[DenseTask::Edges]).unwrap();
    let alone = edges.load(&edges.splits[0].images[0]).unwrap();
    assert!(alone.labels[..] == sample.labels[1..]);
}

#[test]
fn a_folder_of_tasks_and_what_is_wrong_with_it() {
    let root = tempfile::tempdir().unwrap();
    let demo = crate::demo::tasks::TaskDemo { height: 16, width: 16, train: 2, val: 1, ..Default::default() };
    demo.write(root.path(), &|_, _| ()).unwrap();
    let open = || TaskSet::open(root.path()).map(drop);
    open().unwrap();
    let at = |path: &str| root.path().join(path);
    fs::rename(at("depth/val"), at("depth/gone")).unwrap();
    let error = open().unwrap_err().to_string();
    assert!(error.contains("depth/val") && error.contains("no such folder"), "{error}");
    fs::rename(at("depth/gone"), at("depth/val")).unwrap();
    // A label that is not there is ignored, and told where there is none at all.
    fs::remove_file(at("depth/val/0000.png")).unwrap();
    let set = TaskSet::open(root.path()).unwrap();
    let sample = set.load(&set.held_out().unwrap().images[0]).unwrap();
    assert!(sample.labels[4] == TaskLabel::ignored(DenseTask::Depth, (16, 16)));
    let report = inspect(&set, &|_, _| ());
    assert!(report.to_string().contains("depth of split val: nothing is labeled"), "{report}");
    for (json, said) in [
        ("[{\"task\": \"semseg\"}]", "it has no classes"),
        ("[{\"task\": \"depth\", \"unit\": 0}]", "unit is not above 0"),
        ("[{\"task\": \"height\"}]", "unknown variant"),
        ("[]", "no task has a folder"),
    ] {
        fs::write(at("tasks.json"), json).unwrap();
        let error = open().unwrap_err().to_string();
        assert!(error.contains(said), "{json}: {error}");
    }
}
