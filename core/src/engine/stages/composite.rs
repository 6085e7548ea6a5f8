//! From the samples' colours and opacities to the rays' outputs.

use crate::engine::{Stage, Workspace};
use crate::ops::composite::{EXTRA, Ray, RayGrad, backward, forward};
use crate::simd::{Kernel, Simd, math};

/// Applies the sigmoid to a slot's columns and composites them along each ray.
#[derive(Debug)]
pub struct Composite {
    /// The slot of raw colours.
    pub input: usize,
    /// Its columns: colour first.
    pub channels: usize,
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
            let grad = RayGrad {
                sigma: &mut ws.d_sigma[range.clone()],
                color: &mut slot.grad[range.start * stride..],
            };
            backward(samples, &ws.dt[range.clone()], &ws.d_out[ray * width..(ray + 1) * width], grad);
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
) -> Ray<'a> {
    let color = &colors[range.start * stride..];
    Ray { alpha: &alpha[range.clone()], t: &t[range], color, stride }
}
