//! Format: a folder for each task.
//!
//! ```text
//! tasks.json                  the tasks, in their order; see below
//! images/train/0000.png       RGB
//! semseg/train/0000.png       class numbers, 255 is ignored; parts/ likewise
//! saliency/train/0000.png     0 and 1, 255 is ignored; edges/ likewise
//! normals/train/0000.png      (n + 1) / 2 as colors, black is ignored
//! depth/train/0000.png        16 bits of `unit`, 0 is ignored
//! images/val/ ...
//! ```
//!
//! ```json
//! [{"task": "semseg", "classes": [{"name": "ground", "color": [96, 108, 92]}]}, {"task": "depth", "unit": 0.001}]
//! ```
//!
//! A file of `.npy` takes the place of a PNG where values are to be kept exactly.
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::reader::Reader;
use super::{Contents, DenseTask, TaskFiles, TaskLabels, TaskSplit, with_extension};
use crate::labels::{Class, LabelError};
use crate::scene::natural;

/// The list of tasks.
pub const TASKS: &str = "tasks.json";
/// The folder of images.
pub const IMAGES: &str = "images";
/// Splits there may be.
const SPLITS: [&str; 3] = ["train", "val", "test"];

/// A task in `tasks.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderTask {
    /// Which; its folder has its name.
    pub task: DenseTask,
    /// Of semantic segmentation and parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// Of depth: what a step of the stored numbers is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<f64>,
}

pub(super) fn is_one(root: &Path) -> bool {
    root.join(TASKS).is_file()
}

fn labels(path: &Path, task: FolderTask) -> Result<TaskLabels, LabelError> {
    let wrong = |what: &str, remedy| LabelError::File {
        path: path.to_owned(),
        place: format!("task {}", task.task),
        what: what.to_owned(),
        remedy,
    };
    let count = task.classes.len();
    let reader = match task.task {
        DenseTask::Semseg | DenseTask::Parts if count == 0 => {
            return Err(wrong("it has no classes", "list its `classes`, each with `name` and `color`"));
        }
        DenseTask::Semseg | DenseTask::Parts if count > 255 => {
            return Err(LabelError::Classes { path: path.to_owned(), count });
        }
        DenseTask::Semseg | DenseTask::Parts => Reader::Classes { count, first: 0 },
        DenseTask::Saliency | DenseTask::Edges => Reader::Binary { above: 0.5, ignored: Some(255) },
        DenseTask::Normals => Reader::Normals,
        DenseTask::Depth => {
            let unit = task.unit.unwrap_or(1.0);
            if !(unit > 0.0 && unit.is_finite()) {
                return Err(wrong("its unit is not above 0", "give what a step of the stored numbers is"));
            }
            Reader::Depth { unit }
        }
    };
    Ok(TaskLabels { task: task.task, classes: task.classes, reader })
}

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let path = root.join(TASKS);
    let io = |source| LabelError::Io { path: path.clone(), source };
    let text = crate::regular::read_to_string(&path).map_err(io)?;
    let tasks: Vec<FolderTask> = serde_json::from_str(&text).map_err(|error| LabelError::File {
        path: path.clone(),
        place: format!("line {}", error.line()),
        what: error.to_string(),
        remedy: "compare it with one that `nerve demo OUT --tasks 4` writes",
    })?;
    let tasks = tasks.into_iter().map(|task| labels(&path, task)).collect::<Result<Vec<_>, _>>()?;
    let splits = SPLITS.iter().filter(|split| root.join(IMAGES).join(split).is_dir());
    let splits = splits.map(|split| read_split(root, split, &tasks)).collect::<Result<_, _>>()?;
    Ok(Contents { tasks, splits })
}

fn read_split(root: &Path, split: &str, tasks: &[TaskLabels]) -> Result<TaskSplit, LabelError> {
    let images = root.join(IMAGES).join(split);
    for task in tasks {
        let folder = root.join(task.task.name()).join(split);
        if !folder.is_dir() {
            return Err(LabelError::File {
                path: folder,
                place: format!("task {}", task.task),
                what: "there is no such folder".to_owned(),
                remedy: "add its labels, or take the task out of tasks.json",
            });
        }
    }
    let io = |source| LabelError::Io { path: images.clone(), source };
    let mut names: Vec<_> = fs::read_dir(&images)
        .map_err(io)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(io)?;
    names.retain(|path| crate::image::has_extension(path) && path.is_file());
    names.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    let files = |image: std::path::PathBuf| {
        let stem = image.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let label = |task: &TaskLabels| {
            with_extension(&root.join(task.task.name()).join(split), &stem, &["png", "npy"])
        };
        TaskFiles { labels: tasks.iter().map(label).collect(), image }
    };
    Ok(TaskSplit { name: split.to_owned(), images: names.into_iter().map(files).collect() })
}
