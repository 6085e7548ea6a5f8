//! Training or evaluation.

/// The key of a training step's randomness, together with the layer that draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Randomness {
    /// The run's seed.
    pub seed: u64,
    /// The step.
    pub step: u64,
}

/// How a forward pass treats what differs between training and inference: dropout, drop path, batch statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is dropped, normalization uses running statistics.
    Eval,
    /// Layers drop values, normalization uses the batch's statistics and updates the running ones.
    Train(Randomness),
}

impl Mode {
    /// Whether the model is in training.
    #[must_use]
    pub fn training(self) -> bool {
        matches!(self, Self::Train(_))
    }
}
