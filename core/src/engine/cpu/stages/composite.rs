//! From the samples' values and opacities to the rays' outputs.

use crate::engine::cpu::stage::Stage;
use crate::engine::cpu::workspace::{Slot, Workspace};
use crate::field::{Activation, Spread};
use crate::ops::activation;
use crate::ops::composite::{
    EXTRA, RaySamples, RaySamplesGrad, backward, backward_values, backward_weights, forward, forward_values,
};
use crate::ops::distortion;
use crate::params::Values;
use std::ops::Range;

/// Activates the heads' values and composites them along each ray.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Composite {
    /// What is composited.
    pub heads: Vec<CompositeHead>,
    /// The output's columns of depth and, behind it, opacity.
    pub depth: usize,
    /// What holds a ray's weights together.
    pub spread: Spread,
}

/// One head.
#[derive(Debug)]
pub(in crate::engine::cpu) struct CompositeHead {
    /// The slot of its raw values.
    pub slot: usize,
    /// Its columns of the output.
    pub columns: Range<usize>,
    /// From raw values to what is composited.
    pub activation: Activation,
    /// Whether the weights hear nothing of it.
    pub detached: bool,
}

impl CompositeHead {
    fn activate(&self, ws: &mut Workspace) {
        if self.activation == Activation::Sigmoid {
            let slot = &mut ws.slots[self.slot];
            activation::sigmoid(ws.isa, &mut slot.values[..ws.len * slot.stride]);
        }
    }

    /// From the gradient of the composited values to that of the raw ones.
    fn slope(&self, slot: &mut Slot, samples: Range<usize>) {
        if self.activation == Activation::Sigmoid {
            let (stride, channels) = (slot.stride, self.columns.len());
            for i in samples {
                for at in i * stride..i * stride + channels {
                    let c = slot.values[at];
                    slot.grad[at] *= c * (1.0 - c);
                }
            }
        }
    }
}

/// Distortion and deviation of a ray, and in `room` the gradient of its weights, times `share`: of `weights`, their
/// places, their lengths and this gradient.
fn pull(
    spread: &Spread,
    ray: RaySamples<'_>,
    dt: &[f32],
    distance: Option<f32>,
    share: f32,
    room: &mut [Values; 4],
) -> [f32; 2] {
    let n = ray.alpha.len();
    let [w, s, ds, d_w] = room.each_mut().map(|room| &mut room[..n]);
    let mut transmittance = 1.0;
    for i in 0..n {
        w[i] = transmittance * ray.alpha[i];
        transmittance *= 1.0 - ray.alpha[i];
        (s[i], ds[i]) = (spread.scale.at(ray.t[i]), spread.scale.length(ray.t[i], dt[i]));
        d_w[i] = 0.0;
    }
    let mut losses = [0.0; 2];
    if spread.distortion > 0.0 {
        losses[0] = distortion::distortion(w, s, ds, share * spread.distortion, d_w);
    }
    if let Some(distance) = distance.filter(|d| spread.depth > 0.0 && *d > 0.0) {
        losses[1] = distortion::deviation(w, s, spread.scale.at(distance), share * spread.depth, d_w);
    }
    losses
}

impl Composite {
    /// The head that is alone and that densities hear of: what most fields have takes the shortest way.
    fn alone(&self) -> Option<&CompositeHead> {
        match &self.heads[..] {
            [head] if !head.detached => Some(head),
            _ => None,
        }
    }

    fn pulls(&self) -> bool {
        self.spread.distortion > 0.0 || self.spread.depth > 0.0
    }

    /// The backward pass of any heads: what a unit of weight is worth is summed head by head.
    fn backward_several(&self, ws: &mut Workspace) {
        let width = self.depth + EXTRA;
        for (ray, span) in ws.spans.iter().enumerate() {
            let range = span.range();
            let (dt, d_out) = (&ws.dt[range.clone()], &ws.d_out[ray * width..(ray + 1) * width]);
            let bare = samples(range.clone(), &ws.alpha, &ws.t, &[], 0);
            if self.pulls() {
                let distance = ws.distance.get(ray).copied();
                let losses = pull(&self.spread, bare, dt, distance, ws.share, &mut ws.weights);
                (0..2).for_each(|i| ws.spread[i] += f64::from(losses[i]));
            } else {
                ws.weights[3][..range.len()].fill(0.0);
            }
            let worth = &mut ws.weights[3][..range.len()];
            for head in &self.heads {
                let slot = &mut ws.slots[head.slot];
                let samples = samples(range.clone(), &ws.alpha, &ws.t, &slot.values, slot.stride);
                let d_value = &mut slot.grad[range.start * slot.stride..];
                let worth = (!head.detached).then_some(&mut *worth);
                backward_values(samples, &d_out[head.columns.clone()], d_value, worth);
                head.slope(slot, range.clone());
            }
            let grad = RaySamplesGrad { sigma: &mut ws.d_sigma[range], color: &mut [] };
            backward_weights(bare, dt, &d_out[self.depth..], grad, |i, g| g + worth[i]);
        }
    }
}

impl Stage for Composite {
    fn forward(&self, ws: &mut Workspace) {
        self.heads.iter().for_each(|head| head.activate(ws));
        let width = self.depth + EXTRA;
        for (ray, (span, carry)) in ws.spans.iter().zip(&mut ws.carry).enumerate() {
            let out = &mut ws.out[ray * width..(ray + 1) * width];
            out.fill(0.0);
            let of = |head: &CompositeHead| {
                let slot = &ws.slots[head.slot];
                samples(span.range(), &ws.alpha, &ws.t, &slot.values, slot.stride)
            };
            if let Some(head) = self.alone() {
                *carry = forward(of(head), *carry, out);
                continue;
            }
            for head in &self.heads {
                forward_values(of(head), *carry, &mut out[head.columns.clone()]);
            }
            let bare = samples(span.range(), &ws.alpha, &ws.t, &[], 0);
            *carry = forward(bare, *carry, &mut out[self.depth..]);
        }
    }

    fn backward(&self, ws: &mut Workspace, _: &mut [f32]) {
        let Some(head) = self.alone() else { return self.backward_several(ws) };
        let slot = &mut ws.slots[head.slot];
        let (stride, width) = (slot.stride, self.depth + EXTRA);
        for (ray, span) in ws.spans.iter().enumerate() {
            let range = span.range();
            let samples = samples(range.clone(), &ws.alpha, &ws.t, &slot.values, stride);
            let grad = RaySamplesGrad {
                sigma: &mut ws.d_sigma[range.clone()],
                color: &mut slot.grad[range.start * stride..],
            };
            let (dt, d_out) = (&ws.dt[range.clone()], &ws.d_out[ray * width..(ray + 1) * width]);
            if self.pulls() {
                let distance = ws.distance.get(ray).copied();
                let losses = pull(&self.spread, samples, dt, distance, ws.share, &mut ws.weights);
                (0..2).for_each(|i| ws.spread[i] += f64::from(losses[i]));
                let d_w = &ws.weights[3];
                backward_weights(samples, dt, d_out, grad, |i, g| g + d_w[i]);
            } else {
                backward(samples, dt, d_out, grad);
            }
            head.slope(slot, range);
        }
    }
}

/// The samples of a ray, of a slot's values.
fn samples<'a>(
    range: Range<usize>,
    alpha: &'a [f32],
    t: &'a [f32],
    values: &'a [f32],
    stride: usize,
) -> RaySamples<'a> {
    let color = &values[range.start * stride..];
    RaySamples { alpha: &alpha[range.clone()], t: &t[range], color, stride }
}
