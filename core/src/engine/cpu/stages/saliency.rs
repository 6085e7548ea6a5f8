//! HollowNeRF's stages: features scaled by the saliency, density gated by what is left of them.

use crate::engine::cpu::{Prepare, Stage, Workspace};
use crate::ops::{gate, saliency};

/// Scales the features of every sample by its saliency, from one slot to another (see [`saliency`]).
#[derive(Debug)]
pub struct Saliency {
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

/// The gate on the density (see [`gate`]). It stands open at first; later, alpha takes a step up.
///
/// Tables start so small that the gate is on its slope, where its gradient is some thousand times that of the
/// networks: the second moments of Adam would remember that for the first thousand steps that touch an entry, and the
/// entry would hardly learn. Once features have grown, the slope is reached only where the saliency closes.
#[derive(Debug)]
pub struct ZeroSkip {
    /// The slot of the features that the density network sees.
    pub input: usize,
    /// alpha up to `switch` and from then on.
    pub alphas: [f32; 2],
    /// The share of the training at which alpha changes.
    pub switch: f64,
    /// The share of the training up to which the gate stands open.
    pub start: f64,
    /// alpha now; `None` while the gate stands open.
    alpha: Option<f32>,
}

impl ZeroSkip {
    /// Without parameters: nothing but the schedule.
    pub fn new(input: usize, alphas: [f32; 2], switch: f64, start: f64) -> Self {
        Self { input, alphas, switch, start, alpha: None }
    }
}

impl Stage for ZeroSkip {
    fn prepare(&mut self, Prepare { progress, .. }: Prepare<'_>) {
        // What is to happen at the very end never does: the field as it was trained is the field that is seen.
        let reached = |share: f64| progress >= share && share < 1.0;
        self.alpha = reached(self.start).then_some(self.alphas[usize::from(reached(self.switch))]);
    }

    fn forward(&self, ws: &mut Workspace) {
        let Some(alpha) = self.alpha else {
            ws.gate.fill(1.0);
            return;
        };
        let slot = &ws.slots[self.input];
        gate::forward(ws.isa, alpha, ws.len, &slot.values, slot.stride, &mut ws.gate);
    }

    fn backward(&self, ws: &mut Workspace, _: &mut [f32]) {
        let Some(alpha) = self.alpha else { return };
        let slot = &mut ws.slots[self.input];
        gate::backward(ws.isa, alpha, ws.len, &slot.values, slot.stride, &ws.d_gate, &mut slot.grad);
    }
}
