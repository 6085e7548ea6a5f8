//! From the network's first output to densities, opacities, and the samples that matter.

use crate::engine::cpu::stage::Stage;
use crate::engine::cpu::workspace::Workspace;
use crate::ops::activation;
use crate::ops::composite::{absorb, gather, kept};

/// A column of a slot becomes the density, `sigma = gate exp(min(x, 15))` (see [`activation`]).
///
/// Samples behind an opaque surface are dropped; in pictures those that hardly weigh anything, too, to what is behind them.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Density {
    /// The slot.
    pub input: usize,
    /// Slots whose rows move when samples are dropped, each once.
    pub rows: Vec<usize>,
    /// Samples are dropped where less than this gets through.
    pub min_transmittance: f32,
    /// The slot's column of the raw density.
    pub column: usize,
    /// Whether the density is multiplied with the samples' gates (see [`super::Gate`]).
    pub gated: bool,
}

impl Stage for Density {
    fn forward(&self, ws: &mut Workspace) {
        let end = ws.len.next_multiple_of(16);
        let slot = &ws.slots[self.input];
        activation::density(ws.isa, &slot.values[self.column..], slot.stride, &mut ws.sigma[..end]);
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
            if ws.faint > 0.0 {
                let at = span.start as usize;
                gather(&mut ws.alpha[at..at + n], *carry, ws.faint, |i| ws.keep.push((at + i) as u32));
            } else {
                ws.keep.extend(span.start..span.start + n as u32);
            }
            (span.start, span.len) = (start, ws.keep.len() as u32 - start);
        }
        if !ws.probing {
            ws.compact(&self.rows);
        }
    }

    fn backward(&self, ws: &mut Workspace, _: &mut [f32]) {
        let slot = &mut ws.slots[self.input];
        for i in 0..ws.len {
            let at = i * slot.stride + self.column;
            let gate = if self.gated { ws.gate[i] } else { 1.0 };
            slot.grad[at] += ws.d_sigma[i] * activation::density_slope(slot.values[at], gate, ws.sigma[i]);
        }
        if self.gated {
            for i in 0..ws.len {
                // Not sigma / gate: a closed gate is 0.
                let open = activation::raw_density(slot.values[i * slot.stride + self.column]);
                ws.d_gate[i] = ws.d_sigma[i] * open;
            }
        }
    }

    fn decides_density(&self) -> bool {
        true
    }
}
