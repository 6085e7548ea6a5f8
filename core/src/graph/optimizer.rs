//! AdamW over a graph model's variables: groups by key, clipping, an average of the weights, exact resumption.
use std::collections::BTreeMap;

use candle_core::{Result, Var};
use rayon::prelude::*;

use super::{Gradients, ParamGroup, Variables, to_vec, update_in_place};
use crate::checkpoint::{Checkpoint, CheckpointError, TensorData};
use crate::ops::adam::{self, Adam};
use crate::simd::Isa;

/// Values that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// What the optimizer keeps of a variable.
#[derive(Clone, Debug)]
struct State {
    var: Var,
    lr: f32,
    decay: f32,
    m: Vec<f32>,
    v: Vec<f32>,
    /// Exponential average of the values; empty if there is none.
    average: Vec<f32>,
}

/// AdamW (Loshchilov & Hutter 2019) over the trainable variables of a model.
pub struct Optimizer {
    states: BTreeMap<String, State>,
    betas: [f32; 2],
    eps: f32,
    average: Option<f32>,
    steps: u64,
}

impl Optimizer {
    /// Over all trainable variables, each under the first of `groups` that takes it. `average` is the decay per step of an
    /// exponential average of the weights, if one is kept.
    ///
    /// # Errors
    /// If a trainable variable belongs to no group, or to one that is frozen.
    pub fn new(variables: &Variables, average: Option<f32>, groups: &[ParamGroup]) -> Result<Self> {
        let state = |(key, var): (String, Var)| {
            let ParamGroup { lr, decay, .. } = *ParamGroup::training(groups, &key, var.dims())?;
            let n = var.elem_count();
            let average = if average.is_some() { to_vec(&var) } else { Vec::new() };
            Ok((key, State { var, lr, decay, m: vec![0.0; n], v: vec![0.0; n], average }))
        };
        let states = variables.trainable().into_iter().map(state).collect::<Result<_>>()?;
        Ok(Self { states, betas: [0.9, 0.999], eps: 1e-8, average, steps: 0 })
    }

    /// Steps taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The norm of all gradients together, in a fixed order of sums.
    #[must_use]
    pub fn norm(&self, gradients: &Gradients) -> f64 {
        let square = |g: &[f32]| -> f64 {
            let parts: Vec<f64> =
                g.par_chunks(CHUNK).map(|g| g.iter().map(|g| f64::from(*g).powi(2)).sum()).collect();
            parts.iter().sum()
        };
        self.states.values().filter_map(|s| gradients.get(&s.var)).map(square).sum::<f64>().sqrt()
    }

    /// One step: gradients, scaled by `scale` (1 / accumulation, clipping), move variables at `factor` of their rates.
    /// A variable that no gradient reached stays.
    ///
    /// # Errors
    /// If a variable is not f32 in main memory.
    pub fn step(&mut self, gradients: &mut Gradients, factor: f32, scale: f32) -> Result<()> {
        self.steps += 1;
        // An average over all of a short run would still hold its beginning: it warms up.
        let t = self.steps as f32;
        let decay = self.average.map(|decay| decay.min((1.0 + t) / (10.0 + t)));
        for state in self.states.values_mut() {
            let Some(gradient) = gradients.get_mut(&state.var) else { continue };
            let (betas, eps) = (self.betas, self.eps);
            let adam = Adam { rate: state.lr * factor, betas, eps, decay: state.decay, sparse: false };
            let moments = state.m.par_chunks_mut(CHUNK).zip(state.v.par_chunks_mut(CHUNK));
            update_in_place(&state.var, |w| {
                let values = w.par_chunks_mut(CHUNK).zip(gradient.par_chunks_mut(CHUNK));
                values.zip(moments).for_each(|((w, g), (m, v))| {
                    if scale != 1.0 {
                        g.iter_mut().for_each(|g| *g *= scale);
                    }
                    adam::update(Isa::best(), &adam, self.steps, w, g, m, v);
                });
            })?;
            if let Some(decay) = decay {
                let average = &mut state.average;
                update_in_place(&state.var, |w| {
                    average.iter_mut().zip(w).for_each(|(a, w)| *a += (1.0 - decay) * (*w - *a));
                })?;
            }
        }
        Ok(())
    }

    /// Exchanges weights with their averages, where there are any; a second call undoes the first. No step may be
    /// taken in between.
    ///
    /// # Errors
    /// If a variable is not f32 in main memory.
    pub fn swap_average(&mut self) -> Result<()> {
        for state in self.states.values_mut().filter(|s| !s.average.is_empty()) {
            let average = &mut state.average;
            update_in_place(&state.var, |w| w.swap_with_slice(average))?;
        }
        Ok(())
    }

    /// Moments and averages as named tensors: `adam.m/KEY`, `adam.v/KEY` and `ema/KEY`.
    #[must_use]
    pub fn tensors(&self) -> Vec<(String, Vec<usize>, TensorData<'_>)> {
        let mut all = Vec::new();
        for (key, state) in &self.states {
            for (prefix, values) in [("adam.m", &state.m), ("adam.v", &state.v), ("ema", &state.average)] {
                if !values.is_empty() {
                    let shape = state.var.dims().to_vec();
                    all.push((format!("{prefix}/{key}"), shape, TensorData::F32(values)));
                }
            }
        }
        all
    }

    /// Reads what [`Self::tensors`] wrote after `steps` steps.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape.
    pub fn restore(
        &mut self,
        checkpoint: &Checkpoint,
        steps: u64,
    ) -> std::result::Result<(), CheckpointError> {
        self.steps = steps;
        for (key, state) in &mut self.states {
            let parts = [("adam.m", &mut state.m), ("adam.v", &mut state.v), ("ema", &mut state.average)];
            for (prefix, values) in parts {
                if !values.is_empty() {
                    checkpoint.read_into_f32(&format!("{prefix}/{key}"), state.var.dims(), values)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Init, Matcher, differentiate};

    fn model(average: Option<f32>) -> (Variables, Optimizer) {
        let variables = Variables::random(3);
        let scope = variables.tracked();
        scope.weight("a", &[3, 2], Init::Normal(1.0)).expect("a");
        scope.weight("b", &[2], Init::Constant(0.5)).expect("b");
        scope.buffer("mean", &[2], 1.0).expect("a buffer");
        let group = |name: &str, matcher, lr| ParamGroup {
            name: name.into(),
            matcher,
            lr,
            decay: 0.01,
            frozen: false,
        };
        let groups = [group("a", Matcher::Prefix("a".into()), 0.1), group("rest", Matcher::All, 0.0)];
        let optimizer = Optimizer::new(&variables, average, &groups).expect("an optimizer");
        (variables, optimizer)
    }

    fn step(variables: &Variables, optimizer: &mut Optimizer, scale: f32) {
        let var = |key| variables.get(key).expect("a variable").var;
        let sum = |key| var(key).sqr()?.sum_all();
        let mut gradients = Gradients::default();
        differentiate(&mut gradients, || sum("a")? + sum("b")?).expect("backward");
        optimizer.step(&mut gradients, 1.0, scale).expect("a step");
    }

    #[test]
    fn groups_hold_and_values_move_as_adam_says() {
        let (variables, mut optimizer) = model(None);
        let before = to_vec(&variables.get("a").expect("a").var);
        step(&variables, &mut optimizer, 1.0);
        let after = to_vec(&variables.get("a").expect("a").var);
        for (b, a) in before.iter().zip(&after) {
            // The first step is the rate, whatever the gradient.
            assert!((a - (b - 0.1 * 0.01 * b - 0.1 * b.signum())).abs() < 1e-5, "{b} became {a}");
        }
        assert_eq!(to_vec(&variables.get("b").expect("b").var), [0.5, 0.5], "a rate of 0");
    }

    #[test]
    fn the_norm_is_that_of_all() {
        let (variables, optimizer) = model(None);
        let b = variables.get("b").expect("b").var;
        let mut gradients = Gradients::default();
        differentiate(&mut gradients, || b.affine(3.0, 0.0)?.sum_all()).expect("backward");
        assert!((optimizer.norm(&gradients) - 18f64.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn averages_follow_and_swap() {
        let (variables, mut optimizer) = model(Some(0.9));
        let a = variables.get("a").expect("a").var;
        let start = to_vec(&a);
        step(&variables, &mut optimizer, 1.0);
        let moved = to_vec(&a);
        optimizer.swap_average().expect("swap");
        // After one step the decay is 2 / 11.
        for ((average, start), moved) in to_vec(&a).iter().zip(&start).zip(&moved) {
            assert!((average - (start + 9.0 / 11.0 * (moved - start))).abs() < 1e-6);
        }
        optimizer.swap_average().expect("swap");
        assert_eq!(to_vec(&a), moved);
    }

    #[test]
    fn a_restored_optimizer_goes_on_bit_for_bit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("checkpoint.safetensors");
        let (variables, mut optimizer) = model(Some(0.99));
        step(&variables, &mut optimizer, 1.0);
        crate::checkpoint::save(&path, &BTreeMap::new(), &optimizer.tensors()).expect("saved");
        let saved = to_vec(&variables.get("a").expect("a").var);
        step(&variables, &mut optimizer, 0.5);

        let (again, mut restored) = model(Some(0.99));
        update_in_place(&again.get("a").expect("a").var, |a| a.copy_from_slice(&saved)).expect("set");
        restored.restore(&Checkpoint::load(&path).expect("opened"), 1).expect("restored");
        step(&again, &mut restored, 0.5);
        assert_eq!(to_vec(&variables.get("a").expect("a").var), to_vec(&again.get("a").expect("a").var));
        optimizer.swap_average().and_then(|()| restored.swap_average()).expect("swap");
        assert_eq!(to_vec(&variables.get("a").expect("a").var), to_vec(&again.get("a").expect("a").var));
    }
}
