//! The pose of a held-out view, fitted to its photograph with the field held fixed.
//!
//! Where poses are refined, those of held-out views are as wrong as the others were, and the plain figure measures that
//! too. The usual protocol (BARF, Lin et al. 2021, section 4.2) measures a second time from where the photograph fits
//! best. It is a figure of its own, beside the plain one.

use crate::error::NerfError;
use crate::model::Model;
use crate::trainer::POINT_SHARE;
use crate::views::TrainingViews;
use nerve_core::engine::{Batch, Draw, Key, Poses, Space, Step, ViewsId};
use nerve_core::ops::rigid::{Correction, VALUES, turn_gradient};
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
/// threads. `None` where poses are neither learned nor asked for ([`fit_poses`](crate::config::CameraConfig)), and of
/// training views.
///
/// # Errors
/// If the device fails.
pub(crate) fn fit_pose(
    model: &mut Model,
    scene: &Scene,
    view: usize,
) -> Result<Option<Correction>, NerfError> {
    if !model.config().cameras.traces_rays() || scene.splits.train.binary_search(&view).is_ok() {
        return Ok(None);
    }
    let views = TrainingViews::of(scene, &[view]);
    if views.is_empty() {
        return Ok(None);
    }
    let views = model.engine.add_views(views.for_engine(scene))?;
    let fitted = descend(model, views);
    model.engine.remove_views(views);
    fitted.map(Some)
}

/// Adam from where the camera was given.
fn descend(model: &mut Model, views: ViewsId) -> Result<Correction, NerfError> {
    let (config, progress) = (model.config().clone(), model.progress());
    let (mut x, mut m, mut v) = ([0.0f32; VALUES], [0.0f64; VALUES], [0.0f64; VALUES]);
    let mut rays = RAYS[0];
    for step in 0..STEPS {
        let draw = Draw {
            views,
            rays,
            key: Key { seed: config.train.run.seed, step: FIRST_STEP + step },
            background: config.train.background.into(),
            point_share: POINT_SHARE,
            poses: Poses::Corrected(&[x]),
            space: Space { bits: model.occupancy.bits(), volume: model.volume },
        };
        let pose_levels = config.pose_levels();
        let batch = Batch::Drawn(draw);
        let input = Step { batch, rate: 0.0, progress, pruning: None, pose_levels };
        let mut sums = [[0.0; VALUES]];
        let drawn = model.engine.trace(&input, &mut sums)?.samples;
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
    Ok(Correction::new(&x))
}
