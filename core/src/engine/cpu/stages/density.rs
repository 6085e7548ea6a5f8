//! From the network's first output to densities, opacities, and the samples that matter.

use crate::engine::cpu::{Stage, Workspace};
use crate::ops::composite::{absorb, kept};
use crate::simd::{Kernel, Simd, math};

/// A column of a slot becomes the density, `sigma = gate exp(min(x, 15))`.
///
/// Samples behind an opaque surface are dropped.
///
/// The gradient uses `exp(clamp(x, -15, 15))`, so that far-off values can come back (torch-ngp's truncated
/// exponential).
#[derive(Debug)]
pub struct Density {
    /// The slot.
    pub input: usize,
    /// Slots whose rows move when samples are dropped, each once.
    pub rows: Vec<usize>,
    /// Samples are dropped where less than this gets through.
    pub min_transmittance: f32,
    /// The slot's column of the raw density.
    pub column: usize,
    /// Whether the density is multiplied with the samples' gates (see [`super::ZeroSkip`]).
    pub gated: bool,
}

/// exp's argument stays within this of zero.
const LIMIT: f32 = 15.0;

struct Activate<'a> {
    raw: &'a [f32],
    stride: usize,
    sigma: &'a mut [f32],
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut lanes = [0.0f32; 16];
        for (chunk, sigma) in self.sigma.chunks_exact_mut(S::LANES).enumerate() {
            for (i, lane) in lanes[..S::LANES].iter_mut().enumerate() {
                *lane = self.raw[(chunk * S::LANES + i) * self.stride];
            }
            // SAFETY: `lanes` and `sigma` hold LANES values.
            unsafe {
                let x = s.min(s.load(lanes.as_ptr()), s.splat(LIMIT));
                s.store(sigma.as_mut_ptr(), math::exp(s, x));
            }
        }
    }
}

impl Stage for Density {
    fn forward(&self, ws: &mut Workspace) {
        let end = ws.len.next_multiple_of(16);
        let slot = &ws.slots[self.input];
        ws.isa.run(Activate {
            raw: &slot.values[self.column..],
            stride: slot.stride,
            sigma: &mut ws.sigma[..end],
        });
        if self.gated {
            ws.sigma[..end].iter_mut().zip(&ws.gate[..end]).for_each(|(sigma, gate)| *sigma *= gate);
        }
        absorb(ws.isa, &ws.sigma[..end], &ws.dt[..end], &mut ws.alpha[..end]);
        ws.keep.clear();
        ws.behind.clear();
        for (span, carry) in ws.spans.iter_mut().zip(&ws.carry) {
            let (n, behind) = kept(&ws.alpha[span.range()], *carry, self.min_transmittance);
            ws.behind.push(behind);
            if ws.probing {
                span.len = n as u32;
                continue;
            }
            let start = ws.keep.len() as u32;
            ws.keep.extend(span.start..span.start + n as u32);
            (span.start, span.len) = (start, n as u32);
        }
        if !ws.probing {
            ws.compact(&self.rows);
        }
    }

    fn backward(&self, ws: &mut Workspace, _: &mut [f32]) {
        let slot = &mut ws.slots[self.input];
        for i in 0..ws.len {
            let at = i * slot.stride + self.column;
            let raw = slot.values[at];
            // sigma is gate exp(min(raw, 15)) already; only far below does the gradient differ from it.
            let gate = if self.gated { ws.gate[i] } else { 1.0 };
            let floor = gate * (-LIMIT).exp();
            slot.grad[at] += ws.d_sigma[i] * if raw > -LIMIT { ws.sigma[i] } else { floor };
        }
        if self.gated {
            for i in 0..ws.len {
                // Not sigma / gate: a closed gate is 0.
                let open = slot.values[i * slot.stride + self.column].min(LIMIT).exp();
                ws.d_gate[i] = ws.d_sigma[i] * open;
            }
        }
    }

    fn decides_density(&self) -> bool {
        true
    }
}
