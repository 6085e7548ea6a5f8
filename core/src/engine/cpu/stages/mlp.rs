//! A small fully connected network with ReLU between its layers and no biases (Instant-NGP, section 4).
//!
//! Weights are `[out][in]` blocks `NAME.LAYER.weight`. Inputs that are the same for all samples of a ray (its
//! direction) come first in the first layer's columns (see [`RayInput`]).

use super::RayInput;
use crate::engine::cpu::stage::{Prepare, Stage};
use crate::engine::cpu::workspace::{SlotPlan, Workspace};
use crate::field::MlpSpec;
use crate::ops::small_gemm::{Epilogue, Left, Precision, Shape, Start, amx, padded, small_gemm};
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
    rays: Option<RayInput>,
    ray_inputs: usize,
    input_gradient: Gradient,
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
        let rays =
            spec.ray_input.map(|slot| RayInput::new(slot.0, ray_inputs, spec.width, ray_gradient, plan));
        Self { rays, ray_inputs, input_gradient, layers, grads }
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
            let rays = match &self.rays {
                Some(rays) if l == 0 => {
                    rays.forward(ws, layer.output, &layer.transposed, layer.outputs, Start::Zero);
                    rays.columns
                }
                _ => 0,
            };
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
            if let (0, Some(rays)) = (l, &self.rays) {
                let grads = &mut grads[layer.grad..];
                rays.backward(ws, layer.output, layer.outputs, &layer.weight, grads, layer.stride);
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
