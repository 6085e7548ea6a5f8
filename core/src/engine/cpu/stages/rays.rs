//! Inputs of a layer that all samples of a ray share: their product is computed once per ray and added to the samples' rows,
//! which saves as much work as those columns are.

use super::Gradient;
use crate::engine::cpu::workspace::{SlotPlan, Workspace};
use crate::ops::small_gemm::{Epilogue, Finish, Left, Shape, Start, padded, small_gemm, small_gemm_from};

/// The inputs.
#[derive(Debug)]
pub(in crate::engine::cpu) struct RayInput {
    /// Their slot, with one row per ray.
    input: usize,
    /// Its columns.
    pub columns: usize,
    /// Per ray: the product, and its gradient.
    product: usize,
    gradient: Gradient,
}

impl RayInput {
    /// Of a layer of so many outputs.
    pub fn new(
        input: usize,
        columns: usize,
        outputs: usize,
        gradient: Gradient,
        plan: &mut SlotPlan,
    ) -> Self {
        Self { input, columns, product: plan.slot(outputs), gradient }
    }

    /// Fills the rows of the slot `output` with `start` and the product with `transposed` `[column][outputs padded]`.
    pub fn forward(
        &self,
        ws: &mut Workspace,
        output: usize,
        transposed: &[f32],
        outputs: usize,
        start: Start<'_>,
    ) {
        let n = padded(outputs);
        let Ok([x, r, y]) = ws.slots.get_disjoint_mut([self.input, self.product, output]) else {
            unreachable!("a layer's slots differ")
        };
        let left = Left { values: &x.values, row: x.stride, col: 1 };
        let shape = Shape { m: ws.spans.len(), n, k: self.columns };
        let finish = Finish::By(Epilogue::None);
        small_gemm_from(ws.isa, shape, left, transposed, n, &mut r.values, r.stride, start, finish);
        for (ray, span) in ws.spans.iter().enumerate() {
            let from = &r.values[ray * r.stride..(ray + 1) * r.stride];
            for row in
                y.values[span.start as usize * y.stride..].chunks_exact_mut(y.stride).take(span.len as usize)
            {
                row.copy_from_slice(from);
            }
        }
    }

    /// Adds the gradient of the columns to `grads` `[outputs padded to 4][stride]`, from that of the slot `output`: sums over a
    /// ray's samples, then one product. Gives the rays' inputs their gradient, by `weight` `[output][stride]`.
    pub fn backward(
        &self,
        ws: &mut Workspace,
        output: usize,
        outputs: usize,
        weight: &[f32],
        grads: &mut [f32],
        stride: usize,
    ) {
        let Ok([x, r, y]) = ws.slots.get_disjoint_mut([self.input, self.product, output]) else {
            unreachable!("a layer's slots differ")
        };
        for (ray, span) in ws.spans.iter().enumerate() {
            let sum = &mut r.grad[ray * r.stride..(ray + 1) * r.stride];
            sum.fill(0.0);
            for row in y.grad[span.start as usize * y.stride..].chunks_exact(y.stride).take(span.len as usize)
            {
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
        }
        let left = Left { values: &r.grad, row: 1, col: r.stride };
        // Columns beyond the ray's inputs are zero in x: nothing is added to those of the samples.
        let (m, n) = (outputs.next_multiple_of(4), padded(self.columns));
        let shape = Shape { m, n, k: ws.spans.len() };
        small_gemm(ws.isa, shape, left, &x.values, x.stride, grads, stride, true, Epilogue::None);
        if self.gradient != Gradient::None {
            let adds = self.gradient == Gradient::Add;
            // Whole panels: columns beyond the rays' inputs get what nobody reads.
            let left = Left { values: &r.grad, row: r.stride, col: 1 };
            let shape = Shape { m: ws.spans.len(), n: x.stride, k: outputs };
            small_gemm(ws.isa, shape, left, weight, stride, &mut x.grad, x.stride, adds, Epilogue::None);
        }
    }
}
