//! Batches that are made ahead by a thread of their own, and the order in which a run takes its images.
//!
//! Which images a step is given depends on the seed and the step alone.
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use nerve_core::rng::{Rng, Stream, below};

/// Batches that wait for their step.
const AHEAD: usize = 2;

/// The reader's end of a channel.
pub(crate) struct Ahead<B, E> {
    batches: Receiver<Result<B, E>>,
}

impl<B: Send + 'static, E: Send + 'static> Ahead<B, E> {
    /// Batches from number `first` on, each made by `make`.
    pub(crate) fn from(first: u64, mut make: impl FnMut(u64) -> Result<B, E> + Send + 'static) -> Self {
        let (sender, batches) = sync_channel(AHEAD);
        thread::spawn(move || {
            for number in first.. {
                let batch = make(number);
                let failed = batch.is_err();
                // Nobody waits any more, or nothing can follow.
                if sender.send(batch).is_err() || failed {
                    return;
                }
            }
        });
        Self { batches }
    }

    /// The next one, or `stopped` if the thread has ended.
    pub(crate) fn next(&self, stopped: E) -> Result<B, E> {
        self.batches.recv().unwrap_or(Err(stopped))
    }
}

/// The images of a split in the order of a run, those that there is room for kept as they were read.
pub(crate) struct Shuffled<T> {
    seed: u64,
    /// Decoded images are kept as long as all of them take at most so many bytes.
    most: usize,
    /// By their position in the split, and the bytes they take.
    kept: Vec<Option<Arc<T>>>,
    bytes: usize,
    /// An epoch and its order.
    order: (u64, Vec<usize>),
}

impl<T> Shuffled<T> {
    /// Of `n` images.
    pub(crate) fn new(n: usize, seed: u64, most: usize) -> Self {
        Self { seed, most, kept: vec![None; n], bytes: 0, order: (u64::MAX, Vec::new()) }
    }

    /// Sample `index` of the run: all images once, then all again in another order. `load` reads the image at a position
    /// of the split, and says how many bytes it takes.
    pub(crate) fn get<E>(
        &mut self,
        index: u64,
        load: impl FnOnce(usize) -> Result<(T, usize), E>,
    ) -> Result<Arc<T>, E> {
        let n = self.kept.len() as u64;
        let epoch = index / n;
        if self.order.0 != epoch {
            self.order = (epoch, order(n as usize, self.seed, epoch));
        }
        let at = self.order.1[(index % n) as usize];
        if let Some(image) = &self.kept[at] {
            return Ok(image.clone());
        }
        let (image, bytes) = load(at)?;
        let image = Arc::new(image);
        if self.bytes + bytes <= self.most {
            self.bytes += bytes;
            self.kept[at] = Some(image.clone());
        }
        Ok(image)
    }
}

/// The order of `n` images in an epoch (Fisher and Yates).
fn order(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let rng = Rng::new(seed);
    let mut all: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        all.swap(i, below(rng.bits(Stream::Order, epoch, i as u32)[0], i as u32 + 1) as usize);
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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

    #[test]
    fn images_are_read_again_where_there_is_no_room() {
        // Two of three have room.
        let mut images = Shuffled::new(3, 1, 20);
        let mut read = Vec::new();
        for index in 0..9 {
            let image = images.get::<()>(index, |at| {
                read.push(at);
                Ok((at, 10))
            });
            assert_eq!(*image.unwrap(), order(3, 1, index / 3)[index as usize % 3]);
        }
        let first = order(3, 1, 0);
        assert_eq!(read, [first[0], first[1], first[2], first[2], first[2]]);
    }

    #[test]
    fn a_failure_is_the_last_batch() {
        let ahead = Ahead::from(5, |number| if number < 7 { Ok(number) } else { Err("no more") });
        assert_eq!([(); 4].map(|()| ahead.next("stopped")), [Ok(5), Ok(6), Err("no more"), Err("stopped")]);
    }
}
