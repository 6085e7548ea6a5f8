//! What a set of several tasks holds and what is wrong with it.
use std::fmt;

use serde::Serialize;

use super::{DenseTask, TaskFormat, TaskLabel, TaskSet};
use crate::labels::IGNORE;
use crate::problem::{DataProblem, Severity, with_causes};

/// What a set holds.
#[derive(Clone, Debug, Serialize)]
pub struct TaskReport {
    /// How it is stored.
    pub format: TaskFormat,
    /// Splits and their numbers of images.
    pub splits: Vec<(String, usize)>,
    /// What labels there are, a task and split.
    pub tasks: Vec<TaskShare>,
    /// What is wrong with it.
    pub problems: Vec<DataProblem>,
}

/// A task's labels in a split.
#[derive(Clone, Debug, Serialize)]
pub struct TaskShare {
    /// The split.
    pub split: String,
    /// The task.
    pub task: DenseTask,
    /// Images with a file of it.
    pub images: usize,
    /// Share of all pixels that are not ignored.
    pub labeled: f64,
    /// What the labeled pixels are: shares of classes by name, the share of `yes`, or smallest, mean and largest depth.
    pub values: Vec<(String, f64)>,
}

#[derive(Default)]
struct Tally {
    images: usize,
    pixels: u64,
    labeled: u64,
    counts: Vec<u64>,
    depths: (f64, f64, f64),
}

impl Tally {
    fn add(&mut self, label: &TaskLabel) {
        let (height, width) = label.size();
        self.pixels += (height * width) as u64;
        match label {
            TaskLabel::Classes(labels) => {
                for class in labels.iter().filter(|class| **class != IGNORE) {
                    let class = usize::from(*class);
                    if self.counts.len() <= class {
                        self.counts.resize(class + 1, 0);
                    }
                    self.counts[class] += 1;
                    self.labeled += 1;
                }
            }
            TaskLabel::Normals(labels) => {
                self.labeled += labels.iter().filter(|n| **n != [0.0; 3]).count() as u64;
            }
            TaskLabel::Depth(labels) => {
                for depth in labels.iter().map(|d| f64::from(*d)).filter(|d| *d > 0.0) {
                    let (low, sum, high) = self.depths;
                    let low = if self.labeled == 0 { depth } else { low.min(depth) };
                    self.depths = (low, sum + depth, high.max(depth));
                    self.labeled += 1;
                }
            }
        }
    }

    fn values(&self, task: DenseTask, names: &[String]) -> Vec<(String, f64)> {
        let share = |count: u64| count as f64 / self.labeled.max(1) as f64;
        match task {
            DenseTask::Semseg | DenseTask::Parts => {
                let count = |class: usize| self.counts.get(class).copied().unwrap_or(0);
                names.iter().enumerate().map(|(i, name)| (name.clone(), share(count(i)))).collect()
            }
            DenseTask::Saliency | DenseTask::Edges => {
                vec![("yes".to_owned(), share(self.counts.get(1).copied().unwrap_or(0)))]
            }
            DenseTask::Normals => Vec::new(),
            DenseTask::Depth => {
                let (low, sum, high) = self.depths;
                let mean = sum / self.labeled.max(1) as f64;
                [("least", low), ("mean", mean), ("most", high)]
                    .map(|(name, v)| (name.to_owned(), v))
                    .to_vec()
            }
        }
    }
}

/// Reads every image and label of a set; `progress(done, total)` is called after each.
#[must_use]
pub fn inspect(set: &TaskSet, progress: &dyn Fn(usize, usize)) -> TaskReport {
    let mut problems = Vec::new();
    let mut tasks = Vec::new();
    let (total, mut done) = (set.splits.iter().map(|split| split.images.len()).sum(), 0);
    let problem =
        |severity, what: String, remedy: &str| DataProblem { severity, what, remedy: remedy.to_owned() };
    for split in &set.splits {
        let mut tallies: Vec<Tally> = set.tasks.iter().map(|_| Tally::default()).collect();
        for files in &split.images {
            match set.load(files) {
                Ok(sample) => {
                    for ((tally, label), file) in tallies.iter_mut().zip(&sample.labels).zip(&files.labels) {
                        tally.add(label);
                        tally.images += usize::from(file.is_some());
                    }
                }
                Err(error) => problems.push(problem(
                    Severity::Error,
                    with_causes(&error),
                    "repair or remove the file: training stops at it",
                )),
            }
            done += 1;
            progress(done, total);
        }
        for (labels, tally) in set.tasks.iter().zip(&tallies) {
            let names: Vec<String> = labels.classes.iter().map(|class| class.name.clone()).collect();
            let values = tally.values(labels.task, &names);
            let what = |text: &str| format!("{} of split {}: {text}", labels.task, split.name);
            if tally.labeled == 0 {
                let remedy = "add labels, or leave the task out with --tasks";
                problems.push(problem(Severity::Error, what("nothing is labeled"), remedy));
            } else if values.iter().any(|(_, share)| *share == 1.0) && labels.task != DenseTask::Depth {
                let remedy = "check that the labels are those of this task";
                problems.push(problem(Severity::Warning, what("all labels are the same"), remedy));
            }
            tasks.push(TaskShare {
                split: split.name.clone(),
                task: labels.task,
                images: tally.images,
                labeled: tally.labeled as f64 / tally.pixels.max(1) as f64,
                values,
            });
        }
    }
    if set.held_out().is_none() {
        let remedy = "add a split val, or evaluate with --val-split train";
        problems.push(problem(Severity::Warning, "no images are held out".to_owned(), remedy));
    }
    let splits = set.splits.iter().map(|split| (split.name.clone(), split.images.len())).collect();
    TaskReport { format: set.format, splits, tasks, problems }
}

impl fmt::Display for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.format)?;
        for (split, images) in &self.splits {
            writeln!(f, "{split}: {images} images")?;
            for task in self.tasks.iter().filter(|task| task.split == *split) {
                write!(
                    f,
                    "  {:<9} {:>5} images, {:>5.1} % labeled",
                    task.task,
                    task.images,
                    100.0 * task.labeled
                )?;
                let percent = task.task != DenseTask::Depth;
                for (name, value) in &task.values {
                    match percent {
                        true => write!(f, ", {name} {:.1} %", 100.0 * value)?,
                        false => write!(f, ", {name} {value:.2}")?,
                    }
                }
                writeln!(f)?;
            }
        }
        if self.problems.is_empty() {
            writeln!(f, "no problems found")?;
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "{problem}"))
    }
}
