//! Semantic segmentation as a task: cross-entropy at the labels' size, of the head and of the auxiliary head.
use std::sync::Arc;

use nerve_core::graph::{Mode, ParamGroup, Result, Tensor, Variables};
use nerve_core::ops::cross_entropy::cross_entropy;
use nerve_core::ops::resize::bilinear;

use super::batches::Batch;
use super::groups::groups;
use super::{SegConfig, Segmenter};
use crate::task::{Loss, Task};

/// A segmenter, how much its classes count, and its parameter groups.
pub(super) struct SegmentationTask {
    pub(super) segmenter: Segmenter,
    class_weights: Arc<[f32]>,
    aux_weight: f32,
    /// Weight and temperature of the score map's loss.
    text: [f64; 2],
    groups: Vec<ParamGroup>,
}

impl SegmentationTask {
    /// As the configuration says; `counts` are the pixels of each class in the training split.
    pub(super) fn new(segmenter: Segmenter, config: &SegConfig, counts: &[u64]) -> Self {
        let language = &config.model.language;
        let projected = segmenter.language().is_some_and(|language| language.own_projection);
        Self {
            segmenter,
            class_weights: config.train.class_weights.of(counts).into(),
            aux_weight: config.model.aux_weight,
            text: [language.text_weight, language.temperature].map(f64::from),
            groups: groups(config, projected),
        }
    }
}

impl Task for SegmentationTask {
    type Batch = Batch;

    fn variables(&self) -> &Variables {
        self.segmenter.variables()
    }

    fn groups(&self) -> Vec<ParamGroup> {
        self.groups.clone()
    }

    fn loss(&self, batch: &Batch, mode: Mode) -> Result<Loss> {
        let (_, height, width, _) = batch.images.dims4()?;
        let found = self.segmenter.forward_train(&batch.images, mode)?;
        let entropy = |scores: &Tensor| {
            let scores = bilinear(scores, [height, width], false)?;
            cross_entropy(&scores, batch.labels.clone(), self.class_weights.clone())
        };
        let loss = Loss::new("main", entropy(&found.scores)?);
        let loss = match &found.auxiliary {
            Some(scores) => loss.plus("auxiliary", entropy(scores)?, f64::from(self.aux_weight))?,
            None => loss,
        };
        let [weight, temperature] = self.text;
        match &found.score_map {
            Some(scores) if weight > 0.0 => loss.plus("language", entropy(&(scores / temperature)?)?, weight),
            _ => Ok(loss),
        }
    }
}
