//! One fully connected layer: an affine map of slots side by side, and an activation. In f32, or its samples' products in 8
//! bits.

use super::{Gradient, RayInput};
use crate::engine::cpu::stage::{Prepare, Stage};
use crate::engine::cpu::tile::CAPACITY;
use crate::engine::cpu::workspace::Workspace;
use crate::field::LayerSpec;
use crate::ops::eugen::Nonlinearity;
use crate::ops::int8::{self, Int8Weights};
use crate::ops::small_gemm::{Epilogue, Finish, Left, Shape, Start, padded, small_gemm, small_gemm_from};
use crate::params::{BlockId, Params, Values, zeros};
use std::cell::RefCell;

/// What of the weights belongs to one input slot (or to the rays).
#[derive(Debug)]
struct Part {
    slot: usize,
    gradient: Gradient,
    /// Its columns, and the first one among the layer's inputs.
    columns: usize,
    first: usize,
    /// `[out][columns padded]`: what the input's gradient is a product with.
    weight: Values,
    /// `[in][out padded]`: what the input is multiplied with.
    transposed: Values,
    int8: Int8Weights,
    /// Where its gradient starts in the stage's buffer: `[out padded to 4][columns padded]`.
    grad: usize,
}

/// The stage.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Layer {
    blocks: Vec<BlockId>,
    rays: Option<(RayInput, Part)>,
    parts: Vec<Part>,
    output: usize,
    inputs: usize,
    outputs: usize,
    relu: bool,
    int8: Option<int8::Kind>,
    /// Padded; zeros without a bias.
    bias: Values,
    ones: Values,
    grads: usize,
}

thread_local! {
    /// Rows in 8 bits.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Layer {
    /// The layer over its blocks. `rays`: the inputs that samples of a ray share; `gradients`: what becomes of each input's
    /// gradient; `slots`: columns.
    pub fn new(
        spec: &LayerSpec,
        slots: &[usize],
        blocks: &[BlockId],
        rays: Option<RayInput>,
        gradients: &[Gradient],
    ) -> Self {
        let (inputs, outputs) = spec.extents(slots);
        let (mut first, mut grads) = (0, 0);
        let mut part = |slot: usize, gradient| {
            let columns = slots[slot];
            let part = Part {
                slot,
                gradient,
                columns,
                first,
                weight: zeros(outputs * padded(columns)),
                transposed: zeros(columns * padded(outputs)),
                int8: Int8Weights::default(),
                grad: grads,
            };
            first += columns;
            grads += outputs.next_multiple_of(4) * padded(columns);
            part
        };
        let rays = rays.zip(spec.ray_input).map(|(rays, slot)| (rays, part(slot.0, Gradient::None)));
        let parts =
            spec.inputs.iter().zip(gradients).map(|(slot, gradient)| part(slot.0, *gradient)).collect();
        Self {
            blocks: blocks.to_vec(),
            rays,
            parts,
            output: spec.output.0,
            inputs,
            outputs,
            relu: spec.activation == Nonlinearity::Relu,
            int8: spec.int8.then(int8::Kind::best),
            bias: zeros(padded(outputs)),
            ones: if spec.bias { vec_of_ones() } else { zeros(0) },
            grads: grads + padded(outputs),
        }
    }
}

fn vec_of_ones() -> Values {
    let mut ones = zeros(CAPACITY);
    ones.fill(1.0);
    ones
}

impl Stage for Layer {
    fn prepare(&mut self, Prepare { params, .. }: Prepare<'_>) {
        let Self { blocks, rays, parts, inputs, outputs, int8, bias, .. } = self;
        let weight = params.weight(blocks[0]);
        let ldt = padded(*outputs);
        for part in rays.iter_mut().map(|(_, part)| part).chain(parts) {
            let ldw = padded(part.columns);
            for (o, row) in weight.chunks_exact(*inputs).enumerate() {
                let row = &row[part.first..part.first + part.columns];
                part.weight[o * ldw..o * ldw + part.columns].copy_from_slice(row);
                for (i, w) in row.iter().enumerate() {
                    part.transposed[i * ldt + o] = *w;
                }
            }
            if int8.is_some() {
                part.int8.quantize(&part.weight, ldw, part.columns, *outputs);
            }
        }
        if let Some(block) = blocks.get(1) {
            bias[..*outputs].copy_from_slice(params.weight(*block));
        }
    }

    fn grads(&self) -> usize {
        self.grads
    }

    fn forward(&self, ws: &mut Workspace) {
        let (m, n) = (ws.len.next_multiple_of(8), padded(self.outputs));
        let mut start = if self.blocks.len() > 1 { Start::Row(&self.bias) } else { Start::Zero };
        if let Some((rays, part)) = &self.rays {
            rays.forward(ws, self.output, &part.transposed, self.outputs, start);
            start = Start::Stored;
        }
        for (p, part) in self.parts.iter().enumerate() {
            let relu = self.relu && p + 1 == self.parts.len();
            let Ok([x, y]) = ws.slots.get_disjoint_mut([part.slot, self.output]) else {
                unreachable!("a layer's slots differ")
            };
            let (ldx, ldy) = (x.stride, y.stride);
            if let Some(kind) = self.int8 {
                ROOM.with_borrow_mut(|room| {
                    int8::product(kind, m, &x.values, ldx, &part.int8, &mut y.values, ldy, start, relu, room);
                });
            } else {
                let left = Left { values: &x.values, row: ldx, col: 1 };
                let shape = Shape { m, n, k: part.columns };
                let finish = Finish::By(if relu { Epilogue::Relu } else { Epilogue::None });
                small_gemm_from(ws.isa, shape, left, &part.transposed, n, &mut y.values, ldy, start, finish);
            }
            start = Start::Stored;
        }
    }

    fn backward(&self, ws: &mut Workspace, grads: &mut [f32]) {
        let (m, n) = (ws.len.next_multiple_of(8), padded(self.outputs));
        if self.relu {
            let y = &mut ws.slots[self.output];
            let end = m * y.stride;
            for (d, y) in y.grad[..end].iter_mut().zip(&y.values[..end]) {
                *d = if *y > 0.0 { *d } else { 0.0 };
            }
        }
        for part in &self.parts {
            let Ok([x, y]) = ws.slots.get_disjoint_mut([part.slot, self.output]) else {
                unreachable!("a layer's slots differ")
            };
            let ldw = padded(part.columns);
            // dW [out][in] = dY^T X. Rows beyond the outputs multiply zero columns of dY.
            let outputs = self.outputs.next_multiple_of(4);
            let left = Left { values: &y.grad, row: 1, col: y.stride };
            let dw = &mut grads[part.grad..part.grad + outputs * ldw];
            let shape = Shape { m: outputs, n: ldw, k: ws.len };
            small_gemm(ws.isa, shape, left, &x.values, x.stride, dw, ldw, true, Epilogue::None);
            if part.gradient != Gradient::None {
                let left = Left { values: &y.grad, row: y.stride, col: 1 };
                let shape = Shape { m, n: ldw, k: self.outputs };
                let adds = part.gradient == Gradient::Add;
                small_gemm(
                    ws.isa,
                    shape,
                    left,
                    &part.weight,
                    ldw,
                    &mut x.grad,
                    x.stride,
                    adds,
                    Epilogue::None,
                );
            }
        }
        if !self.ones.is_empty() {
            let y = &ws.slots[self.output];
            let left = Left { values: &self.ones, row: 0, col: 1 };
            let to = &mut grads[self.grads - n..];
            let shape = Shape { m: 1, n, k: ws.len };
            small_gemm(ws.isa, shape, left, &y.grad, y.stride, to, n, true, Epilogue::None);
        }
        if let Some((rays, part)) = &self.rays {
            let ldw = padded(part.columns);
            rays.backward(ws, self.output, self.outputs, &part.weight, &mut grads[part.grad..], ldw);
        }
    }

    fn collect(&self, grads: &[f32], params: &mut Params) {
        let to = params.grad(self.blocks[0]);
        for part in self.rays.iter().map(|(_, part)| part).chain(&self.parts) {
            let rows = grads[part.grad..].chunks_exact(padded(part.columns));
            for (to, from) in to.chunks_exact_mut(self.inputs).zip(rows) {
                let to = &mut to[part.first..part.first + part.columns];
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            }
        }
        if let Some(block) = self.blocks.get(1) {
            let from = &grads[self.grads - padded(self.outputs)..];
            params.grad(*block).iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }
}
