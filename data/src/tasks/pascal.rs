//! Format: PASCAL-Context for several tasks (`PASCAL_MT`), as multi-task dense prediction shares it.
//!
//! ```text
//! JPEGImages/2008_000002.jpg
//! ImageSets/Context/{train,val}.txt
//! semseg/VOC12/2008_000002.png            VOC's 21 classes, 255 is ignored; or semseg/pascal-context/
//! human_parts/2008_000002.png             7 classes, 0 the background, 255 is ignored; images without people have none
//! sal_distill/2008_000002.png             gray, salient above half
//! normals_distill/2008_000002.png         (n + 1) / 2 as colors, black is ignored
//! edges/2008_000002.png                   gray, an edge above half
//! ```
//!
//! The archive has parts and edges as MATLAB files, which must be written as PNGs first: an error says so. A folder that is
//! not there is a task that the set does not have; an image without a file of a task is ignored by it.
use std::path::Path;

use super::reader::Reader;
use super::{Contents, DenseTask, PARTS, TaskLabels, TaskSplit, listed, named, with_extension};
use crate::labels::{Class, LabelError, voc_classes};

const IMAGES: &str = "JPEGImages";
const LISTS: &str = "ImageSets/Context";
/// The tasks and where their labels may be.
const FOLDERS: [(DenseTask, &[&str]); 5] = [
    (DenseTask::Semseg, &["semseg/VOC12", "semseg/pascal-context"]),
    (DenseTask::Parts, &["human_parts"]),
    (DenseTask::Saliency, &["sal_distill"]),
    (DenseTask::Normals, &["normals_distill"]),
    (DenseTask::Edges, &["edges"]),
];

pub(super) fn is_one(root: &Path) -> bool {
    let own = FOLDERS.iter().flat_map(|(_, folders)| folders.iter());
    root.join(IMAGES).is_dir()
        && root.join(LISTS).is_dir()
        && own.into_iter().any(|at| root.join(at).is_dir())
}

fn labels(task: DenseTask) -> TaskLabels {
    let classes: Vec<Class> = match task {
        DenseTask::Semseg => voc_classes(),
        DenseTask::Parts => named(&PARTS),
        _ => Vec::new(),
    };
    let reader = match task {
        DenseTask::Semseg | DenseTask::Parts => Reader::Classes { count: classes.len(), first: 0 },
        DenseTask::Normals => Reader::Normals,
        _ => Reader::Binary { above: 127.0, ignored: None },
    };
    TaskLabels { task, classes, reader }
}

/// The refusal of a folder that holds MATLAB files alone.
pub(super) fn refuse_matlab(folder: &Path, name: &str) -> Result<(), LabelError> {
    let file = folder.join(format!("{name}.mat"));
    if !file.is_file() {
        return Ok(());
    }
    Err(LabelError::Mask {
        path: file,
        what: "a MATLAB file".to_owned(),
        remedy: "write the labels as PNGs of class numbers beside it, with scipy.io.loadmat and Pillow",
    })
}

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let mut tasks = Vec::new();
    let mut folders = Vec::new();
    for (task, places) in FOLDERS {
        if let Some(folder) = places.iter().map(|place| root.join(place)).find(|folder| folder.is_dir()) {
            tasks.push(labels(task));
            folders.push(folder);
        }
    }
    let of = |name: &str| {
        let label = |folder: &std::path::PathBuf| match with_extension(folder, name, &["png", "npy"]) {
            Some(path) => Ok(Some(path)),
            None => refuse_matlab(folder, name).map(|()| None),
        };
        folders.iter().map(label).collect()
    };
    let splits = ["train", "val", "test"].iter().filter_map(|split| {
        let list = root.join(LISTS).join(format!("{split}.txt"));
        list.is_file().then(|| listed(split, &list, &root.join(IMAGES), of))
    });
    Ok(Contents { tasks, splits: splits.collect::<Result<Vec<TaskSplit>, _>>()? })
}
