//! What one row of dy adds to the gradient of the weights.
use super::Plan;
use super::plan::{Block, PIXELS, Tap};
use crate::simd::{Isa, Kernel, Simd};

/// Adds the part of row `row`: `dy` is `(plan.width, channels)`, `x` the image that the row was computed from, `dw`
/// `(kernel rows, kernel columns, channels)`.
///
/// # Panics
/// If a slice has another length than the plan, that of the outputs, says.
pub(super) fn add(isa: Isa, plan: &Plan, row: usize, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let channels = dy.len() / plan.width;
    assert!(dy.len() == plan.width * channels && x.len() == plan.source[0] * plan.source[1] * channels);
    let rows = &plan.rows[row];
    assert!(rows.iter().all(|t| (t.tap + 1) * plan.kernel * channels <= dw.len()));
    isa.run(Add { plan, rows, x, dy, dw, channels });
}

struct Add<'a> {
    plan: &'a Plan,
    rows: &'a [Tap],
    x: &'a [f32],
    dy: &'a [f32],
    dw: &'a mut [f32],
    channels: usize,
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        for block in &self.plan.blocks {
            if block.many == PIXELS {
                self.block::<S, PIXELS>(s, block);
            } else {
                self.block::<S, 1>(s, block);
            }
        }
    }
}

impl Add<'_> {
    /// `P` pixels, a register of channels at a time.
    #[inline(always)]
    fn block<S: Simd, const P: usize>(&mut self, s: S, block: &Block) {
        let (channels, plan) = (self.channels, self.plan);
        let whole = channels - channels % S::LANES;
        let source_step = plan.source_step * channels;
        let dy = &self.dy[block.first * channels..][..P * channels];
        let tap = |y: &Tap, x: &Tap| {
            let source = (y.at * plan.source[1] + x.at) * channels;
            (source, (y.tap * plan.kernel + x.tap) * channels)
        };
        for c in (0..whole).step_by(S::LANES) {
            // SAFETY: a plan's taps lie inside x, and so do those of the block's other pixels; the lengths of all
            // slices were checked against the plan; c leaves room for a register.
            unsafe {
                let mut ups = [s.splat(0.0); P];
                for (p, up) in ups.iter_mut().enumerate() {
                    *up = s.load(dy.as_ptr().add(p * channels + c));
                }
                for y in self.rows {
                    for x in &block.taps {
                        let (source, weight) = tap(y, x);
                        let to = self.dw.as_mut_ptr().add(weight + c);
                        let source = self.x.as_ptr().add(source + c);
                        let mut sum = s.load(to);
                        for (p, up) in ups.into_iter().enumerate() {
                            sum = s.fma(up, s.load(source.add(p * source_step)), sum);
                        }
                        s.store(to, sum);
                    }
                }
            }
        }
        for c in whole..channels {
            for y in self.rows {
                for x in &block.taps {
                    let (source, weight) = tap(y, x);
                    for p in 0..P {
                        self.dw[weight + c] += dy[p * channels + c] * self.x[source + p * source_step + c];
                    }
                }
            }
        }
    }
}
