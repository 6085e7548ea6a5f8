//! Batches: how images and their labels are augmented depends on the seed and the step alone, as which ones a step is given.
use std::sync::Arc;

use nerve_core::graph::{Device, Tensor};
use nerve_data::augment::Augment;
use nerve_data::labels::{LabelSet, Labelled, Pair};

use super::SegmentationError;
use crate::ahead::{Ahead, Shuffled};

/// Decoded images are kept as long as all of them take at most so many bytes.
const KEEP: usize = 2 << 30;

/// Images and their labels, ready for a step.
#[derive(Debug)]
pub(super) struct Batch {
    /// `(batch, height, width, 3)`, normalized.
    pub(super) images: Tensor,
    /// A class per pixel, row-major as the images.
    pub(super) labels: Arc<[u8]>,
}

/// What batches are made of.
#[derive(Clone)]
pub(super) struct Recipe {
    pub(super) set: Arc<LabelSet>,
    pub(super) pairs: Arc<[Pair]>,
    pub(super) augment: Augment,
    pub(super) batch: usize,
    pub(super) seed: u64,
    pub(super) device: Device,
}

/// Batches made ahead.
pub(super) type Batches = Ahead<Batch, SegmentationError>;

impl Recipe {
    /// Batches from number `first` on.
    pub(super) fn batches(self, first: u64) -> Batches {
        let mut images = Shuffled::new(self.pairs.len(), self.seed, KEEP);
        Ahead::from(first, move |number| self.batch(&mut images, number))
    }

    fn batch(&self, all: &mut Shuffled<Labelled>, number: u64) -> Result<Batch, SegmentationError> {
        let size = self.batch;
        let [h, w] = self.augment.crop;
        let mut images: Vec<f32> = Vec::with_capacity(size * h * w * 3);
        let mut labels = Vec::with_capacity(size * h * w);
        for i in 0..size as u64 {
            let index = number * size as u64 + i;
            let labelled = all.get(index, |at| self.load(at))?;
            let Labelled { image, mask } = &*labelled;
            let sample = self.augment.sample(image.view(), mask.view(), self.seed, index)?;
            images.extend(sample.image.iter());
            labels.extend(sample.mask.iter());
        }
        let images = Tensor::from_vec(images, (size, h, w, 3), &self.device)?;
        Ok(Batch { images, labels: labels.into() })
    }

    fn load(&self, at: usize) -> Result<(Labelled, usize), SegmentationError> {
        let labelled = self.set.load(&self.pairs[at])?;
        let bytes = labelled.image.len() + labelled.mask.len();
        Ok((labelled, bytes))
    }
}
