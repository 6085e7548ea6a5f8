//! HollowNeRF's stages: features scaled by the saliency, density gated by what is left of them.

use crate::engine::cpu::stage::{Prepare, Stage};
use crate::engine::cpu::workspace::Workspace;
use crate::field::GateSpec;
use crate::ops::{gate, saliency};

/// Scales the features of every sample by its saliency, from one slot to another (see [`saliency`]).
#[derive(Debug)]
pub(in crate::engine::cpu) struct Saliency {
    /// The slot of the features.
    pub input: usize,
    /// The slot of the scaled ones.
    pub output: usize,
}

impl Stage for Saliency {
    fn forward(&self, ws: &mut Workspace) {
        let Ok([f, v]) = ws.slots.get_disjoint_mut([self.input, self.output]) else {
            unreachable!("the stage's slots differ")
        };
        saliency::scale(ws.isa, ws.len, &ws.logit, &f.values, &mut v.values, f.stride);
    }

    fn backward(&self, ws: &mut Workspace, _: &mut [f32]) {
        let Ok([f, v]) = ws.slots.get_disjoint_mut([self.input, self.output]) else {
            unreachable!("the stage's slots differ")
        };
        let (logit, d_logit) = (&ws.logit, &mut ws.d_logit);
        saliency::scale_backward(ws.isa, ws.len, logit, &v.values, &v.grad, &mut f.grad, d_logit, f.stride);
    }
}

/// The gate on the density (see [`gate`]).
#[derive(Debug)]
pub(in crate::engine::cpu) struct Gate {
    spec: GateSpec,
    /// alpha now; `None` while the gate stands open.
    alpha: Option<f32>,
}

impl Gate {
    /// Without parameters: nothing but the schedule.
    pub fn new(spec: GateSpec) -> Self {
        Self { spec, alpha: None }
    }
}

impl Stage for Gate {
    fn prepare(&mut self, Prepare { progress, .. }: Prepare<'_>) {
        // What is to happen at the very end never does: the field as it was trained is the field that is seen.
        let reached = |share: f64| progress >= share && share < 1.0;
        let GateSpec { alphas, switch, start, .. } = self.spec;
        self.alpha = reached(start).then_some(alphas[usize::from(reached(switch))]);
    }

    fn forward(&self, ws: &mut Workspace) {
        let Some(alpha) = self.alpha else {
            ws.gate.fill(1.0);
            return;
        };
        let slot = &ws.slots[self.spec.input.0];
        gate::forward(ws.isa, alpha, ws.len, &slot.values, slot.stride, &mut ws.gate);
    }

    fn backward(&self, ws: &mut Workspace, _: &mut [f32]) {
        let Some(alpha) = self.alpha else { return };
        let slot = &mut ws.slots[self.spec.input.0];
        gate::backward(ws.isa, alpha, ws.len, &slot.values, slot.stride, &ws.d_gate, &mut slot.grad);
    }
}
