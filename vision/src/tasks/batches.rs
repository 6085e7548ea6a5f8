//! Batches: how images and their labels are augmented depends on the seed and the step alone, as which ones a step is given.
use std::sync::Arc;

use nerve_core::graph::{Device, Result, Tensor};
use nerve_data::augment::Augment;
use nerve_data::tasks::{TaskFiles, TaskLabel, TaskSample, TaskSet};

use super::TasksError;
use crate::ahead::{Ahead, Shuffled};

/// Decoded images are kept as long as all of them take at most so many bytes.
const KEEP: usize = 1 << 30;

/// Images and their labels, ready for a step.
#[derive(Debug)]
pub(super) struct Batch {
    /// `(batch, height, width, 3)`, normalized.
    pub(super) images: Tensor,
    /// One a task.
    pub(super) labels: Vec<BatchLabels>,
}

/// A task's labels of a batch.
#[derive(Debug)]
pub(super) enum BatchLabels {
    /// A class a pixel.
    Classes(Arc<[u8]>),
    /// Directions or depths `(batch, height, width, n)`, which of them count `(batch, height, width, 1)`, and how many do.
    Values { target: Tensor, mask: Tensor, pixels: usize },
}

/// What batches are made of.
#[derive(Clone)]
pub(super) struct Recipe {
    pub(super) set: Arc<TaskSet>,
    pub(super) images: Arc<[TaskFiles]>,
    pub(super) augment: Augment,
    pub(super) batch: usize,
    pub(super) seed: u64,
    pub(super) device: Device,
}

/// Batches made ahead.
pub(super) type Batches = Ahead<Batch, TasksError>;

impl Recipe {
    /// Batches from number `first` on.
    pub(super) fn batches(self, first: u64) -> Batches {
        let mut images = Shuffled::new(self.images.len(), self.seed, KEEP);
        Ahead::from(first, move |number| self.batch(&mut images, number))
    }

    fn batch(&self, all: &mut Shuffled<TaskSample>, number: u64) -> std::result::Result<Batch, TasksError> {
        let size = self.batch;
        let [h, w] = self.augment.crop;
        let mut images: Vec<f32> = Vec::with_capacity(size * h * w * 3);
        let mut labels: Vec<Vec<TaskLabel>> = vec![Vec::new(); self.set.tasks.len()];
        for i in 0..size as u64 {
            let index = number * size as u64 + i;
            let sample = all.get(index, |at| self.load(at))?;
            let dense = self.augment.dense(&sample, self.seed, index)?;
            images.extend(dense.image.iter());
            labels.iter_mut().zip(dense.labels).for_each(|(all, label)| all.push(label));
        }
        let images = Tensor::from_vec(images, (size, h, w, 3), &self.device)?;
        let labels = labels.iter().map(|all| BatchLabels::of(all, [size, h, w], &self.device));
        Ok(Batch { images, labels: labels.collect::<Result<_>>()? })
    }

    fn load(&self, at: usize) -> std::result::Result<(TaskSample, usize), TasksError> {
        let sample = self.set.load(&self.images[at])?;
        let pixels = sample.image.len() / 3;
        // At most 12 bytes a pixel and task.
        let bytes = pixels * (3 + 12 * sample.labels.len());
        Ok((sample, bytes))
    }
}

impl BatchLabels {
    /// Of one task's labels of each image.
    fn of(labels: &[TaskLabel], [batch, height, width]: [usize; 3], device: &Device) -> Result<Self> {
        let mut classes: Vec<u8> = Vec::new();
        let (mut values, mut mask): (Vec<f32>, Vec<f32>) = (Vec::new(), Vec::new());
        for label in labels {
            match label {
                TaskLabel::Classes(labels) => classes.extend(labels.iter()),
                TaskLabel::Normals(labels) => {
                    values.extend(labels.iter().flatten());
                    mask.extend(labels.iter().map(|n| if *n == [0.0; 3] { 0.0 } else { 1.0 }));
                }
                TaskLabel::Depth(labels) => {
                    values.extend(labels.iter());
                    mask.extend(labels.iter().map(|d| if *d > 0.0 { 1.0 } else { 0.0 }));
                }
            }
        }
        if mask.is_empty() {
            return Ok(Self::Classes(classes.into()));
        }
        let outputs = values.len() / mask.len();
        let pixels = mask.iter().filter(|m| **m > 0.0).count();
        Ok(Self::Values {
            target: Tensor::from_vec(values, (batch, height, width, outputs), device)?,
            mask: Tensor::from_vec(mask, (batch, height, width, 1), device)?,
            pixels,
        })
    }
}
