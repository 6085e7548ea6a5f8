//! Exponential moving average of weights, `e <- d e + (1 - d) w` after every step.
//!
//! A sparse block's untouched values do not move, so their average has a closed form: k steps without a change
//! give `e <- w + d^k (e - w)`. It is applied when the value is next touched, or when the average is read; each
//! line of [`LINE`] values remembers the step up to which it is settled.

use super::{Values, zeros};
use crate::checkpoint::{Checkpoint, CheckpointError};

/// Values that share one settled step: a cache line.
pub const LINE: usize = 16;

/// The running average of one block.
#[derive(Debug)]
pub struct Average {
    /// The average as of each line's settled step.
    pub(super) values: Values,
    decay: f32,
    /// Per line, the last step that is included. Dense blocks have one entry for all.
    pub(super) settled: Vec<u32>,
    lazy: bool,
    /// The weights, while the average stands in for them.
    parked: Option<Values>,
}

impl Average {
    pub(super) fn new(decay: f32, weight: &[f32], lazy: bool, step: u64) -> Self {
        let mut values = zeros(weight.len());
        values.copy_from_slice(weight);
        let lines = if lazy { weight.len().div_ceil(LINE) } else { 1 };
        Self { values, decay, settled: vec![step as u32; lines], lazy, parked: None }
    }

    /// Reads the lazy state of the average of the block `name`.
    pub(super) fn restore(
        &mut self,
        checkpoint: &Checkpoint,
        name: &str,
        shape: &[usize],
    ) -> Result<(), CheckpointError> {
        checkpoint.read_into_f32(&format!("ema/{name}"), shape, &mut self.values)?;
        self.settled = checkpoint.u32(&format!("ema.settled/{name}"), &[self.settled.len()])?;
        Ok(())
    }

    /// Brings the lines that step `t` is about to touch up to step `t - 1`.
    pub(super) fn before_update(&mut self, weight: &[f32], grad: &[f32], t: u64) {
        if self.lazy {
            for line in 0..self.settled.len() {
                let range = line * LINE..((line + 1) * LINE).min(weight.len());
                if grad[range].iter().any(|g| *g != 0.0) {
                    self.settle_line(line, weight, t - 1);
                    // Marks the line for `after_update`, which sees no gradient any more.
                    self.settled[line] = u32::MAX;
                }
            }
        }
    }

    /// Includes step `t` for the lines it has touched.
    pub(super) fn after_update(&mut self, weight: &[f32], t: u64) {
        if self.lazy {
            for line in 0..self.settled.len() {
                if self.settled[line] == u32::MAX {
                    self.settled[line] = (t - 1) as u32;
                    self.settle_line(line, weight, t);
                }
            }
        } else {
            self.settle(weight, t);
        }
    }

    /// The average as of step `t`. Leaves the lazy state alone, so that looking does not change what follows.
    pub fn current(&self, weight: &[f32], t: u64) -> Values {
        let (values, settled) = (self.values.clone(), self.settled.clone());
        let mut copy = Self { values, settled, decay: self.decay, lazy: self.lazy, parked: None };
        copy.settle(weight, t);
        copy.values
    }

    /// The values, to be replaced by those as of `step`.
    pub(crate) fn hold(&mut self, step: u64) -> &mut [f32] {
        self.settled.fill(step as u32);
        &mut self.values
    }

    /// Exchanges the weights with the average as of step `t`, and back on the second call.
    pub(super) fn swap(&mut self, weight: &mut Values, t: u64) {
        match self.parked.take() {
            None => {
                let current = self.current(weight, t);
                self.parked = Some(std::mem::replace(weight, current));
            }
            Some(parked) => *weight = parked,
        }
    }

    fn settle(&mut self, weight: &[f32], t: u64) {
        for line in 0..self.settled.len() {
            self.settle_line(line, weight, t);
        }
    }

    fn settle_line(&mut self, line: usize, weight: &[f32], t: u64) {
        let steps = (t as u32).saturating_sub(self.settled[line]);
        if steps == 0 {
            return;
        }
        let range =
            if self.lazy { line * LINE..((line + 1) * LINE).min(weight.len()) } else { 0..weight.len() };
        let keep = self.decay.powi(steps.min(1 << 20) as i32);
        for (e, w) in self.values[range.clone()].iter_mut().zip(&weight[range]) {
            *e = w + keep * (*e - w);
        }
        self.settled[line] = t as u32;
    }
}

#[cfg(test)]
mod tests {
    use crate::params::{BlockSpec, Group, Init, Layout, Params};
    use crate::simd::Isa;

    /// The lazy average of a sparse block against the plain recurrence, over touches that come and go.
    #[test]
    fn lazy_average_equals_the_recurrence() {
        let (mut layout, n) = (Layout::default(), 100);
        let group = layout.group(Group { sparse: true, ..Group::new("table") });
        let init = Init::Constant(0.0);
        let block = layout.block(BlockSpec { name: "t".into(), shape: vec![n], group, init });
        let mut params = Params::new(&layout, 0);
        params.weight_mut(block).iter_mut().enumerate().for_each(|(i, w)| *w = i as f32 * 0.01);
        params.average(0.9);
        let mut want: Vec<f64> = params.weight(block).iter().map(|w| f64::from(*w)).collect();
        for t in 1..=60u64 {
            let mut grad = vec![0.0; n];
            for (i, g) in grad.iter_mut().enumerate() {
                if (i as u64 * 7 + t * 13) % 29 < 3 && i % 40 < 30 {
                    *g = (i as f32).sin();
                }
            }
            params.step = t;
            let (blocks, groups) = params.split();
            blocks[0].update_from(Isa::best(), &groups[0], 0.01, t, &mut grad);
            for (e, w) in want.iter_mut().zip(params.weight(block)) {
                *e = 0.9 * *e + 0.1 * f64::from(*w);
            }
        }
        let block = &params.blocks()[0];
        let ema = block.average.as_ref().expect("asked for").current(&block.weight, 60);
        for (e, want) in ema.iter().zip(&want) {
            assert!((f64::from(*e) - want).abs() < 1e-5, "{e} {want}");
        }
    }
}
