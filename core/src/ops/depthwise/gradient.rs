//! What one row of dy adds to the gradient of the weights.
use super::TapPlan;
use super::plan::{PixelBlock, Tap};
use crate::simd::{Isa, Kernel, Simd};

/// Adds the part of row `row`: `dy` is `(plan.width, channels)`, `x` the image that the row was computed from, `dw`
/// `(kernel rows, kernel columns, channels)`.
///
/// # Panics
/// If a slice has another length than the plan, that of the outputs, says.
pub(super) fn add(isa: Isa, plan: &TapPlan, row: usize, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let channels = dy.len() / plan.width;
    assert!(dy.len() == plan.width * channels && x.len() == plan.source[0] * plan.source[1] * channels);
    let rows = &plan.rows[row];
    assert!(rows.iter().all(|t| (t.tap + 1) * plan.kernel * channels <= dw.len()));
    isa.run(Add { plan, rows, x, dy, dw, channels });
}

struct Add<'a> {
    plan: &'a TapPlan,
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
            match (block.many, block.run, block.taps.len()) {
                (8, true, 3) => self.run_of::<S, 8, 3>(s, block),
                (4, true, 3) => self.run_of::<S, 4, 3>(s, block),
                (8, true, 5) => self.run_of::<S, 8, 5>(s, block),
                (8, true, 7) => self.run_of::<S, 8, 7>(s, block),
                (8, ..) => self.block::<S, 8>(s, block, 0),
                (4, ..) => self.block::<S, 4>(s, block, 0),
                _ => self.block::<S, 1>(s, block, 0),
            }
        }
    }
}

impl Add<'_> {
    /// `P` pixels of a run of `K` taps: what two pixels met is loaded once.
    #[inline(always)]
    fn run_of<S: Simd, const P: usize, const K: usize>(&mut self, s: S, block: &PixelBlock) {
        let (channels, plan) = (self.channels, self.plan);
        let whole = channels - channels % S::LANES;
        let dy = &self.dy[block.first * channels..][..P * channels];
        let (x, dw) = (self.x.as_ptr(), self.dw.as_mut_ptr());
        for c in (0..whole).step_by(S::LANES) {
            // SAFETY: as in `block`.
            unsafe {
                let mut ups = [s.splat(0.0); P];
                for (p, up) in ups.iter_mut().enumerate() {
                    *up = s.load(dy.as_ptr().add(p * channels + c));
                }
                for y in self.rows {
                    let weight = |k: usize| (y.tap * plan.kernel + block.taps[k].tap) * channels + c;
                    let mut sums = [s.splat(0.0); K];
                    for (k, sum) in sums.iter_mut().enumerate() {
                        *sum = s.load(dw.add(weight(k)));
                    }
                    let from = x.add((y.at * plan.source[1] + block.taps[0].at) * channels + c);
                    for column in 0..P + K - 1 {
                        let met = s.load(from.add(column * channels));
                        for k in 0..K {
                            if column >= k && column - k < P {
                                sums[k] = s.fma(ups[column - k], met, sums[k]);
                            }
                        }
                    }
                    for (k, sum) in sums.into_iter().enumerate() {
                        s.store(dw.add(weight(k)), sum);
                    }
                }
            }
        }
        self.block::<S, P>(s, block, whole);
    }

    /// `P` pixels, a register of channels at a time, then channel by channel; from the channel `start` on.
    #[inline(always)]
    fn block<S: Simd, const P: usize>(&mut self, s: S, block: &PixelBlock, start: usize) {
        let (channels, plan) = (self.channels, self.plan);
        let whole = channels - channels % S::LANES;
        let source_step = plan.source_step * channels;
        let dy = &self.dy[block.first * channels..][..P * channels];
        let tap = |y: &Tap, x: &Tap| {
            let source = (y.at * plan.source[1] + x.at) * channels;
            (source, (y.tap * plan.kernel + x.tap) * channels)
        };
        for c in (start..whole).step_by(S::LANES) {
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
