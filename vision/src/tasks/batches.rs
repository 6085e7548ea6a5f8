//! Batches, made ahead by a thread of their own: which images a step is given, and how they are augmented, depends on the
//! seed and the step alone.
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use nerve_core::graph::{Device, Result, Tensor};
use nerve_data::augment::Augment;
use nerve_data::tasks::{TaskFiles, TaskLabel, TaskSample, TaskSet};

use super::TasksError;
use crate::segmentation::order;

/// Batches that wait for their step.
const AHEAD: usize = 2;
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

/// The thread's end of a channel.
pub(super) struct Batches {
    batches: Receiver<std::result::Result<Batch, TasksError>>,
}

impl Batches {
    /// Batches from number `first` on.
    pub(super) fn from(recipe: Recipe, first: u64) -> Self {
        let (sender, batches) = sync_channel(AHEAD);
        thread::spawn(move || {
            let mut maker = Maker {
                kept: vec![None; recipe.images.len()],
                recipe,
                bytes: 0,
                order: (u64::MAX, Vec::new()),
            };
            for number in first.. {
                let batch = maker.batch(number);
                let failed = batch.is_err();
                // Nobody waits any more, or nothing can follow.
                if sender.send(batch).is_err() || failed {
                    return;
                }
            }
        });
        Self { batches }
    }

    /// The next one.
    pub(super) fn next(&self) -> std::result::Result<Batch, TasksError> {
        self.batches.recv().map_err(|_| TasksError::Reader)?
    }
}

struct Maker {
    recipe: Recipe,
    /// Decoded images by their position in the split, and the bytes they take.
    kept: Vec<Option<Arc<TaskSample>>>,
    bytes: usize,
    /// An epoch and its order.
    order: (u64, Vec<usize>),
}

impl Maker {
    fn batch(&mut self, number: u64) -> std::result::Result<Batch, TasksError> {
        let size = self.recipe.batch;
        let [h, w] = self.recipe.augment.crop;
        let mut images: Vec<f32> = Vec::with_capacity(size * h * w * 3);
        let mut labels: Vec<Vec<TaskLabel>> = vec![Vec::new(); self.recipe.set.tasks.len()];
        for i in 0..size as u64 {
            let index = number * size as u64 + i;
            let sample = self.image(index)?;
            let dense = self.recipe.augment.dense(&sample, self.recipe.seed, index)?;
            images.extend(dense.image.iter());
            labels.iter_mut().zip(dense.labels).for_each(|(all, label)| all.push(label));
        }
        let device = &self.recipe.device;
        let images = Tensor::from_vec(images, (size, h, w, 3), device)?;
        let labels = labels.iter().map(|all| BatchLabels::of(all, [size, h, w], device));
        Ok(Batch { images, labels: labels.collect::<Result<_>>()? })
    }

    /// The image of sample `index` of the run: all of them once, then all again in another order.
    fn image(&mut self, index: u64) -> std::result::Result<Arc<TaskSample>, TasksError> {
        let n = self.recipe.images.len() as u64;
        let epoch = index / n;
        if self.order.0 != epoch {
            self.order = (epoch, order(n as usize, self.recipe.seed, epoch));
        }
        let at = self.order.1[(index % n) as usize];
        if let Some(sample) = &self.kept[at] {
            return Ok(sample.clone());
        }
        let sample = Arc::new(self.recipe.set.load(&self.recipe.images[at])?);
        let pixels = sample.image.len() / 3;
        // At most 12 bytes a pixel and task.
        let bytes = pixels * (3 + 12 * sample.labels.len());
        if self.bytes + bytes <= KEEP {
            self.bytes += bytes;
            self.kept[at] = Some(sample.clone());
        }
        Ok(sample)
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
