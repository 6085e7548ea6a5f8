//! Images with labels of several dense tasks: classes, parts of people, what is salient, surface normals, depth, edges.
//!
//! A [`TaskSet`] lists files; [`TaskSet::load`] decodes an image with its labels. Formats: the folder that `nerve demo OUT
//! --tasks N` writes ([`folder`]), PASCAL-Context for several tasks (`PASCAL_MT`, `pascal`), NYUD for several tasks
//! (`NYUD_MT`, `nyud`), and every label set of [`crate::labels`], whose edges are derived of its classes.
mod edges;
pub mod folder;
mod inspect;
mod load;
mod nyud;
mod pascal;
mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use edges::edges_of;
pub use inspect::{TaskReport, TaskShare, inspect};
pub use load::{TaskLabel, TaskSample};
use reader::Reader;

use crate::labels::{Class, LabelError, LabelSet};

/// A dense task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenseTask {
    /// The class of what is seen.
    Semseg,
    /// The part of a person that is seen.
    Parts,
    /// What people look at first.
    Saliency,
    /// The direction of the surface, in the camera's frame: x right, y up, z towards the camera.
    Normals,
    /// The distance along the camera's axis.
    Depth,
    /// Where one thing ends and another begins.
    Edges,
}

impl DenseTask {
    /// All, in the order of tables.
    pub const ALL: [Self; 6] =
        [Self::Semseg, Self::Parts, Self::Saliency, Self::Normals, Self::Depth, Self::Edges];

    /// Its name, in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Semseg => "semseg",
            Self::Parts => "parts",
            Self::Saliency => "saliency",
            Self::Normals => "normals",
            Self::Depth => "depth",
            Self::Edges => "edges",
        }
    }
}

impl fmt::Display for DenseTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DenseTask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|task| task.name() == text).ok_or_else(|| {
            format!("there is no task '{text}'; there are {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

/// The parts of people, as PASCAL-Context's comparisons group them.
pub(crate) const PARTS: [(&str, [u8; 3]); 7] = [
    ("background", [0, 0, 0]),
    ("head", [128, 0, 0]),
    ("torso", [0, 128, 0]),
    ("upper arm", [128, 128, 0]),
    ("lower arm", [0, 0, 128]),
    ("upper leg", [128, 0, 128]),
    ("lower leg", [0, 128, 128]),
];

/// Classes of names and colors.
pub(crate) fn named(classes: &[(&str, [u8; 3])]) -> Vec<Class> {
    classes.iter().map(|&(name, color)| Class { name: name.to_owned(), color }).collect()
}

/// How a set is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskFormat {
    /// A folder for each task, and `tasks.json`.
    Folder,
    /// `PASCAL_MT`: `JPEGImages/`, `semseg/`, `human_parts/`, `sal_distill/`, `normals_distill/`.
    Pascal,
    /// `NYUD_MT`: `images/`, `segmentation/`, `normals/`, `depth/`, `edge/`, `gt_sets/`.
    Nyud,
    /// A label set: its classes, and their edges.
    Labels,
}

impl fmt::Display for TaskFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder for each task (tasks.json)",
            Self::Pascal => "PASCAL-Context for several tasks (PASCAL_MT)",
            Self::Nyud => "NYUD for several tasks (NYUD_MT)",
            Self::Labels => "a label set, with edges between its classes",
        })
    }
}

/// A task of a set.
#[derive(Clone, Debug)]
pub struct TaskLabels {
    /// Which.
    pub task: DenseTask,
    /// The classes of semantic segmentation and of parts; none of other tasks.
    pub classes: Vec<Class>,
    reader: Reader,
}

/// An image's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskFiles {
    /// The image.
    pub image: PathBuf,
    /// Its labels, one a task in the order of the set's; none where the image has none of a task, which is then ignored.
    pub labels: Vec<Option<PathBuf>>,
}

/// The images of a split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskSplit {
    /// `train`, `val`, or as its list is called.
    pub name: String,
    /// Its images.
    pub images: Vec<TaskFiles>,
}

/// Images with labels of several tasks.
#[derive(Clone, Debug)]
pub struct TaskSet {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub source: PathBuf,
    /// How it is stored.
    pub format: TaskFormat,
    /// Its tasks.
    pub tasks: Vec<TaskLabels>,
    /// Its splits, each with at least one image.
    pub splits: Vec<TaskSplit>,
    /// What the user should know but need not act on.
    pub warnings: Vec<String>,
    /// Where it is a label set.
    labels: Option<LabelSet>,
}

impl TaskSet {
    /// Whether a folder is recognized as a set of several tasks, label sets left out.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        folder::is_one(path) || pascal::is_one(path) || nyud::is_one(path)
    }

    /// Recognizes the format and lists the files. No pixels are read.
    ///
    /// # Errors
    /// If there is nothing there, no format fits, a list or `tasks.json` cannot be understood, a task's folder is missing,
    /// or there are no images.
    pub fn open(path: &Path) -> Result<Self, LabelError> {
        let source = path.to_owned();
        let (format, contents) = if folder::is_one(path) {
            (TaskFormat::Folder, folder::read(path)?)
        } else if pascal::is_one(path) {
            (TaskFormat::Pascal, pascal::read(path)?)
        } else if nyud::is_one(path) {
            (TaskFormat::Nyud, nyud::read(path)?)
        } else {
            return Self::of_labels(LabelSet::open(path)?);
        };
        let Contents { tasks, splits } = contents;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, source, format, tasks, splits, warnings: Vec::new(), labels: None }.checked()
    }

    /// A label set's classes and their edges.
    fn of_labels(set: LabelSet) -> Result<Self, LabelError> {
        let split = |split: &crate::labels::LabelSplit| TaskSplit {
            name: split.name.clone(),
            images: split
                .pairs
                .iter()
                .map(|pair| TaskFiles {
                    image: pair.image.clone(),
                    labels: vec![Some(pair.mask.clone()), Some(pair.mask.clone())],
                })
                .collect(),
        };
        let task = |task, classes| TaskLabels { task, classes, reader: Reader::Set };
        Self {
            name: set.name.clone(),
            source: set.source.clone(),
            format: TaskFormat::Labels,
            tasks: vec![task(DenseTask::Semseg, set.classes.clone()), task(DenseTask::Edges, Vec::new())],
            splits: set.splits.iter().map(split).collect(),
            warnings: set.warnings.clone(),
            labels: Some(set),
        }
        .checked()
    }

    fn checked(mut self) -> Result<Self, LabelError> {
        self.splits.retain(|split| !split.images.is_empty());
        if self.tasks.is_empty() || self.splits.is_empty() {
            let what = if self.tasks.is_empty() { "no task has a folder" } else { "no split has images" };
            return Err(LabelError::Empty {
                path: self.source,
                what: what.to_owned(),
                remedy: "compare its folders with the documentation's list, or write one: nerve demo OUT --tasks 400",
            });
        }
        Ok(self)
    }

    /// The split of that name.
    ///
    /// # Errors
    /// [`LabelError::NoSplit`] lists those there are.
    pub fn split(&self, name: &str) -> Result<&TaskSplit, LabelError> {
        self.splits.iter().find(|split| split.name == name).ok_or_else(|| LabelError::NoSplit {
            path: self.source.clone(),
            name: name.to_owned(),
            there: self.splits.iter().map(|split| split.name.clone()).collect(),
        })
    }

    /// The split to evaluate on: `val`, or `test` where there is no `val`.
    #[must_use]
    pub fn held_out(&self) -> Option<&TaskSplit> {
        ["val", "test"].iter().find_map(|name| self.splits.iter().find(|split| split.name == *name))
    }

    /// The same set with these tasks alone, in this order.
    ///
    /// # Errors
    /// If it has no labels of one of them, or one is named twice.
    pub fn with_tasks(mut self, wanted: &[DenseTask]) -> Result<Self, LabelError> {
        let there: Vec<DenseTask> = self.tasks.iter().map(|labels| labels.task).collect();
        let mut places = Vec::new();
        for task in wanted {
            match there.iter().position(|t| t == task) {
                Some(place) if !places.contains(&place) => places.push(place),
                found => {
                    let what = if found.is_some() { "is named twice" } else { "has no labels here" };
                    return Err(LabelError::File {
                        path: self.source,
                        place: format!("task {task}"),
                        what: what.to_owned(),
                        remedy: match found {
                            Some(_) => "name each task once",
                            None => {
                                "choose among the tasks that `nerve inspect` lists, or add the folder of its labels"
                            }
                        },
                    });
                }
            }
        }
        self.tasks = places.iter().map(|place| self.tasks[*place].clone()).collect();
        for files in self.splits.iter_mut().flat_map(|split| &mut split.images) {
            files.labels = places.iter().map(|place| files.labels[*place].clone()).collect();
        }
        Ok(self)
    }
}

/// What a format's reader returns.
struct Contents {
    tasks: Vec<TaskLabels>,
    splits: Vec<TaskSplit>,
}

/// The images of a list in a folder, with the labels that `labels` finds for a name.
fn listed(
    name: &str,
    list: &Path,
    images: &Path,
    labels: impl Fn(&str) -> Result<Vec<Option<PathBuf>>, LabelError>,
) -> Result<TaskSplit, LabelError> {
    let text = crate::regular::read_to_string(list)
        .map_err(|source| LabelError::Io { path: list.to_owned(), source })?;
    let mut found = Vec::new();
    for (line, id) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
        if id.is_empty() {
            continue;
        }
        let Some(image) = with_extension(images, id, &["jpg", "png", "jpeg"]) else {
            return Err(LabelError::File {
                path: list.to_owned(),
                place: format!("line {line}"),
                what: format!("there is no image {id} in {}", images.display()),
                remedy: "copy the images again, or take the name off the list",
            });
        };
        found.push(TaskFiles { image, labels: labels(id)? });
    }
    Ok(TaskSplit { name: name.to_owned(), images: found })
}

/// The file of a name with one of these extensions.
fn with_extension(folder: &Path, name: &str, extensions: &[&str]) -> Option<PathBuf> {
    extensions.iter().map(|end| folder.join(format!("{name}.{end}"))).find(|path| path.is_file())
}
