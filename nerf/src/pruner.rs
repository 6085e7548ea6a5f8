//! HollowNeRF's pruner (Xie et al. 2023; section 3.3 and equation 7).
//!
//! It keeps the mean saliency `S(G) = mean(sigmoid(G))` under a share C of the cells, as an augmented
//! Lagrangian with one multiplier gamma:
//!
//! ```text
//! min over W, H, G, max over gamma >= 0:   L + rho / 2 max(S - C, 0)^2 + gamma (S - C)
//! each step   (1) one optimiser step on W, H, G with gamma held, (2) gamma <- max(0, gamma + rho (S - C))
//! ```
//!
//! The gradient of a logit is `(rho max(S - C, 0) + gamma) / N * p (1 - p)`, with N cells. Until `start` of the run is
//! done the grid stays as it is: a field that has seen nothing yet would lose its scene. Two things are ours, because
//! the paper does not print them: rho, and the grid's learning rate. Adam moves a logit that only the constraint pulls
//! by one learning rate a step, however weakly it pulls, so a rate per step would close cells after so many steps in
//! short and long runs alike; it is `travel` logits over the run instead, times the run's schedule (and about twice as
//! fast for the first hundred steps: Adam's bias correction counts the run's steps). In the same way
//! rho is given for the whole run: at a step that takes the run on by a share s of it, it counts s times.

use crate::hollow::{HollowConfig, Pruning};

/// The multiplier and what it follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Pruner {
    config: HollowConfig,
    /// S(G).
    pub mean: f64,
    /// The multiplier.
    pub gamma: f64,
    /// rho at this step.
    rho: f64,
}

impl Pruner {
    /// At the start of a run, with the mean saliency of the grid as it is.
    pub fn new(config: &HollowConfig, mean: f64) -> Self {
        Self { config: config.clone(), mean, gamma: 0.0, rho: 0.0 }
    }

    /// Prepares a step that takes the run on by a share of `stride`.
    pub fn pace(&mut self, stride: f64) {
        self.rho = self.config.rho * stride;
    }

    /// Whether the grid learns at this point of the run.
    fn learns(&self, progress: f64) -> bool {
        progress >= self.config.saliency_start
    }

    /// What every logit's `p (1 - p)` is multiplied with in the next step; `None` while the grid does not learn.
    pub fn slope(&self, progress: f64) -> Option<f32> {
        let c = &self.config;
        let slope = match c.pruner {
            Pruning::Admm => {
                (self.rho * (self.mean - c.saliency_share).max(0.0) + self.gamma) / c.cells() as f64
            }
            Pruning::L1 => c.l1_weight,
            Pruning::Off => 0.0,
        };
        self.learns(progress).then_some(slope as f32)
    }

    /// Takes note of the mean after a step that was taken at `progress`.
    pub fn follow(&mut self, mean: f64, progress: f64) {
        self.mean = mean;
        if self.config.pruner == Pruning::Admm && self.learns(progress) {
            self.gamma = (self.gamma + self.rho * (mean - self.config.saliency_share)).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_multiplier_rises_above_the_share_and_falls_to_zero_below() {
        let config =
            HollowConfig { rho: 0.1, saliency_share: 0.2, saliency_start: 0.0, ..HollowConfig::default() };
        let mut pruner = Pruner::new(&config, 0.7);
        pruner.pace(1.0);
        assert_eq!(pruner.slope(0.0).unwrap(), (0.1 * 0.5 / 64f64.powi(3)) as f32);
        pruner.follow(0.7, 0.0);
        pruner.follow(0.5, 0.0);
        assert!((pruner.gamma - 0.08).abs() < 1e-12);
        let want = (0.1 * 0.3 + 0.08) / 64f64.powi(3);
        assert!((f64::from(pruner.slope(0.0).unwrap()) / want - 1.0).abs() < 1e-6);
        for _ in 0..10 {
            pruner.follow(0.1, 0.0);
        }
        assert_eq!((pruner.gamma, pruner.slope(0.0)), (0.0, Some(0.0)));
    }

    #[test]
    fn nothing_learns_before_its_time() {
        let mut pruner = Pruner::new(&HollowConfig::default(), 0.7);
        pruner.pace(0.01);
        pruner.follow(0.7, 0.04);
        assert_eq!((pruner.slope(0.04), pruner.gamma), (None, 0.0));
        assert!(pruner.slope(0.05).is_some());
    }

    #[test]
    fn without_a_pruner_only_the_data_moves_the_grid() {
        let mut pruner = Pruner::new(&HollowConfig { pruner: Pruning::Off, ..HollowConfig::default() }, 0.7);
        pruner.follow(0.7, 1.0);
        assert_eq!((pruner.slope(1.0), pruner.gamma), (Some(0.0), 0.0));
        let l1 = Pruner::new(
            &HollowConfig { pruner: Pruning::L1, l1_weight: 1e-3, ..HollowConfig::default() },
            0.7,
        );
        assert_eq!(l1.slope(1.0), Some(1e-3));
    }
}
