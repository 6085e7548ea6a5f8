//! Forward pass and gradients of a batch of rows, as products by [`crate::ops::gemm`].
use rayon::prelude::*;

use crate::ops::gemm::{MatRef, gemm, product, product_by_rows};

/// `y = x W^T + b`.
///
/// # Panics
/// If shapes do not fit.
#[must_use]
pub fn forward(x: &[f32], w: &[f32], b: Option<&[f32]>, inputs: usize) -> Vec<f32> {
    let (rows, outputs) = (x.len() / inputs, w.len() / inputs);
    let mut y = product_by_rows([rows, outputs, inputs], MatRef::rows(x, inputs), w);
    if let Some(b) = b {
        y.par_chunks_mut(outputs * ROWS).for_each(|y| {
            for y in y.chunks_exact_mut(outputs) {
                y.iter_mut().zip(b).for_each(|(y, b)| *y += b);
            }
        });
    }
    y
}

/// Rows that a thread takes at a time where work is by rows.
const ROWS: usize = 64;

/// `dx = dy W`.
#[must_use]
pub fn backward_input(dy: &[f32], w: &[f32], inputs: usize) -> Vec<f32> {
    let outputs = w.len() / inputs;
    let rows = dy.len() / outputs;
    product([rows, inputs, outputs], MatRef::rows(dy, outputs), MatRef::rows(w, inputs))
}

/// `dW = dy^T x`, added or overwritten.
pub fn backward_weight(dy: &[f32], x: &[f32], inputs: usize, dw: &mut [f32], accumulate: bool) {
    let outputs = dw.len() / inputs;
    let rows = x.len() / inputs;
    gemm(
        [outputs, inputs, rows],
        MatRef::rows(dy, outputs).t(),
        MatRef::rows(x, inputs),
        dw,
        inputs,
        accumulate,
    );
}

/// `db = sum of dy's rows`, added or overwritten: parts of a fixed number of rows, summed in order, so that the result
/// does not depend on the number of threads.
pub fn backward_bias(dy: &[f32], db: &mut [f32], accumulate: bool) {
    let outputs = db.len();
    let parts: Vec<Vec<f32>> = dy
        .par_chunks(outputs * 4 * ROWS)
        .map(|dy| {
            let mut sum = vec![0.0; outputs];
            for dy in dy.chunks_exact(outputs) {
                sum.iter_mut().zip(dy).for_each(|(s, dy)| *s += dy);
            }
            sum
        })
        .collect();
    if !accumulate {
        db.fill(0.0);
    }
    for part in parts {
        db.iter_mut().zip(part).for_each(|(db, part)| *db += part);
    }
}
