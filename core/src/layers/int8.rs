//! A linear layer whose products are in 8 bits where the network is only looked at.
use super::Linear;
use crate::graph::{Input, InputGradients, Op, Result, Tensor, add_cost, apply, bail, read};
use crate::ops::int8::{Int8Weights, Kind, product};
use crate::ops::small_gemm::{Start, padded};
use candle_core::Shape;
use rayon::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// As [`Linear`], with its variables. Where gradients are asked for it is that layer; else products are in 8 bits (see
/// [`crate::ops::int8`]), of weights that are rounded anew when they have changed.
#[derive(Clone, Debug)]
pub struct Int8Linear {
    linear: Linear,
    rounded: Arc<Mutex<Option<Rounded>>>,
}

#[derive(Clone, Debug)]
struct Rounded {
    /// Of the weights that it was made of.
    fingerprint: u64,
    weights: Arc<Int8Weights>,
}

impl Int8Linear {
    /// The layer in 8 bits.
    #[must_use]
    pub fn new(linear: Linear) -> Self {
        Self { linear, rounded: Arc::default() }
    }

    /// x is `(..., inputs)`; the result is `(..., outputs)`.
    ///
    /// # Errors
    /// If the last extent of x is another.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (self.linear.weight(), self.linear.bias());
        if weight.track_op() || x.track_op() {
            return self.linear.forward(x);
        }
        let (outputs, inputs) = weight.dims2()?;
        if x.dims().last() != Some(&inputs) {
            bail!("linear: x has the shape {:?}, its last extent must be {inputs}", x.dims());
        }
        let values = read(weight)?;
        let now = fingerprint(&values);
        let weights = {
            let mut rounded = self.rounded.lock().unwrap_or_else(PoisonError::into_inner);
            match &*rounded {
                Some(known) if known.fingerprint == now => known.weights.clone(),
                _ => {
                    let mut weights = Int8Weights::default();
                    weights.quantize(&values, inputs, inputs, outputs);
                    let weights = Arc::new(weights);
                    *rounded = Some(Rounded { fingerprint: now, weights: weights.clone() });
                    weights
                }
            }
        };
        let mut constant = vec![0.0; padded(outputs)];
        if let Some(bias) = bias {
            constant[..outputs].copy_from_slice(&read(bias)?);
        }
        apply(Product { weights, constant, inputs, outputs }, &[x])
    }
}

/// Tells values apart that differ anywhere, but for one case in 2^64.
fn fingerprint(values: &[f32]) -> u64 {
    let chunk = |(i, values): (usize, &[f32])| {
        let terms = values.iter().enumerate().map(|(j, v)| {
            let place = (j as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            u64::from(v.to_bits()).wrapping_mul(place)
        });
        terms.fold(0, u64::wrapping_add).wrapping_mul(0xd6e8_feb8_6659_fd93 ^ (i as u64) << 1 | 1)
    };
    values.par_chunks(1 << 14).enumerate().map(chunk).reduce(|| 0, u64::wrapping_add)
}

struct Product {
    weights: Arc<Int8Weights>,
    constant: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

/// Rows that a thread takes at a time.
const ROWS: usize = 48;

impl Op for Product {
    fn name(&self) -> &'static str {
        "int8"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let x = inputs[0];
        let (width, wide, kind) = (self.outputs, padded(self.outputs), Kind::best());
        let mut y = vec![0.0; x.len() / self.inputs * width];
        let chunks = y.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * self.inputs));
        chunks.for_each_init(
            || (Vec::new(), Vec::new()),
            |(room, panel), (y, x)| {
                let (count, start) = (x.len() / self.inputs, Start::Row(&self.constant));
                let run = |to: &mut [f32], room: &mut Vec<u8>| {
                    product(kind, count, x, self.inputs, &self.weights, to, wide, start, false, room);
                };
                if wide == width {
                    return run(y, room);
                }
                panel.resize(count * wide, 0.0);
                run(panel, room);
                for (y, panel) in y.chunks_exact_mut(width).zip(panel.chunks_exact(wide)) {
                    y.copy_from_slice(&panel[..width]);
                }
            },
        );
        add_cost(x.len() * width, y.len());
        let mut shape = x.dims.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = width;
        }
        Ok((y, shape.into()))
    }

    fn backward(&self, _: &[Tensor], _: Option<&Tensor>, _: &Tensor) -> Result<InputGradients> {
        bail!("int8: products in 8 bits have no gradient")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Device, Variables, update_in_place};
    use crate::ops::check::{TestRng, close, narrow, widen};

    /// Close to the layer's own products, whatever the width; after the weights have changed, to the new ones.
    #[test]
    fn products_follow_the_weights() {
        for outputs in [48, 37] {
            let variables = Variables::random(1);
            let linear = Linear::new(&variables.detached(), 40, outputs).expect("a layer");
            let layer = Int8Linear::new(linear.clone());
            let x = narrow(&TestRng::new(2).normals(100 * 40, 1.0));
            let x = Tensor::from_vec(x, (4, 25, 40), &Device::Cpu).expect("x");
            for round in 0..2 {
                let want = widen(&read(&linear.forward(&x).expect("y")).expect("values"));
                let got = layer.forward(&x).expect("y");
                assert_eq!(got.dims(), [4, 25, outputs]);
                close(&read(&got).expect("values"), &want, 2e-2, 3e-2)
                    .unwrap_or_else(|e| panic!("{round}: {e}"));
                let var = variables.get("weight").expect("the weights").var;
                update_in_place(&var, |w| w.iter_mut().for_each(|w| *w = 0.5 - 3.0 * *w))
                    .expect("new weights");
            }
            assert!(layer.forward(&x.narrow(2, 0, 3).expect("narrow")).is_err());
        }
    }

    #[test]
    fn fingerprints_differ() {
        let values = narrow(&TestRng::new(3).normals(40_000, 1.0));
        let mut other = values.clone();
        other.swap(1, 30_000);
        assert_ne!(fingerprint(&values), fingerprint(&other));
        assert_eq!(fingerprint(&values), fingerprint(&values.clone()));
    }
}
