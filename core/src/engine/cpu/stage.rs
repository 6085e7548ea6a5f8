//! What a field is made of.

use super::workspace::Workspace;
use crate::ops::small_gemm::Precision;
use crate::params::Params;

/// What stages are told before each pass.
#[derive(Clone, Copy)]
pub(super) struct Prepare<'a> {
    /// The current parameters.
    pub params: &'a Params,
    /// The arithmetic of products.
    pub precision: Precision,
    /// The share of the training that is done, 0 to 1.
    pub progress: f64,
}

/// One step of a field's computation over the samples of a tile.
///
/// A stage reads and writes the [`Workspace`]'s slots that it was built with. On the way back it reads the gradient
/// of what it wrote and writes the gradient of what it read; its own parameters' gradients go to `grads`, a buffer
/// of [`Stage::grads`] values that belongs to a group of tiles, so that sums do not depend on the worker.
pub(super) trait Stage: Send + Sync {
    /// Takes over the current parameters, before each step.
    fn prepare(&mut self, _: Prepare<'_>) {}

    /// Values in its gradient buffer.
    fn grads(&self) -> usize {
        0
    }

    /// Computes its outputs.
    fn forward(&self, ws: &mut Workspace);

    /// Computes the gradients of its inputs and adds to those of its parameters.
    fn backward(&self, ws: &mut Workspace, grads: &mut [f32]);

    /// Adds the summed gradient buffer to the parameters' gradients.
    fn collect(&self, _grads: &[f32], _params: &mut Params) {}

    /// True for the stage after which densities are known and samples that nothing can see are gone.
    fn decides_density(&self) -> bool {
        false
    }
}
