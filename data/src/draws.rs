//! Random values by seed and index, for the demo and for augmentation.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Uniform values that depend on seed and index alone: one stream of ChaCha8 per index.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of values of one index, from its start.
    pub fn new(seed: u64, index: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        Self(rng)
    }

    /// In `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// In `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// From `0` to `most`, both included.
    pub fn upto(&mut self, most: usize) -> usize {
        ((most + 1) as f64 * self.unit()) as usize
    }
}
