#![allow(clippy::unwrap_used)]

use crc32fast::Hasher;

use super::*;
use crate::tasks::{DenseTask, TaskFormat, TaskLabel, TaskSet, inspect};

fn small() -> TaskDemo {
    TaskDemo { height: 32, width: 48, train: 4, val: 2, ..TaskDemo::default() }
}

/// Frozen: figures that were measured on the default set stay comparable only as long as this holds.
#[test]
fn the_default_set_is_frozen() {
    let mut hash = Hasher::new();
    for (part, index) in [(LabelDemoSplit::Train, 0), (LabelDemoSplit::Train, 399), (LabelDemoSplit::Val, 7)]
    {
        let sample = TaskDemo::default().image(part, index).unwrap();
        hash.update(sample.image.as_slice().unwrap());
        for label in &sample.labels {
            match label {
                TaskLabel::Classes(labels) => hash.update(labels.as_slice().unwrap()),
                TaskLabel::Normals(labels) => {
                    labels.iter().flatten().for_each(|v| hash.update(&v.to_le_bytes()));
                }
                TaskLabel::Depth(labels) => labels.iter().for_each(|v| hash.update(&v.to_le_bytes())),
            }
        }
    }
    assert_eq!(hash.finalize(), 0x4997_2dc3);
}

#[test]
fn what_is_written_is_what_was_rendered() {
    let out = tempfile::tempdir().unwrap();
    let demo = small();
    demo.write(out.path(), &|_, _| ()).unwrap();
    let set = TaskSet::open(out.path()).unwrap();
    assert_eq!(set.format, TaskFormat::Folder);
    assert_eq!(set.tasks.iter().map(|labels| labels.task).collect::<Vec<_>>(), DenseTask::ALL);
    for (part, count) in [(LabelDemoSplit::Train, 4), (LabelDemoSplit::Val, 2)] {
        let split = set.split(part.as_str()).unwrap();
        assert_eq!(split.images.len(), count);
        for (i, files) in split.images.iter().enumerate() {
            let (found, want) = (set.load(files).unwrap(), demo.image(part, i as u64).unwrap());
            assert!(found.image == want.image);
            for (task, (found, want)) in DenseTask::ALL.iter().zip(found.labels.iter().zip(&want.labels)) {
                match (found, want) {
                    // Brought to unit length anew.
                    (TaskLabel::Normals(found), TaskLabel::Normals(want)) => {
                        let far = |(a, b): (&[f32; 3], &[f32; 3])| {
                            a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
                        };
                        assert!(found.iter().zip(want).map(far).all(|d| d < 0.01));
                    }
                    _ => assert!(found == want, "{task} of {part:?} {i}"),
                }
            }
        }
    }
    TaskDemo { train: 2, val: 1, ..small() }.write(out.path(), &|_, _| ()).unwrap();
    let again = TaskSet::open(out.path()).unwrap();
    assert_eq!(again.splits.iter().map(|split| split.images.len()).collect::<Vec<_>>(), [2, 1]);
    assert!(matches!(
        crate::demo::labels::LabelDemo::default().write(out.path(), &|_, _| ()),
        Err(DemoError::Occupied { .. })
    ));
}

#[test]
fn the_set_is_varied_and_sound() {
    let out = tempfile::tempdir().unwrap();
    TaskDemo { height: 48, width: 48, train: 60, val: 15, ..TaskDemo::default() }
        .write(out.path(), &|_, _| ())
        .unwrap();
    let report = inspect(&TaskSet::open(out.path()).unwrap(), &|_, _| ());
    assert_eq!(report.problems, [], "{report}");
    let train = |task| report.tasks.iter().find(|t| t.task == task && t.split == "train").unwrap();
    for (name, share) in &train(DenseTask::Semseg).values {
        assert!((0.004..0.8).contains(share), "{name}: {report}");
    }
    for (name, share) in &train(DenseTask::Parts).values {
        assert!(*share > 0.001, "{name}: {report}");
    }
    for task in [DenseTask::Saliency, DenseTask::Edges] {
        assert!((0.02..0.5).contains(&train(task).values[0].1), "{report}");
    }
    assert!((0.4..1.0).contains(&train(DenseTask::Normals).labeled), "{report}");
}

/// Depth, and the normals of it, agree with those of the labels where a surface is flat: on the ground.
#[test]
fn normals_are_those_of_the_depth() {
    let demo = TaskDemo { height: 64, width: 64, ..TaskDemo::default() };
    let world = super::world::World::draw(&mut Draws::new(0, LabelDemoSplit::Train.stream(3)));
    let sample = demo.image(LabelDemoSplit::Train, 3).unwrap();
    let [TaskLabel::Classes(classes), _, _, TaskLabel::Normals(normals), TaskLabel::Depth(depth), _] =
        &sample.labels[..]
    else {
        panic!("six tasks")
    };
    let up = world.axes.transpose() * nalgebra::Vector3::z();
    let mut ground = 0;
    for ((at, class), n) in classes.indexed_iter().zip(normals) {
        if *class != 0 {
            continue;
        }
        ground += 1;
        let far = (0..3).map(|i| (f64::from(n[i]) - up[i]).abs()).fold(0.0, f64::max);
        assert!(far < 0.02, "{at:?}: {n:?} and {up}");
        // The point that the depth says lies on the ground.
        let (y, x) = at;
        let scale = world.tangent / 32.0;
        let own =
            nalgebra::Vector3::new((x as f64 + 0.5 - 32.0) * scale, (32.0 - y as f64 - 0.5) * scale, -1.0);
        let p = world.eye + world.axes * own * f64::from(depth[[y, x]]);
        assert!(p.z.abs() < 0.002, "{at:?}: {p}");
    }
    assert!(ground > 200);
}

#[test]
fn images_depend_on_seed_part_and_index() {
    let demo = small();
    let image = demo.image(LabelDemoSplit::Train, 3).unwrap();
    assert!(image == TaskDemo { train: 500, ..small() }.image(LabelDemoSplit::Train, 3).unwrap());
    for other in [
        demo.image(LabelDemoSplit::Val, 3),
        demo.image(LabelDemoSplit::Train, 4),
        TaskDemo { seed: 1, ..small() }.image(LabelDemoSplit::Train, 3),
    ] {
        assert!(image != other.unwrap());
    }
    assert!(matches!(
        TaskDemo { width: 0, ..small() }.image(LabelDemoSplit::Train, 0),
        Err(DemoError::Config { .. })
    ));
}
