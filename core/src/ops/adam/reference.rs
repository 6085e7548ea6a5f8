//! Adam (Kingma and Ba 2015, algorithm 1) with decoupled weight decay (AdamW, Loshchilov and Hutter 2019),
//! the sparse rule for hash tables, and the exponential moving average of the weights; in f64.

/// Hyperparameters of one update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Learning rate of this step, after its schedule.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment, outside the root, after bias correction.
    pub eps: f64,
    /// Decoupled weight decay: the weight loses `lr * weight_decay` of itself before the update.
    pub weight_decay: f64,
    /// A value whose gradient is exactly 0 is left untouched: weight, both moments, and no decay.
    pub sparse: bool,
}

/// Weights with their moments, all of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Weights.
    pub w: Vec<f64>,
    /// First moments, 0 at the start.
    pub m: Vec<f64>,
    /// Second moments, 0 at the start.
    pub v: Vec<f64>,
}

impl State {
    /// Weights that have not been updated yet.
    pub fn new(w: Vec<f64>) -> Self {
        Self { m: vec![0.0; w.len()], v: vec![0.0; w.len()], w }
    }
}

/// One update with gradient `g`, the `step`-th since the start, counted from 1.
///
/// Bias correction goes by this global step for every value, also for one that the sparse rule skipped: its
/// moments then start smaller than the correction assumes, and it starts more carefully than dense Adam.
pub fn update(adam: &Adam, step: u32, state: &mut State, g: &[f64]) {
    let correction1 = 1.0 - adam.beta1.powf(step.into());
    let correction2 = 1.0 - adam.beta2.powf(step.into());
    for (i, &g) in g.iter().enumerate() {
        if adam.sparse && g == 0.0 {
            continue;
        }
        state.m[i] = adam.beta1 * state.m[i] + (1.0 - adam.beta1) * g;
        state.v[i] = adam.beta2 * state.v[i] + (1.0 - adam.beta2) * g * g;
        let (m, v) = (state.m[i] / correction1, state.v[i] / correction2);
        state.w[i] -= adam.lr * adam.weight_decay * state.w[i];
        state.w[i] -= adam.lr * m / (v.sqrt() + adam.eps);
    }
}

/// One step of the moving average: `ema = d ema + (1 - d) w`, with the weights after their update.
pub fn average(decay: f64, ema: &mut [f64], w: &[f64]) {
    for (ema, w) in ema.iter_mut().zip(w) {
        *ema = decay * *ema + (1.0 - decay) * w;
    }
}

/// The moving average of sparsely updated weights, brought up to date only where a weight moves or is read.
///
/// While w rests, k steps of [`average`] are `ema = w + d^k (ema - w)`: nothing is lost by being late.
#[derive(Debug, Clone, PartialEq)]
pub struct LazyAverage {
    decay: f64,
    ema: Vec<f64>,
    /// The step up to which each value is averaged.
    current: Vec<u32>,
}

impl LazyAverage {
    /// Starts at the weights, at step 0.
    pub fn new(decay: f64, w: &[f64]) -> Self {
        Self { decay, ema: w.to_vec(), current: vec![0; w.len()] }
    }

    /// The average of value i after `step` steps, `w` being its weight ever since it last moved.
    pub fn read(&mut self, i: usize, step: u32, w: f64) -> f64 {
        let rested = step.saturating_sub(self.current[i]);
        self.ema[i] = w + self.decay.powf(rested.into()) * (self.ema[i] - w);
        self.current[i] = step;
        self.ema[i]
    }

    /// Value i moved from `old` to `new` in `step` (counted from 1).
    pub fn moved(&mut self, i: usize, step: u32, old: f64, new: f64) {
        self.read(i, step - 1, old);
        self.read(i, step, new);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ops::check::{TestRng, close};

    const ADAM: Adam =
        Adam { lr: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-15, weight_decay: 0.0, sparse: false };

    #[test]
    fn the_first_step_is_the_learning_rate_against_the_sign() {
        let mut state = State::new(vec![1.0, 1.0, 1.0]);
        update(&ADAM, 1, &mut state, &[5.0, -1e-6, 0.0]);
        close(&state.w, &[0.99, 1.01, 1.0], 1e-10, 1e-10).unwrap();
    }

    #[test]
    fn two_steps_worked_by_hand() {
        let adam = Adam { lr: 0.1, beta1: 0.5, beta2: 0.75, eps: 0.5, weight_decay: 0.2, sparse: false };
        let mut state = State::new(vec![2.0]);
        update(&adam, 1, &mut state, &[4.0]);
        // m = 2 -> 4, v = 4 -> 16; w = 2 - 0.04 - 0.1 * 4 / 4.5.
        let first = 1.96 - 0.4 / 4.5;
        close(&state.w, &[first], 1e-14, 1e-14).unwrap();
        update(&adam, 2, &mut state, &[-2.0]);
        // m = 0, v = 3 + 1 = 4: only the decay acts.
        assert_eq!((state.m[0], state.v[0]), (0.0, 4.0));
        close(&state.w, &[first * 0.98], 1e-14, 1e-14).unwrap();
    }

    #[test]
    fn it_finds_the_minimum_of_a_badly_scaled_bowl() {
        let mut state = State::new(vec![3.0, -2.0]);
        for step in 1..=2000 {
            let g = [2e3 * (state.w[0] - 1.0), 2e-3 * (state.w[1] - 1.0)];
            let lr = 0.05 * 0.995f64.powf(step.into());
            update(&Adam { lr, ..ADAM }, step, &mut state, &g);
        }
        close(&state.w, &[1.0, 1.0], 1e-3, 1e-3).unwrap();
    }

    #[test]
    fn the_sparse_rule_touches_only_what_has_a_gradient() {
        let mut rng = TestRng::new(11);
        let start = State { w: rng.normals(40, 1.0), m: rng.normals(40, 1.0), v: rng.uniforms(40, 0.0, 1.0) };
        let g: Vec<f64> = (0..40).map(|i| if i % 3 == 0 { rng.normal() } else { 0.0 }).collect();
        let adam = Adam { weight_decay: 0.1, ..ADAM };
        let (mut dense, mut sparse) = (start.clone(), start.clone());
        update(&adam, 7, &mut dense, &g);
        update(&Adam { sparse: true, ..adam }, 7, &mut sparse, &g);
        for (i, &g) in g.iter().enumerate() {
            let expected = if g == 0.0 { &start } else { &dense };
            assert_eq!(
                (sparse.w[i], sparse.m[i], sparse.v[i]),
                (expected.w[i], expected.m[i], expected.v[i])
            );
            assert_ne!((dense.w[i], dense.m[i]), (start.w[i], start.m[i]));
        }
    }

    #[test]
    fn the_lazy_average_equals_the_eager_one() {
        let mut rng = TestRng::new(12);
        let mut state = State::new(rng.normals(30, 1.0));
        let mut eager = state.w.clone();
        let mut lazy = LazyAverage::new(0.95, &state.w);
        for step in 1..=60 {
            let touched = |rng: &mut TestRng| if rng.below(10) == 0 { rng.normal() } else { 0.0 };
            let g: Vec<f64> = (0..30).map(|_| touched(&mut rng)).collect();
            let before = state.w.clone();
            update(&Adam { lr: 0.3, sparse: true, ..ADAM }, step, &mut state, &g);
            average(0.95, &mut eager, &state.w);
            for i in (0..30).filter(|&i| before[i] != state.w[i]) {
                lazy.moved(i, step, before[i], state.w[i]);
            }
            if step % 20 == 0 {
                let read: Vec<f64> = (0..30).map(|i| lazy.read(i, step, state.w[i])).collect();
                close(&read, &eager, 1e-13, 1e-13).unwrap();
            }
        }
        assert!(close(&eager, &state.w, 1e-3, 1e-3).is_err(), "the average should trail the weights");
    }
}
