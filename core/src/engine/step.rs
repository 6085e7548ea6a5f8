//! What goes into a training step and what is known afterwards.

use super::{Marcher, Sampler};
use std::time::Duration;

/// One step's inputs.
pub struct StepInput<'a> {
    /// Chooses rays.
    pub sampler: &'a dyn Sampler,
    /// Finds their samples.
    pub marcher: &'a dyn Marcher,
    /// Number of rays.
    pub rays: usize,
    /// Learning rate.
    pub rate: f32,
    /// The share of the training that is done, 0 to 1.
    pub progress: f64,
    /// How hard the saliency grid's cells are pushed to close: the slope of [`penalize`](crate::ops::saliency).
    /// `None` leaves the grid as it is.
    pub pruning: Option<f32>,
    /// Poses hear of so many levels of the encoding, the coarsest ones; all tables learn.
    pub pose_levels: usize,
}

impl std::ops::AddAssign for Phases {
    fn add_assign(&mut self, other: Self) {
        self.draw += other.draw;
        self.stages += other.stages;
        self.dense += other.dense;
        self.tables += other.tables;
    }
}

/// One step's outcome.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepStats {
    /// Rays asked for.
    pub rays: usize,
    /// Rays that met at least one occupied cell.
    pub hits: usize,
    /// Samples marched and encoded.
    pub samples: usize,
    /// Samples in front of the surface, which took part in the backward pass.
    pub kept: usize,
    /// Mean loss over all rays.
    pub loss: f64,
    /// How the rays' weights are spread, means over all rays: distortion, and deviation from known distances; 0 where
    /// it has no weight in the loss, of which it is no part here.
    pub spread: [f64; 2],
    /// S(G) after the step: the mean of the saliency grid's sigmoids; 0 without a grid.
    pub saliency: f64,
    /// Time per phase.
    pub phases: Phases,
}

/// Wall time of a step's phases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    /// Rays, marching, encoding, probing.
    pub draw: Duration,
    /// Stages forward and back.
    pub stages: Duration,
    /// Sums of gradients, dense update.
    pub dense: Duration,
    /// Scatter and update of the tables.
    pub tables: Duration,
}
