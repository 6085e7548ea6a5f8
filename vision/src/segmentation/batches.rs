//! Batches, made ahead by a thread of their own: which images a step is given, and how they are augmented, depends on the
//! seed and the step alone.
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use nerve_core::graph::{Device, Tensor};
use nerve_core::rng::{Rng, Stream, below};
use nerve_data::augment::Augment;
use nerve_data::labels::{LabelSet, Labelled, Pair};

use super::SegmentationError;

/// Batches that wait for their step.
const AHEAD: usize = 2;
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

/// The thread's end of a channel.
pub(super) struct Batches {
    batches: Receiver<Result<Batch, SegmentationError>>,
}

impl Batches {
    /// Batches from number `first` on.
    pub(super) fn from(recipe: Recipe, first: u64) -> Self {
        let (sender, batches) = sync_channel(AHEAD);
        thread::spawn(move || {
            let mut maker = Maker::new(recipe);
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
    pub(super) fn next(&self) -> Result<Batch, SegmentationError> {
        self.batches.recv().map_err(|_| SegmentationError::Reader)?
    }
}

struct Maker {
    recipe: Recipe,
    /// Decoded images by their position in the split, and the bytes they take.
    kept: Vec<Option<Arc<Labelled>>>,
    bytes: usize,
    /// An epoch and its order.
    order: (u64, Vec<usize>),
}

impl Maker {
    fn new(recipe: Recipe) -> Self {
        let kept = vec![None; recipe.pairs.len()];
        Self { recipe, kept, bytes: 0, order: (u64::MAX, Vec::new()) }
    }

    fn batch(&mut self, number: u64) -> Result<Batch, SegmentationError> {
        let size = self.recipe.batch;
        let [h, w] = self.recipe.augment.crop;
        let mut images: Vec<f32> = Vec::with_capacity(size * h * w * 3);
        let mut labels = Vec::with_capacity(size * h * w);
        for i in 0..size as u64 {
            let index = number * size as u64 + i;
            let labelled = self.image(index)?;
            let Labelled { image, mask } = &*labelled;
            let sample = self.recipe.augment.sample(image.view(), mask.view(), self.recipe.seed, index)?;
            images.extend(sample.image.iter());
            labels.extend(sample.mask.iter());
        }
        let images = Tensor::from_vec(images, (size, h, w, 3), &self.recipe.device)?;
        Ok(Batch { images, labels: labels.into() })
    }

    /// The image of sample `index` of the run: all of them once, then all again in another order.
    fn image(&mut self, index: u64) -> Result<Arc<Labelled>, SegmentationError> {
        let n = self.recipe.pairs.len() as u64;
        let epoch = index / n;
        if self.order.0 != epoch {
            self.order = (epoch, order(n as usize, self.recipe.seed, epoch));
        }
        let at = self.order.1[(index % n) as usize];
        if let Some(labelled) = &self.kept[at] {
            return Ok(labelled.clone());
        }
        let labelled = Arc::new(self.recipe.set.load(&self.recipe.pairs[at])?);
        let bytes = labelled.image.len() + labelled.mask.len();
        if self.bytes + bytes <= KEEP {
            self.bytes += bytes;
            self.kept[at] = Some(labelled.clone());
        }
        Ok(labelled)
    }
}

/// The order of `n` images in an epoch (Fisher and Yates).
pub(crate) fn order(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let rng = Rng::new(seed);
    let mut all: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        all.swap(i, below(rng.bits(Stream::Order, epoch, i as u32)[0], i as u32 + 1) as usize);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_shows_every_picture_once_in_an_order_of_its_own() {
        let (first, second) = (order(50, 1, 0), order(50, 1, 1));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        assert!(first != second && first == order(50, 1, 0) && first != order(50, 2, 0));
        assert_eq!(order(1, 1, 0), [0]);
    }
}
