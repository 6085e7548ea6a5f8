//! The features of an EUGen layer (see [`crate::ops::eugen`]).

use super::Gradient;
use crate::engine::cpu::stage::{Prepare, Stage};
use crate::engine::cpu::workspace::{SlotPlan, Workspace};
use crate::field::FeaturesSpec;
use crate::ops::eugen::FeatureConfig;
use crate::ops::eugen::cpu::{ROWS, Rows, backward_norm, backward_projections, forward};
use crate::ops::small_gemm::{Epilogue, Left, Shape, padded, small_gemm};
use crate::params::{BlockId, Params, Values, zeros};

/// The stage.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Features {
    config: FeatureConfig,
    block: BlockId,
    input: usize,
    output: usize,
    inputs: usize,
    gradient: Gradient,
    /// As stored, `[projection][column][feature]`.
    g: Values,
    /// `[projection][feature][inputs padded]`: what the input's gradient is a product with.
    transposed: Values,
    /// Room for [`ROWS`] samples: their projections, and the projections' gradients.
    room: usize,
    ones: Values,
}

impl Features {
    /// Of a slot of so many `inputs`.
    pub fn new(
        spec: &FeaturesSpec,
        inputs: usize,
        block: BlockId,
        gradient: Gradient,
        plan: &mut SlotPlan,
    ) -> Self {
        let (config, [projections, columns, m]) = (spec.config.clone(), spec.config.shape(inputs));
        // A slot's rows are more than [`ROWS`].
        let room = plan.slot(projections * m);
        let mut ones = zeros(ROWS);
        ones.fill(1.0);
        Self {
            config,
            block,
            input: spec.input.0,
            output: spec.output.0,
            inputs,
            gradient,
            g: zeros(projections * columns * m),
            transposed: zeros(projections * m * padded(inputs)),
            room,
            ones,
        }
    }
}

impl Stage for Features {
    fn prepare(&mut self, Prepare { params, .. }: Prepare<'_>) {
        self.g.copy_from_slice(params.weight(self.block));
        let [_, columns, m] = self.config.shape(self.inputs);
        let ldt = padded(self.inputs);
        for (g, to) in self.g.chunks_exact(columns * m).zip(self.transposed.chunks_exact_mut(m * ldt)) {
            for (i, row) in g.chunks_exact(m).take(self.inputs).enumerate() {
                row.iter().enumerate().for_each(|(f, g)| to[f * ldt + i] = *g);
            }
        }
    }

    fn grads(&self) -> usize {
        self.g.len()
    }

    fn forward(&self, ws: &mut Workspace) {
        let Ok([x, f]) = ws.slots.get_disjoint_mut([self.input, self.output]) else {
            unreachable!("features are of another slot")
        };
        let count = ws.len.next_multiple_of(8);
        let rows = Rows { values: &x.values, stride: x.stride, inputs: self.inputs, count };
        forward(ws.isa, &self.config, &self.g, rows, &mut f.values, f.stride);
    }

    fn backward(&self, ws: &mut Workspace, grads: &mut [f32]) {
        let (isa, config, inputs) = (ws.isa, &self.config, self.inputs);
        let [_, columns, m] = config.shape(inputs);
        let Ok([x, f, room]) = ws.slots.get_disjoint_mut([self.input, self.output, self.room]) else {
            unreachable!("features are of another slot")
        };
        let mut norms = [0.0; ROWS];
        for first in (0..ws.len).step_by(ROWS) {
            let count = ROWS.min(ws.len - first);
            let from = &x.values[first * x.stride..];
            let rows = Rows { values: from, stride: x.stride, inputs, count };
            let at = first * f.stride..;
            let (z, dz) = (&mut room.values, &mut room.grad);
            let (fs, df) = (&f.values[at.clone()], &f.grad[at]);
            backward_projections(isa, config, &self.g, rows, fs, df, f.stride, z, &mut norms, dz);
            let mut adds = self.gradient == Gradient::Add;
            for (p, dg) in grads.chunks_exact_mut(columns * m).enumerate() {
                let dz = &room.grad[p * count * m..(p + 1) * count * m];
                let left = |values, row, col| Left { values, row, col };
                // dG [column][feature] = X+^T dZ.
                let shape = |rows| Shape { m: rows, n: m, k: count };
                small_gemm(isa, shape(inputs), left(from, 1, x.stride), dz, m, dg, m, true, Epilogue::None);
                let tail = &mut dg[inputs * m..];
                small_gemm(isa, shape(1), left(&self.ones, 0, 1), dz, m, tail, m, true, Epilogue::None);
                if !config.no_norm {
                    let tail = &mut tail[m..];
                    small_gemm(isa, shape(1), left(&norms, 0, 1), dz, m, tail, m, true, Epilogue::None);
                }
                if self.gradient != Gradient::None {
                    // dX = dZ G.
                    let ldt = padded(inputs);
                    let g = &self.transposed[p * m * ldt..];
                    let shape = Shape { m: count, n: ldt, k: m };
                    let (dx, ldx) = (&mut x.grad[first * x.stride..], x.stride);
                    small_gemm(isa, shape, left(dz, m, 1), g, ldt, dx, ldx, adds, Epilogue::None);
                    adds = true;
                }
            }
            if self.gradient != Gradient::None {
                for (row, norm) in norms.iter().enumerate().take(count) {
                    let at = (first + row) * x.stride;
                    let (values, dx) = (&x.values[at..at + inputs], &mut x.grad[at..at + inputs]);
                    backward_norm(isa, config, &self.g, values, *norm, &room.grad[row * m..], count * m, dx);
                }
            }
        }
    }

    fn collect(&self, grads: &[f32], params: &mut Params) {
        params.grad(self.block).iter_mut().zip(grads).for_each(|(to, from)| *to += from);
    }
}
