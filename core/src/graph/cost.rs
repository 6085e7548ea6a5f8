//! The cost of a forward pass, counted as it runs.
use std::cell::Cell;

/// Work and memory of a forward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-accumulates of products, convolutions and attention, as such figures are usually given.
    pub macs: u64,
    /// Values in the outputs of layers.
    pub activations: u64,
}

thread_local! {
    static COST: Cell<Option<Cost>> = const { Cell::new(None) };
}

/// Adds to the count, if there is one on this thread. Ops call it in their forward pass.
pub fn add_cost(macs: usize, activations: usize) {
    COST.with(|cost| {
        if let Some(Cost { macs: m, activations: a }) = cost.get() {
            cost.set(Some(Cost { macs: m + macs as u64, activations: a + activations as u64 }));
        }
    });
}

/// Runs `forward` and returns its result and its cost.
pub fn count_macs<T>(forward: impl FnOnce() -> T) -> (T, Cost) {
    let outer = COST.replace(Some(Cost::default()));
    let result = forward();
    (result, COST.replace(outer).unwrap_or_default())
}
