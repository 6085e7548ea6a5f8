//! From the samples' colors and opacities to the rays' outputs.

use crate::engine::cpu::{Stage, Workspace};
use crate::ops::composite::{EXTRA, RaySamples, RaySamplesGrad, backward, backward_weights, forward};
use crate::ops::distortion::{self, Scale};
use crate::params::Values;
use crate::simd::{Kernel, Simd, math};

/// Applies the sigmoid to a slot's columns and composites them along each ray.
#[derive(Debug)]
pub struct Composite {
    /// The slot of raw colors.
    pub input: usize,
    /// Its columns: color first.
    pub channels: usize,
    /// What holds a ray's weights together.
    pub spread: Spread,
}

/// Weights of what holds a ray's weights together (see [`distortion`]); 0 leaves it out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Weight of the distortion.
    pub distortion: f32,
    /// Weight of the deviation from the known distance, of rays that have one.
    pub depth: f32,
    /// The scale of distances.
    pub scale: Scale,
}

impl Spread {
    /// Distortion and deviation of a ray, and in `room` the gradient of its weights, times `share`: of `weights`, their
    /// places, their lengths and this gradient.
    fn pull(
        &self,
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
            (s[i], ds[i]) = (self.scale.at(ray.t[i]), self.scale.length(ray.t[i], dt[i]));
            d_w[i] = 0.0;
        }
        let mut losses = [0.0; 2];
        if self.distortion > 0.0 {
            losses[0] = distortion::distortion(w, s, ds, share * self.distortion, d_w);
        }
        if let Some(distance) = distance.filter(|d| self.depth > 0.0 && *d > 0.0) {
            losses[1] = distortion::deviation(w, s, self.scale.at(distance), share * self.depth, d_w);
        }
        losses
    }
}

struct Sigmoid<'a>(&'a mut [f32]);

impl Kernel for Sigmoid<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for chunk in self.0.chunks_exact_mut(S::LANES) {
            // SAFETY: the chunk holds LANES values.
            unsafe { s.store(chunk.as_mut_ptr(), math::sigmoid(s, s.load(chunk.as_ptr()))) };
        }
    }
}

impl Stage for Composite {
    fn forward(&self, ws: &mut Workspace) {
        let slot = &mut ws.slots[self.input];
        ws.isa.run(Sigmoid(&mut slot.values[..ws.len * slot.stride]));
        let width = self.channels + EXTRA;
        for (ray, (span, carry)) in ws.spans.iter().zip(&mut ws.carry).enumerate() {
            let out = &mut ws.out[ray * width..(ray + 1) * width];
            out.fill(0.0);
            *carry = forward(samples(span.range(), &ws.alpha, &ws.t, &slot.values, slot.stride), *carry, out);
        }
    }

    fn backward(&self, ws: &mut Workspace, _: &mut [f32]) {
        let slot = &mut ws.slots[self.input];
        let (stride, width) = (slot.stride, self.channels + EXTRA);
        for (ray, span) in ws.spans.iter().enumerate() {
            let range = span.range();
            let samples = samples(range.clone(), &ws.alpha, &ws.t, &slot.values, stride);
            let grad = RaySamplesGrad {
                sigma: &mut ws.d_sigma[range.clone()],
                color: &mut slot.grad[range.start * stride..],
            };
            let (dt, d_out) = (&ws.dt[range.clone()], &ws.d_out[ray * width..(ray + 1) * width]);
            if self.spread.distortion > 0.0 || self.spread.depth > 0.0 {
                let distance = ws.distance.get(ray).copied();
                let losses = self.spread.pull(samples, dt, distance, ws.share, &mut ws.weights);
                (0..2).for_each(|i| ws.spread[i] += f64::from(losses[i]));
                let d_w = &ws.weights[3];
                backward_weights(samples, dt, d_out, grad, |i, g| g + d_w[i]);
            } else {
                backward(samples, dt, d_out, grad);
            }
            for i in range {
                for at in i * stride..i * stride + self.channels {
                    let c = slot.values[at];
                    slot.grad[at] *= c * (1.0 - c);
                }
            }
        }
    }
}

fn samples<'a>(
    range: std::ops::Range<usize>,
    alpha: &'a [f32],
    t: &'a [f32],
    colors: &'a [f32],
    stride: usize,
) -> RaySamples<'a> {
    let color = &colors[range.start * stride..];
    RaySamples { alpha: &alpha[range.clone()], t: &t[range], color, stride }
}
