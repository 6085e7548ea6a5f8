//! The pose of a held-out view, fitted to its photograph with the field held fixed.
//!
//! Where poses are refined, those of held-out views are as wrong as the others were, and the plain figure measures that
//! too. The usual protocol (BARF, Lin et al. 2021, section 4.2) measures a second time from where the photograph fits
//! best. It is a figure of its own, beside the plain one.

use crate::model::Model;
use crate::sampler::{Occupied, Pixels};
use crate::views::TrainingViews;
use nerve_core::engine::{StepInput, TrainEngine};
use nerve_core::ops::rigid::{Correction, VALUES, turn_gradient};
use nerve_core::rng::Rng;
use nerve_data::Scene;

/// Steps of Adam.
const STEPS: u64 = 150;
/// Fewest and most rays a step; fewer where more would have more samples than [`SAMPLES`], as in fog.
const RAYS: [usize; 2] = [256, 1024];
/// Samples a step that are enough.
const SAMPLES: usize = 1 << 16;
/// The first and the last learning rate, in radians and unit lengths; exponential in between.
const RATES: [f64; 2] = [2e-3, 1e-4];
/// Far behind the steps of any run: pixels of their own.
const FIRST_STEP: u64 = 1 << 60;

/// The correction of a view's pose with which the field shows its photograph best; the same on any number of
/// threads. `None` where poses are neither learnt nor asked for ([`fit_poses`](crate::config::CameraConfig)), and of
/// training views.
pub(crate) fn fit_pose(model: &mut Model, scene: &Scene, view: usize) -> Option<Correction> {
    let config = model.config().clone();
    if !config.cameras.traces_rays() || scene.splits.train.binary_search(&view).is_ok() {
        return None;
    }
    let (volume, progress, rng) = (model.volume, model.progress(), Rng::new(config.train.seed));
    let mut views = TrainingViews::of(scene, &[view]);
    if views.is_empty() {
        return None;
    }
    let (mut x, mut m, mut v) = ([0.0f32; VALUES], [0.0f64; VALUES], [0.0f64; VALUES]);
    let mut rays = RAYS[0];
    for step in 0..STEPS {
        views.correct(&x);
        let sampler = Pixels {
            scene,
            views: &views,
            volume,
            background: config.train.background,
            rng,
            step: FIRST_STEP + step,
        };
        let marcher = Occupied { bits: model.occupancy.bits(), steps: volume.steps };
        let input = StepInput {
            sampler: &sampler,
            marcher: &marcher,
            rays,
            rate: 0.0,
            progress,
            pruning: None,
            pose_levels: config.grid.levels,
        };
        let mut sums = [[0.0; VALUES]];
        let drawn = model.engine.trace(&input, &mut sums).samples;
        rays = (rays * SAMPLES / drawn.max(1)).clamp(RAYS[0], RAYS[1]);
        let [[a, b, c, shift @ ..]] = sums;
        let turn = turn_gradient(&x, [a, b, c]);
        let share = step as f64 / (STEPS - 1) as f64;
        let rate = RATES[0] * (RATES[1] / RATES[0]).powf(share);
        for (i, g) in turn.into_iter().chain(shift).enumerate() {
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.99 * v[i] + 0.01 * g * g;
            let t = step as i32 + 1;
            let (mean, square) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.99f64.powi(t)));
            x[i] -= (rate * mean / (square.sqrt() + 1e-15)) as f32;
        }
    }
    Some(Correction::new(&x))
}
