//! One row of a map, each pixel the weighted sum of the pixels that its taps meet: the kernel of both directions.
use super::TapPlan;
use super::plan::{PixelBlock, Tap};
use crate::ops::output::Room;
use crate::simd::{Isa, Kernel, Simd};

/// Writes row `row` of the map of sums: `to` is `(plan.width, channels)`, `source` the map that is summed, `weights`
/// `(kernel rows, kernel columns, channels)`. Sums begin with the bias.
///
/// # Panics
/// If a slice has another length than the plan says.
pub(super) fn sum<'o>(
    isa: Isa,
    plan: &TapPlan,
    row: usize,
    source: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    to: &'o mut Room,
) -> &'o mut [f32] {
    let channels = to.len() / plan.width;
    assert!(to.len() == plan.width * channels && source.len() == plan.source[0] * plan.source[1] * channels);
    assert!(bias.is_none_or(|b| b.len() == channels));
    let rows = &plan.rows[row];
    assert!(rows.iter().all(|t| (t.tap + 1) * plan.kernel * channels <= weights.len()));
    isa.run(Sum { plan, rows, source, weights, bias, to, channels })
}

struct Sum<'a, 'o> {
    plan: &'a TapPlan,
    rows: &'a [Tap],
    source: &'a [f32],
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    to: &'o mut Room,
    channels: usize,
}

impl<'o> Kernel for Sum<'_, 'o> {
    type Output = &'o mut [f32];

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) -> &'o mut [f32] {
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
        // SAFETY: a plan's blocks cover its columns, and all channels of a block's columns were written.
        unsafe { self.to.assume_init_mut() }
    }
}

impl Sum<'_, '_> {
    /// `P` pixels of a run of `K` taps: what two pixels meet is loaded once.
    #[inline(always)]
    fn run_of<S: Simd, const P: usize, const K: usize>(&mut self, s: S, block: &PixelBlock) {
        let (channels, plan) = (self.channels, self.plan);
        let whole = channels - channels % S::LANES;
        let (source, to) = (self.source.as_ptr(), self.to.as_mut_ptr().cast::<f32>());
        for c in (0..whole).step_by(S::LANES) {
            // SAFETY: as in `block`.
            unsafe {
                let start = self.bias.map_or(s.splat(0.0), |b| s.load(b.as_ptr().add(c)));
                let mut sums = [start; P];
                for y in self.rows {
                    let mut weights = [start; K];
                    for (weight, x) in weights.iter_mut().zip(&block.taps) {
                        let at = (y.tap * plan.kernel + x.tap) * channels + c;
                        *weight = s.load(self.weights.as_ptr().add(at));
                    }
                    let from = source.add((y.at * plan.source[1] + block.taps[0].at) * channels + c);
                    for column in 0..P + K - 1 {
                        let met = s.load(from.add(column * channels));
                        for k in 0..K {
                            if column >= k && column - k < P {
                                sums[column - k] = s.fma(weights[k], met, sums[column - k]);
                            }
                        }
                    }
                }
                for (p, sum) in sums.into_iter().enumerate() {
                    s.store(to.add((block.first + p) * channels + c), sum);
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
        let pixel = |p: usize| (block.first + p * plan.step) * channels;
        let tap = |y: &Tap, x: &Tap| {
            let source = (y.at * plan.source[1] + x.at) * channels;
            (source, (y.tap * plan.kernel + x.tap) * channels)
        };
        for c in (start..whole).step_by(S::LANES) {
            // SAFETY: a plan's taps lie inside the source, and so do those of the block's other pixels; its columns are
            // below its width; the lengths of all slices were checked against the plan; c leaves room for a register.
            unsafe {
                let bias = self.bias.map_or(s.splat(0.0), |b| s.load(b.as_ptr().add(c)));
                let mut sums = [bias; P];
                for y in self.rows {
                    for x in &block.taps {
                        let (source, weight) = tap(y, x);
                        let weight = s.load(self.weights.as_ptr().add(weight + c));
                        let source = self.source.as_ptr().add(source + c);
                        for (p, sum) in sums.iter_mut().enumerate() {
                            *sum = s.fma(weight, s.load(source.add(p * source_step)), *sum);
                        }
                    }
                }
                for (p, sum) in sums.into_iter().enumerate() {
                    s.store(self.to.as_mut_ptr().cast::<f32>().add(pixel(p) + c), sum);
                }
            }
        }
        for c in whole..channels {
            for p in 0..P {
                let mut sum = self.bias.map_or(0.0, |b| b[c]);
                for y in self.rows {
                    for x in &block.taps {
                        let (source, weight) = tap(y, x);
                        sum += self.weights[weight + c] * self.source[source + p * source_step + c];
                    }
                }
                self.to[pixel(p) + c].write(sum);
            }
        }
    }
}
