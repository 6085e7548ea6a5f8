//! Training of a layer's projections on what was recorded of it alone.

use crate::graph::{
    Device, Gradients, Matcher, Optimizer, ParamGroup, Result, Tensor, Variables, differentiate,
};
use crate::graph::{to_vec, update_in_place};
use crate::layers::Eugen;
use crate::ops::eugen::FeatureConfig;
use crate::rng::{Rng, Stream, below};

/// Samples of a step.
const BATCH: usize = 2048;
/// The learning rate at first; it falls to nothing.
const RATE: f32 = 3e-3;

/// Trains G `[projection][column][feature]` so that a layer over its features gives `y` for `x`: rows of `inputs` and of `outputs`
/// values. Theta starts where `theta` (weight and bias) says and moves along; solve for it anew afterwards. Returns the trained
/// G.
///
/// # Errors
/// If tensors cannot be made.
#[allow(clippy::too_many_arguments)]
pub fn train_projections(
    config: &FeatureConfig,
    g: &[f32],
    theta: (&[f32], &[f32]),
    x: &[f32],
    y: &[f32],
    inputs: usize,
    outputs: usize,
    steps: usize,
    seed: u64,
) -> Result<Vec<f32>> {
    let variables = Variables::random(seed);
    let config = FeatureConfig { frozen: false, ..config.clone() };
    let layer = Eugen::new(&variables.tracked(), inputs, outputs, &config)?;
    for (key, values) in [("g", g), ("theta.weight", theta.0), ("theta.bias", theta.1)] {
        if let Some(variable) = variables.get(key) {
            update_in_place(&variable.var, |v| v.copy_from_slice(values))?;
        }
    }
    let group =
        ParamGroup { name: "layer".into(), matcher: Matcher::All, lr: RATE, decay: 0.0, frozen: false };
    let mut optimizer = Optimizer::new(&variables, None, &[group])?;
    let rows = x.len() / inputs;
    let size = y.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / y.len().max(1) as f64;
    let scale = if size > 0.0 { 1.0 / size } else { 1.0 };
    let batch = BATCH.min(rows);
    let (mut xs, mut ys) = (Vec::with_capacity(batch * inputs), Vec::with_capacity(batch * outputs));
    let mut gradients = Gradients::default();
    for step in 0..steps {
        xs.clear();
        ys.clear();
        for i in 0..batch {
            let [bits, ..] = Rng::new(seed).bits(Stream::Order, step as u64, i as u32);
            let row = below(bits, rows as u32) as usize;
            xs.extend_from_slice(&x[row * inputs..(row + 1) * inputs]);
            ys.extend_from_slice(&y[row * outputs..(row + 1) * outputs]);
        }
        let given = Tensor::from_slice(&xs, (batch, inputs), &Device::Cpu)?;
        let wanted = Tensor::from_slice(&ys, (batch, outputs), &Device::Cpu)?;
        differentiate(&mut gradients, || (layer.forward(&given)? - &wanted)?.sqr()?.mean_all()? * scale)?;
        let left = 1.0 - step as f32 / steps as f32;
        optimizer.step(&mut gradients, left, 1.0)?;
    }
    Ok(variables.get("g").map(|variable| to_vec(&variable.var)).unwrap_or_default())
}
