//! How coarse each level's values may become, and the saliency grid's, which counts as one more level.
//!
//! Noise of variance `s^2 / 12` in a level's values changes pictures by a mean square that grows as `a_l s_l^2`, and a
//! level of `n_l` values takes `n_l log2(1 / s_l)` bits and a constant. The fewest bits for a given sum of changes D
//! are those with `a_l s_l^2` proportional to `n_l`: `s_l^2 = D n_l / (a_l sum(n))`. The `a_l` are measured: each level
//! is quantised alone, and what training views change by is taken. D follows from the loss in dB that is allowed: with
//! M the mean square error that the field has on these views, `D = M (10^(dB / 10) - 1)`, as if both errors were
//! independent.

use super::codec;
use crate::error::NerfError;
use crate::eval::render_view;
use crate::model::Model;
use crate::rendering::flatten;
use nerve_core::params::BlockId;
use nerve_data::Scene;
use rayon::prelude::*;

/// Training views that are looked at.
const VIEWS: usize = 4;

/// Step at which a level's effect is measured, as a share of its root mean square.
const PROBE: f32 = 0.25;

/// Changes below this are taken for it: a level that no picture shows could become anything.
const LEAST: f64 = 1e-12;

/// The step of each of these blocks, with what is kept of them, for a loss of `decibel` on the scene's training views.
pub(super) fn steps(
    model: &mut Model,
    scene: &Scene,
    blocks: &[(BlockId, &[f32])],
    decibel: f64,
    seen: &mut dyn FnMut(usize, usize),
) -> Result<Vec<f32>, NerfError> {
    let train = &scene.splits.train;
    let views: Vec<usize> = train.iter().step_by(train.len().div_ceil(VIEWS).max(1)).copied().collect();
    let truth: Vec<f32> = views
        .iter()
        .flat_map(|v| flatten(&scene.views[*v].image, 1.0))
        .map(|v| f32::from(v) / 255.0)
        .collect();
    let whole = look(model, scene, &views)?;
    let allowed = square(&whole, &truth) * (10f64.powf(decibel / 10.0) - 1.0);
    let all: usize = blocks.iter().map(|(_, values)| values.len()).sum();
    let mut steps = Vec::with_capacity(blocks.len());
    for (block, values) in blocks {
        seen(steps.len(), blocks.len());
        let probe = codec::rms(values) * PROBE;
        let changed = match probe > 0.0 {
            true => square(&look_at(model, *block, probe, scene, &views)?, &whole),
            false => 0.0,
        };
        let per_square = changed.max(LEAST) / f64::from(probe.max(f32::MIN_POSITIVE)).powi(2);
        let step = (allowed * values.len() as f64 / (per_square * all as f64)).sqrt();
        // Beyond twice its size a level is all zeros.
        steps.push((step as f32).min(2.0 * codec::rms(values)).max(f32::MIN_POSITIVE));
    }
    Ok(steps)
}

/// Colors of all pixels of the views, on white.
fn look(model: &mut Model, scene: &Scene, views: &[usize]) -> Result<Vec<f32>, NerfError> {
    let mut colors = Vec::new();
    for view in views {
        colors.extend(render_view(model, scene, *view)?.colors(1.0));
    }
    Ok(colors)
}

/// The same with one block's values rounded to multiples of `step`.
fn look_at(
    model: &mut Model,
    block: BlockId,
    step: f32,
    scene: &Scene,
    views: &[usize],
) -> Result<Vec<f32>, NerfError> {
    let kept = model.engine.read(block)?;
    let mut rounded = kept.clone();
    rounded.par_iter_mut().for_each(|v| *v = (*v / step).round() * step);
    model.engine.write(block, &rounded)?;
    let seen = look(model, scene, views);
    model.engine.write(block, &kept)?;
    seen
}

fn square(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len().max(1) as f64
}
