//! Several tasks as one: a weighted sum of losses, taken a share of the tasks at a time, so that no more than one pass of
//! the backbone is in memory.
use std::ops::Range;
use std::sync::Arc;

use nerve_core::graph::{Matcher, Mode, ParamGroup, Result, Tensor, Variables, bail};
use nerve_core::ops::resize::bilinear;
use nerve_data::tasks::DenseTask;

use super::batches::{Batch, BatchLabels};
use super::losses::{self, Balance};
use super::{MultiTask, TasksConfig};
use crate::adaptation::METHOD;
use crate::task::{Loss, Task};

/// A share of a batch: some of its tasks.
pub(super) struct Share {
    pub(super) batch: Arc<Batch>,
    pub(super) tasks: Range<usize>,
    /// How many shares a batch has: the mean over shares is to be their sum.
    pub(super) of: usize,
}

/// The model and what its tasks count.
pub(super) struct TasksTask {
    pub(super) model: MultiTask,
    weights: Vec<f64>,
    groups: Vec<ParamGroup>,
}

impl TasksTask {
    pub(super) fn new(model: MultiTask, config: &TasksConfig) -> Self {
        let weights = model.tasks().iter().map(|task| config.train.weight(task.task)).collect();
        Self { model, weights, groups: groups(config) }
    }

    /// A task's loss, of its outputs.
    fn part(&self, task: usize, outputs: &Tensor, batch: &Batch) -> Result<Tensor> {
        let (_, height, width, _) = batch.images.dims4()?;
        let outputs = bilinear(outputs, [height, width], false)?;
        let task = &self.model.tasks()[task];
        let Some(labels) =
            self.model.tasks().iter().position(|t| t == task).and_then(|i| batch.labels.get(i))
        else {
            bail!("a batch has no labels of {}", task.task)
        };
        match (task.task, labels) {
            (DenseTask::Semseg | DenseTask::Parts, BatchLabels::Classes(labels)) => {
                losses::classes(&outputs, labels)
            }
            (DenseTask::Saliency, BatchLabels::Classes(labels)) => {
                losses::binary(&outputs, labels, Balance::Batch)
            }
            (DenseTask::Edges, BatchLabels::Classes(labels)) => {
                losses::binary(&outputs, labels, Balance::Edges)
            }
            (DenseTask::Normals, BatchLabels::Values { target, mask, pixels }) => {
                losses::normals(&outputs, target, mask, *pixels)
            }
            (DenseTask::Depth, BatchLabels::Values { target, mask, pixels }) => {
                losses::depth(&outputs, target, mask, *pixels)
            }
            (task, _) => bail!("labels of another task than {task}"),
        }
    }
}

impl Task for TasksTask {
    type Batch = Share;

    fn variables(&self) -> &Variables {
        self.model.variables()
    }

    fn groups(&self) -> Vec<ParamGroup> {
        self.groups.clone()
    }

    fn loss(&self, share: &Share, mode: Mode) -> Result<Loss> {
        let outputs = self.model.forward_train(&share.batch.images, share.tasks.clone(), mode)?;
        let mut loss: Option<Loss> = None;
        for (task, outputs) in share.tasks.clone().zip(&outputs) {
            let part = (self.part(task, outputs, &share.batch)? * share.of as f64)?;
            let (name, weight) = (self.model.tasks()[task].task.name(), self.weights[task]);
            loss = Some(match loss {
                Some(loss) => loss.plus(name, part, weight)?,
                None => Loss::weighted(name, part, weight)?,
            });
        }
        match loss {
            Some(loss) => Ok(loss),
            None => bail!("a share without tasks"),
        }
    }
}

/// Method and decoders have their own rates, and small variables no decay.
fn groups(config: &TasksConfig) -> Vec<ParamGroup> {
    let group =
        |name: &str, matcher, lr, decay| ParamGroup { name: name.into(), matcher, lr, decay, frozen: false };
    let method = || Matcher::Prefix(format!("{METHOD}."));
    let small = || {
        let ends =
            ["attention_biases", "relative_position_bias_table", "pos_embed", "cls_token", "embeddings"];
        let ends = ends.iter().map(|end| Matcher::Suffix((*end).into()));
        Matcher::Any(std::iter::once(Matcher::RankBelow(2)).chain(ends).collect())
    };
    let train = &config.train;
    vec![
        group("method, no decay", Matcher::Every(vec![method(), small()]), train.lr, 0.0),
        group("method", method(), train.lr, train.weight_decay),
        group("decoders, no decay", small(), train.head_lr, 0.0),
        group("decoders", Matcher::All, train.head_lr, train.weight_decay),
    ]
}
