//! Evaluation of a model on a split: every task's metric over the set, at the images' own size.
use std::time::{Duration, Instant};

use nerve_core::metrics::dense::{DepthError, EdgeF, MeanAngle, SaliencyIou};
use nerve_core::metrics::segmentation::{Confusion, Scores};
use nerve_core::run::Cancel;
use nerve_data::tasks::{DenseTask, TaskLabel, TaskSample, TaskSet, TaskSplit};
use serde::{Deserialize, Serialize};

use super::{Served, TaskPrediction, TaskSpec, TasksError, predict};

/// A task's metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskScore {
    /// The task.
    pub task: DenseTask,
    /// Its metric's name.
    pub metric: String,
    /// What was measured: shares in percent, angles in degrees, depths in their unit; none where nothing was labeled.
    pub value: Option<f64>,
    /// Whether less is better.
    pub lower_is_better: bool,
}

/// The result of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// One a task, in their order.
    pub scores: Vec<TaskScore>,
    /// The number of images.
    pub images: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// A task's metric in the making.
enum Meter {
    Classes(Confusion),
    Saliency(SaliencyIou),
    Edges(Box<EdgeF>),
    Normals(MeanAngle),
    Depth(DepthError),
}

impl Meter {
    fn of(task: &TaskSpec) -> Result<Self, TasksError> {
        Ok(match task.task {
            DenseTask::Semseg | DenseTask::Parts => Self::Classes(Confusion::new(task.classes.len())?),
            DenseTask::Saliency => Self::Saliency(SaliencyIou::default()),
            DenseTask::Edges => Self::Edges(Box::default()),
            DenseTask::Normals => Self::Normals(MeanAngle::default()),
            DenseTask::Depth => Self::Depth(DepthError::default()),
        })
    }

    fn add(&mut self, found: &TaskPrediction, truth: &TaskLabel) -> Result<(), TasksError> {
        fn all<T: Copy>(array: &ndarray::Array2<T>) -> Vec<T> {
            array.iter().copied().collect()
        }
        match (self, found, truth) {
            (Self::Classes(meter), TaskPrediction::Classes(found), TaskLabel::Classes(truth)) => {
                meter.add(&all(found), &all(truth))?;
            }
            (Self::Saliency(meter), TaskPrediction::Probability(found), TaskLabel::Classes(truth)) => {
                meter.add(&all(found), &all(truth));
            }
            (Self::Edges(meter), TaskPrediction::Probability(found), TaskLabel::Classes(truth)) => {
                meter.add(&all(found), &all(truth), truth.ncols());
            }
            (Self::Normals(meter), TaskPrediction::Normals(found), TaskLabel::Normals(truth)) => {
                meter.add(&all(found), &all(truth));
            }
            (Self::Depth(meter), TaskPrediction::Depth(found), TaskLabel::Depth(truth)) => {
                meter.add(&all(found), &all(truth));
            }
            // The set's tasks are the model's: checked where both are opened.
            _ => {}
        }
        Ok(())
    }

    fn score(&self, task: &TaskSpec) -> Result<TaskScore, TasksError> {
        let percent = |share: Option<f64>| share.map(|share| 100.0 * share);
        let (metric, value, lower_is_better) = match self {
            Self::Classes(confusion) => {
                let names: Vec<String> = task.classes.iter().map(|class| class.name.clone()).collect();
                ("mIoU", percent(Scores::new(&names, confusion, None)?.mean_iou), false)
            }
            Self::Saliency(meter) => ("max IoU", percent(meter.value()), false),
            Self::Edges(meter) => ("F", percent(meter.value()), false),
            Self::Normals(meter) => ("mean angle", meter.value(), true),
            Self::Depth(meter) => ("RMSE", meter.value(), true),
        };
        Ok(TaskScore { task: task.task, metric: metric.to_owned(), value, lower_is_better })
    }
}

/// Evaluates a model on all images of `split`; none if it was cancelled. `seen` is called with every image and its
/// predictions, by its position in the split.
///
/// # Errors
/// If an image cannot be read, or is too small for the model.
pub fn evaluate(
    served: &Served<'_>,
    set: &TaskSet,
    split: &TaskSplit,
    cancel: &Cancel,
    seen: &mut dyn FnMut(usize, &TaskSample, &[TaskPrediction]),
) -> Result<Option<Evaluation>, TasksError> {
    let start = Instant::now();
    let mut meters = served.tasks().iter().map(Meter::of).collect::<Result<Vec<_>, _>>()?;
    for (place, files) in split.images.iter().enumerate() {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let sample = set.load(files)?;
        let found = predict(served, sample.image.view())?;
        for ((meter, found), truth) in meters.iter_mut().zip(&found).zip(&sample.labels) {
            meter.add(found, truth)?;
        }
        seen(place, &sample, &found);
    }
    let scores = meters.iter().zip(served.tasks()).map(|(meter, task)| meter.score(task));
    Ok(Some(Evaluation {
        scores: scores.collect::<Result<_, _>>()?,
        images: split.images.len(),
        elapsed: start.elapsed(),
    }))
}
