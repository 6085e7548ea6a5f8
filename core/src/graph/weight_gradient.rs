//! How an op hands over the gradient of a weight.

use candle_core::{Result, Tensor};

use super::gradients::{add_with, collects};
use super::tape::knows;

/// The gradient of a weight, from an op's backward pass. `add(buffer, accumulate)` computes it: it adds to the buffer
/// if `accumulate`, else it overwrites it.
///
/// None if nothing depends on it, or if it is a variable and went where [`super::differentiate`] collects; else the
/// gradient, to be handed on.
///
/// # Errors
/// If the gradient cannot become a tensor.
pub fn weight_gradient(weight: &Tensor, add: impl FnOnce(&mut [f32], bool)) -> Result<Option<Tensor>> {
    if !weight.track_op() {
        return Ok(None);
    }
    let (id, len) = (weight.id(), weight.elem_count());
    if weight.is_variable() && !knows(id) && collects() {
        add_with(id, len, add);
        return Ok(None);
    }
    let mut values = vec![0.0; len];
    add(&mut values, false);
    Tensor::from_vec(values, weight.shape(), weight.device()).map(Some)
}
