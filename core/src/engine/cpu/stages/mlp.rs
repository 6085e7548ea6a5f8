//! A small fully connected network with ReLU between its layers and no biases (Instant-NGP, section 4).
//!
//! Weights are `[out][in]` blocks `NAME.LAYER.weight`. Inputs that are the same for all samples of a ray (its
//! direction) come first in the first layer's columns; their product is computed once per ray and added to the
//! samples' rows, which saves as much work as those columns are.

use crate::engine::cpu::stage::{Prepare, Stage};
use crate::engine::cpu::workspace::{SlotPlan, Workspace};
use crate::field::MlpSpec;
use crate::ops::small_gemm::{Epilogue, Left, Precision, Shape, amx, padded, small_gemm};
use crate::params::{BlockId, Params, Values, zeros};

/// What happens to the gradient of what a network reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::cpu) enum Gradient {
    /// Nobody wants it.
    None,
    /// It is written.
    Set,
    /// It is added to what other readers have written.
    Add,
}

/// One layer: from one slot to the next.
#[derive(Debug)]
struct Layer {
    block: BlockId,
    input: usize,
    output: usize,
    inputs: usize,
    outputs: usize,
    /// Distance between rows of `weight` and of the gradient: whole panels also from the first input per sample on.
    stride: usize,
    /// `[out][stride]`, as stored: what the gradient of the input is multiplied with.
    weight: Values,
    /// `[in][out padded]`: what the input is multiplied with.
    transposed: Values,
    /// The same two as bf16 tiles, without the rays' inputs, where products are of that precision.
    forward: amx::Packed,
    backward: amx::Packed,
    /// Where its gradient starts in the stage's buffer: `[out padded to 4][stride]`.
    grad: usize,
}

/// The stage.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Mlp {
    ray_input: Option<usize>,
    ray_inputs: usize,
    /// Per ray: the first layer's product with the ray's inputs, and its gradient.
    ray_slot: usize,
    input_gradient: Gradient,
    ray_gradient: Gradient,
    layers: Vec<Layer>,
    grads: usize,
}

impl Mlp {
    /// The network over these blocks, layer by layer, between slots with so many columns; its hidden slots are added to
    /// `plan`. `gradients`: of the rays' inputs, and of the samples'.
    pub fn new(
        spec: &MlpSpec,
        slots: &[usize],
        blocks: &[BlockId],
        [ray_gradient, input_gradient]: [Gradient; 2],
        plan: &mut SlotPlan,
    ) -> Self {
        let ray_inputs = spec.ray_input.map_or(0, |slot| slots[slot.0]);
        let sizes = spec.layers(slots);
        let last = sizes.len() - 1;
        let mut layers = Vec::new();
        let (mut from, mut grads) = (spec.input.0, 0);
        for (l, ((inputs, outputs), block)) in sizes.into_iter().zip(blocks).enumerate() {
            let to = if l == last { spec.output.0 } else { plan.slot(outputs) };
            let rays = if l == 0 { ray_inputs } else { 0 };
            let stride = padded(rays + padded(inputs - rays));
            layers.push(Layer {
                block: *block,
                input: from,
                output: to,
                inputs,
                outputs,
                stride,
                weight: zeros(outputs * stride),
                transposed: zeros(inputs * padded(outputs)),
                forward: amx::Packed::default(),
                backward: amx::Packed::default(),
                grad: grads,
            });
            grads += outputs.next_multiple_of(4) * stride;
            from = to;
        }
        let ray_input = spec.ray_input.map(|slot| slot.0);
        let ray_slot = if ray_input.is_some() { plan.slot(spec.width) } else { usize::MAX };
        Self { ray_input, ray_inputs, ray_slot, input_gradient, ray_gradient, layers, grads }
    }

    /// The slots between its layers.
    pub fn hidden_slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.layers.iter().skip(1).map(|layer| layer.input)
    }
}

impl Stage for Mlp {
    fn prepare(&mut self, Prepare { params, precision, .. }: Prepare<'_>) {
        for (l, layer) in self.layers.iter_mut().enumerate() {
            let (ldw, ldt) = (layer.stride, padded(layer.outputs));
            let weight = params.weight(layer.block);
            for (o, row) in weight.chunks_exact(layer.inputs).enumerate() {
                layer.weight[o * ldw..o * ldw + layer.inputs].copy_from_slice(row);
                for (i, w) in row.iter().enumerate() {
                    layer.transposed[i * ldt + o] = *w;
                }
            }
            if precision == Precision::Bf16 {
                let rays = if l == 0 { self.ray_inputs } else { 0 };
                let inputs = layer.inputs - rays;
                layer.forward.pack(&layer.transposed[rays * ldt..], ldt, inputs, ldt);
                layer.backward.pack(&layer.weight[rays..], ldw, layer.outputs, padded(inputs));
            }
        }
    }

    fn grads(&self) -> usize {
        self.grads
    }

    fn forward(&self, ws: &mut Workspace) {
        let m = ws.len.next_multiple_of(8);
        let last = self.layers.len() - 1;
        for (l, layer) in self.layers.iter().enumerate() {
            let n = padded(layer.outputs);
            let epilogue = if l == last { Epilogue::None } else { Epilogue::Relu };
            let rays = if l == 0 { self.forward_rays(ws, layer) } else { 0 };
            let Ok([x, y]) = ws.slots.get_disjoint_mut([layer.input, layer.output]) else {
                unreachable!("a layer's slots differ")
            };
            let left = Left { values: &x.values, row: x.stride, col: 1 };
            let shape = Shape { m, n, k: layer.inputs - rays };
            if ws.precision == Precision::Bf16 {
                let (x, ldx, ldy) = (&x.values, x.stride, y.stride);
                amx::product(m, shape.k, x, ldx, &layer.forward, &mut y.values, ldy, rays > 0, epilogue);
                continue;
            }
            small_gemm(
                ws.isa,
                shape,
                left,
                &layer.transposed[rays * n..],
                n,
                &mut y.values,
                y.stride,
                rays > 0,
                epilogue,
            );
        }
    }

    fn backward(&self, ws: &mut Workspace, grads: &mut [f32]) {
        let m = ws.len.next_multiple_of(8);
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let rays = if l == 0 { self.ray_inputs } else { 0 };
            let Ok([x, y]) = ws.slots.get_disjoint_mut([layer.input, layer.output]) else {
                unreachable!("a layer's slots differ")
            };
            // dW [out][in] = dY^T X. Rows beyond the outputs multiply zero columns of dY.
            let ldg = layer.stride;
            let inputs = padded(layer.inputs - rays);
            let left = Left { values: &y.grad, row: 1, col: y.stride };
            let outputs = layer.outputs.next_multiple_of(4);
            let shape = Shape { m: outputs, n: inputs, k: ws.len };
            let dw = &mut grads[layer.grad + rays..layer.grad + outputs * ldg];
            let bf16 = ws.precision == Precision::Bf16;
            if bf16 {
                amx::outer(layer.outputs, inputs, ws.len, &y.grad, y.stride, &x.values, x.stride, dw, ldg);
            } else {
                small_gemm(ws.isa, shape, left, &x.values, x.stride, dw, ldg, true, Epilogue::None);
            }
            let adds = l == 0 && self.input_gradient == Gradient::Add;
            if l > 0 || self.input_gradient != Gradient::None {
                // dX = dY W, through the ReLU that made x.
                let left = Left { values: &y.grad, row: y.stride, col: 1 };
                let shape = Shape { m, n: inputs, k: layer.outputs };
                let epilogue = if l > 0 { Epilogue::MaskBy(&x.values, x.stride) } else { Epilogue::None };
                let weight = &layer.weight[rays..];
                if bf16 {
                    let (ldy, ldx) = (y.stride, x.stride);
                    amx::product(m, shape.k, &y.grad, ldy, &layer.backward, &mut x.grad, ldx, adds, epilogue);
                } else {
                    small_gemm(ws.isa, shape, left, weight, ldg, &mut x.grad, x.stride, adds, epilogue);
                }
            }
            if rays > 0 {
                self.backward_rays(ws, layer, &mut grads[layer.grad..]);
            }
        }
    }

    fn collect(&self, grads: &[f32], params: &mut Params) {
        for layer in &self.layers {
            let ldg = layer.stride;
            let rows = grads[layer.grad..].chunks_exact(ldg);
            let to = params.grad(layer.block).chunks_exact_mut(layer.inputs);
            for (to, from) in to.zip(rows) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            }
        }
    }
}

impl Mlp {
    /// Fills the first hidden slot with the product of the rays' inputs; returns how many inputs that were.
    fn forward_rays(&self, ws: &mut Workspace, layer: &Layer) -> usize {
        let Some(input) = self.ray_input else { return 0 };
        let n = padded(layer.outputs);
        let Ok([x, r, y]) = ws.slots.get_disjoint_mut([input, self.ray_slot, layer.output]) else {
            unreachable!("a layer's slots differ")
        };
        let left = Left { values: &x.values, row: x.stride, col: 1 };
        let shape = Shape { m: ws.spans.len(), n, k: self.ray_inputs };
        small_gemm(ws.isa, shape, left, &layer.transposed, n, &mut r.values, r.stride, false, Epilogue::None);
        for (ray, span) in ws.spans.iter().enumerate() {
            let from = &r.values[ray * r.stride..(ray + 1) * r.stride];
            for row in
                y.values[span.start as usize * y.stride..].chunks_exact_mut(y.stride).take(span.len as usize)
            {
                row.copy_from_slice(from);
            }
        }
        self.ray_inputs
    }

    /// The gradient of the first layer's ray columns: sums over a ray's samples, then one product.
    fn backward_rays(&self, ws: &mut Workspace, layer: &Layer, grads: &mut [f32]) {
        let Some(input) = self.ray_input else { return };
        let Ok([x, r, y]) = ws.slots.get_disjoint_mut([input, self.ray_slot, layer.output]) else {
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
        let (m, n) = (layer.outputs.next_multiple_of(4), padded(self.ray_inputs));
        let shape = Shape { m, n, k: ws.spans.len() };
        small_gemm(ws.isa, shape, left, &x.values, x.stride, grads, layer.stride, true, Epilogue::None);
        if self.ray_gradient != Gradient::None {
            let adds = self.ray_gradient == Gradient::Add;
            // Whole panels: columns beyond the rays' inputs get what nobody reads.
            let left = Left { values: &r.grad, row: r.stride, col: 1 };
            let shape = Shape { m: ws.spans.len(), n: x.stride, k: layer.outputs };
            let (ldw, ldx) = (layer.stride, x.stride);
            small_gemm(ws.isa, shape, left, &layer.weight, ldw, &mut x.grad, ldx, adds, Epilogue::None);
        }
    }
}
