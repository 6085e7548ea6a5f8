//! Gradients of variables, in buffers of our own.
//!
//! candle adds every gradient to one of zeros that it has just filled: for weights, four more passes over the whole
//! model, and an allocation of its size, in every step. So while [`super::differentiate`] runs, ops write the gradients
//! of variables straight into [`Gradients`], which keeps its buffers from step to step. Under candle's own
//! `Tensor::backward` the same ops return their gradients as candle expects.
use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::{Result, Tensor, TensorId, Var};

use super::{Variables, add_or_copy, read};

struct Buffer {
    values: Vec<f32>,
    /// Holds a gradient (else whatever the last step left).
    filled: bool,
}

/// Gradients of variables by their identity, summed over backward passes until [`Gradients::clear`].
#[derive(Default)]
pub struct Gradients {
    buffers: HashMap<TensorId, Buffer>,
}

impl Gradients {
    /// The gradient of `var`, row-major, if anything reached it.
    #[must_use]
    pub fn get(&self, var: &Var) -> Option<&[f32]> {
        self.buffers.get(&var.id()).filter(|b| b.filled).map(|b| &*b.values)
    }

    /// The same, to be changed (clipped, or consumed by an optimiser).
    pub fn get_mut(&mut self, var: &Var) -> Option<&mut [f32]> {
        self.buffers.get_mut(&var.id()).filter(|b| b.filled).map(|b| &mut *b.values)
    }

    /// The gradients of these variables' trainable ones in the order of their keys, to be changed: an order that does not
    /// depend on what ran when, nor on the process (sums over several processes need one). None where nothing reached.
    pub fn ordered(&mut self, variables: &Variables) -> Vec<(String, Option<&mut [f32]>)> {
        let filled = self.buffers.iter_mut().filter(|(_, b)| b.filled);
        let mut by_id: HashMap<TensorId, &mut [f32]> =
            filled.map(|(id, b)| (*id, b.values.as_mut_slice())).collect();
        let trainable = variables.trainable().into_iter();
        trainable.map(|(key, var)| (key, by_id.remove(&var.id()))).collect()
    }

    /// The number of variables that have a buffer.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffers.len()
    }

    /// Whether no variable has a buffer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Forgets all gradients and keeps their memory.
    pub fn clear(&mut self) {
        self.buffers.values_mut().for_each(|b| b.filled = false);
    }

    fn take(&mut self, id: TensorId, len: usize) -> Buffer {
        self.buffers.remove(&id).unwrap_or_else(|| Buffer { values: vec![0.0; len], filled: false })
    }

    fn put(&mut self, id: TensorId, mut buffer: Buffer) {
        buffer.filled = true;
        self.buffers.insert(id, buffer);
    }
}

thread_local! {
    /// Where ops put gradients of variables while [`collect`] runs on this thread.
    static SINK: RefCell<Option<Gradients>> = const { RefCell::new(None) };
}

/// Runs a backward pass whose gradients of variables are added to `gradients`.
pub(super) fn collect<T>(gradients: &mut Gradients, pass: impl FnOnce() -> T) -> T {
    SINK.with_borrow_mut(|sink| *sink = Some(std::mem::take(gradients)));
    let result = pass();
    *gradients = SINK.with_borrow_mut(Option::take).unwrap_or_default();
    result
}

/// Whether [`collect`] runs on this thread.
pub(super) fn collects() -> bool {
    SINK.with_borrow(Option::is_some)
}

/// Adds to the gradient of the variable `id`, inside [`collect`]: `add(buffer, accumulate)` adds to the buffer if
/// `accumulate`, else it overwrites it.
pub(super) fn add_with(id: TensorId, len: usize, add: impl FnOnce(&mut [f32], bool)) {
    // The buffer is taken out meanwhile: `add` may wait for other threads and work for them.
    let Some(mut buffer) = SINK.with_borrow_mut(|sink| sink.as_mut().map(|sink| sink.take(id, len))) else {
        return;
    };
    add(&mut buffer.values, buffer.filled);
    SINK.with_borrow_mut(|sink| sink.as_mut().map(|sink| sink.put(id, buffer)));
}

/// Adds a gradient that an op returned for the variable `id`, inside [`collect`].
pub(super) fn add_to_variable(id: TensorId, gradient: &Tensor) -> Result<()> {
    let gradient = gradient.contiguous()?;
    let values = read(&gradient)?;
    add_with(id, values.len(), |buffer, accumulate| add_or_copy(buffer, &values, accumulate));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Init, differentiate};
    use super::*;

    #[test]
    fn gradients_can_be_gone_through_in_the_order_of_keys() {
        let variables = Variables::random(1);
        let scope = variables.tracked();
        let weight = |name: &str| scope.weight(name, &[1], Init::Constant(1.0)).expect("a weight");
        let (c, a) = (weight("c"), weight("a"));
        weight("b");
        scope.buffer("d", &[1], 0.0).expect("a buffer");
        let mut gradients = Gradients::default();
        differentiate(&mut gradients, || ((&c * 3.0)? + &a)?.sum_all()).expect("backward");
        for (_, gradient) in gradients.ordered(&variables) {
            gradient.into_iter().flatten().for_each(|g| *g *= 2.0);
        }
        let found: Vec<_> = gradients.ordered(&variables).into_iter().collect();
        let found: Vec<_> = found.iter().map(|(key, g)| (key.as_str(), g.as_deref())).collect();
        assert_eq!(found, [("a", Some(&[2.0][..])), ("b", None), ("c", Some(&[6.0][..]))]);
    }
}
