//! Stochastic depth (Huang et al. 2016) and dropout (Srivastava et al. 2014).
//!
//! In training, each sample of a batch loses its residual branch with probability `rate` (drop path), or each value is
//! zeroed with it (dropout); what stays is divided by `1 - rate`. In evaluation both do nothing. What is dropped depends
//! on seed, step, layer and index alone: the backward pass draws it again, and a resumed run drops the same.
use candle_core::{Result, Shape, Tensor, bail};

use crate::graph::{Input, InputGradients, Keeps, Mode, Op, Randomness, apply, read};
use crate::ops::output::{by_chunks, by_rows, each, written};
use crate::rng::{Rng, Stream};

/// Drops whole samples (along the first dimension) of x, the output of a residual branch. `layer` tells branches apart.
///
/// # Errors
/// If the rate is not in `[0, 1)`, or x is not f32 on the CPU.
pub fn drop_path(x: &Tensor, rate: f32, mode: Mode, layer: u32) -> Result<Tensor> {
    let run = x.elem_count() / x.dim(0)?.max(1);
    drop(x, rate, mode, layer, Stream::DropPath, run)
}

/// Drops single values of x.
///
/// # Errors
/// See [`drop_path`].
pub fn dropout(x: &Tensor, rate: f32, mode: Mode, layer: u32) -> Result<Tensor> {
    drop(x, rate, mode, layer, Stream::Dropout, 1)
}

fn drop(x: &Tensor, rate: f32, mode: Mode, layer: u32, stream: Stream, run: usize) -> Result<Tensor> {
    if !(0.0..1.0).contains(&rate) {
        bail!("a share of {rate} cannot be dropped: it must be at least 0 and below 1");
    }
    match mode {
        Mode::Train(randomness) if rate > 0.0 => apply(Drop { rate, randomness, layer, stream, run }, &[x]),
        _ => Ok(x.clone()),
    }
}

struct Drop {
    rate: f32,
    randomness: Randomness,
    layer: u32,
    stream: Stream,
    /// Values that share their fate.
    run: usize,
}

impl Drop {
    /// What runs `4 group .. 4 group + 4` are multiplied with: they share a draw.
    fn factors(&self, group: usize) -> [f32; 4] {
        let Randomness { seed, step } = self.randomness;
        // Steps stay below 2^40, so that the layer fits beside them.
        let place = step | u64::from(self.layer) << 40;
        let drawn = Rng::new(seed).uniform4(self.stream, place, group as u32);
        drawn.map(|u| if u < self.rate { 0.0 } else { 1.0 / (1.0 - self.rate) })
    }

    fn scale(&self, x: &[f32]) -> Vec<f32> {
        let run = self.run.max(1);
        // Groups that a thread takes at a time.
        let groups = CHUNK.div_ceil(4 * run);
        written(x.len(), |y| {
            by_chunks(y, groups * 4 * run, |chunk, y| {
                let x = &x[chunk * groups * 4 * run..];
                by_rows!(y, 4 * run, |group, y| {
                    let (x, factors) = (&x[group * 4 * run..], self.factors(chunk * groups + group));
                    if run == 1 {
                        each(y, x.iter().zip(factors).map(|(x, factor)| x * factor))
                    } else {
                        by_rows!(y, run, |at, y| each(y, x[at * run..].iter().map(|x| x * factors[at])))
                    }
                })
            })
        })
    }
}

/// Values that a thread takes at a time, about.
const CHUNK: usize = 1 << 13;

impl Op for Drop {
    fn name(&self) -> &'static str {
        "drop"
    }

    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        Ok((self.scale(&inputs[0]), inputs[0].dims.into()))
    }

    fn backward(&self, _: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let dx = self.scale(&read(dy)?);
        Ok([Some(Tensor::from_vec(dx, dy.shape(), dy.device())?), None, None])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Device;

    fn train(step: u64) -> Mode {
        Mode::Train(Randomness { seed: 7, step })
    }

    fn ones(shape: &[usize]) -> candle_core::Var {
        candle_core::Var::ones(shape, candle_core::DType::F32, &Device::Cpu).expect("ones")
    }

    #[test]
    fn samples_are_dropped_whole_and_the_mean_stays() {
        let x = ones(&[4000, 3]);
        let y = drop_path(&x, 0.3, train(1), 2).expect("drop");
        let values = y.to_vec2::<f32>().expect("values");
        assert!(
            values.iter().all(|row| row == &[0.0; 3] || row.iter().all(|v| (v - 1.0 / 0.7).abs() < 1e-6))
        );
        let mean = values.iter().map(|row| row[0]).sum::<f32>() / 4000.0;
        assert!((mean - 1.0).abs() < 0.04, "{mean}");
        // The gradient goes where values went.
        let gradient = y.sum_all().and_then(|y| y.backward()).expect("backward");
        let gradient = gradient.get(&x).expect("a gradient").to_vec2::<f32>().expect("values");
        assert_eq!(gradient, values);
    }

    #[test]
    fn draws_differ_by_step_and_layer_and_repeat() {
        let x = ones(&[64, 5]);
        let run = |step, layer| {
            dropout(&x, 0.5, train(step), layer).expect("drop").to_vec2::<f32>().expect("values")
        };
        assert_eq!(run(1, 1), run(1, 1));
        assert!(run(1, 1) != run(2, 1) && run(1, 1) != run(1, 2));
        let kept = run(1, 1).concat().iter().filter(|v| **v > 0.0).count();
        assert!((100..220).contains(&kept), "{kept} of 320");
    }

    #[test]
    fn evaluation_changes_nothing_and_rates_are_checked() {
        let x = ones(&[2, 2]);
        assert_eq!(dropout(&x, 0.5, Mode::Eval, 0).expect("eval").id(), x.id());
        assert!(drop_path(&x, 1.0, train(0), 0).is_err() && drop_path(&x, f32::NAN, train(0), 0).is_err());
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let x = ones(&[1000, 33]);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| dropout(&x, 0.2, train(3), 1).expect("drop").to_vec2::<f32>().expect("values"))
        };
        assert_eq!(run(1), run(3));
    }
}
