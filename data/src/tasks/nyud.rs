//! Format: NYUD for several tasks (`NYUD_MT`), as multi-task dense prediction shares it.
//!
//! ```text
//! images/0001.jpg                  or .png
//! gt_sets/{train,val}.txt
//! segmentation/0001.png            40 classes from 1; 0 and 255 are ignored
//! normals/0001.npy                 three numbers a pixel, zero is ignored; or colors of a PNG
//! depth/0001.npy                   meters, 0 is ignored; or millimeters in a PNG of 16 bits
//! edge/0001.npy                    1 at an edge; or a gray PNG, above half
//! ```
//!
//! MATLAB files must be written in one of these forms first: an error says so.
use std::path::Path;

use super::pascal::refuse_matlab;
use super::reader::Reader;
use super::{Contents, DenseTask, TaskLabels, listed, with_extension};
use crate::labels::{Class, LabelError, color_map};

const LISTS: &str = "gt_sets";
const CLASSES: [&str; 40] = [
    "wall",
    "floor",
    "cabinet",
    "bed",
    "chair",
    "sofa",
    "table",
    "door",
    "window",
    "bookshelf",
    "picture",
    "counter",
    "blinds",
    "desk",
    "shelves",
    "curtain",
    "dresser",
    "pillow",
    "mirror",
    "floor mat",
    "clothes",
    "ceiling",
    "books",
    "refrigerator",
    "television",
    "paper",
    "towel",
    "shower curtain",
    "box",
    "whiteboard",
    "person",
    "night stand",
    "toilet",
    "sink",
    "lamp",
    "bathtub",
    "bag",
    "other structure",
    "other furniture",
    "other prop",
];
const FOLDERS: [(DenseTask, &str); 4] = [
    (DenseTask::Semseg, "segmentation"),
    (DenseTask::Normals, "normals"),
    (DenseTask::Depth, "depth"),
    (DenseTask::Edges, "edge"),
];

pub(super) fn is_one(root: &Path) -> bool {
    let any = FOLDERS.iter().any(|(_, folder)| root.join(folder).is_dir());
    root.join("images").is_dir() && root.join(LISTS).is_dir() && any
}

fn labels(task: DenseTask) -> TaskLabels {
    let class = |(i, name): (usize, &&str)| Class { name: (*name).to_owned(), color: color_map(i as u8 + 1) };
    let classes: Vec<Class> =
        if task == DenseTask::Semseg { CLASSES.iter().enumerate().map(class).collect() } else { Vec::new() };
    let reader = match task {
        DenseTask::Semseg => Reader::Classes { count: classes.len(), first: 1 },
        DenseTask::Normals => Reader::Normals,
        DenseTask::Depth => Reader::Depth { unit: 0.001 },
        _ => Reader::Binary { above: 0.5, ignored: None },
    };
    TaskLabels { task, classes, reader }
}

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let there: Vec<_> = FOLDERS.iter().filter(|(_, folder)| root.join(folder).is_dir()).collect();
    let of = |name: &str| {
        let label = |(_, folder): &&(DenseTask, &str)| {
            let folder = root.join(folder);
            match with_extension(&folder, name, &["png", "npy"]) {
                Some(path) => Ok(Some(path)),
                None => refuse_matlab(&folder, name).map(|()| None),
            }
        };
        there.iter().map(label).collect()
    };
    let splits = ["train", "val", "test"].iter().filter_map(|split| {
        let list = root.join(LISTS).join(format!("{split}.txt"));
        list.is_file().then(|| listed(split, &list, &root.join("images"), of))
    });
    Ok(Contents {
        tasks: there.iter().map(|(task, _)| labels(*task)).collect(),
        splits: splits.collect::<Result<_, _>>()?,
    })
}
