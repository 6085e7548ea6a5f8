//! How coarse each level's values may become, and the saliency grid's, which counts as one more level.
//!
//! Noise of variance `s^2 / 12` in a level's values changes pictures by a mean square that grows as `a_l s_l^2`, and a
//! level of `n_l` values takes `n_l log2(1 / s_l)` bits and a constant. The fewest bits for a given sum of changes D
//! are those with `a_l s_l^2` proportional to `n_l`: `s_l^2 = D n_l / (a_l sum(n))`. The `a_l` are measured: each level
//! is quantized alone, and what training views change by is taken. D follows from the loss in dB that is allowed: with
//! M the mean square error that the field had on these views in the end of its training, `D = M (10^(dB / 10) - 1)`, as if
//! both errors were independent.

use super::codec;
use crate::capture::CapturedView;
use crate::error::NerfError;
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

/// The step of each of these blocks, with what is kept of them, for a loss of `decibel` on training views; `None` where
/// the model knows no cameras or no [`loss`](Model::loss).
pub(super) fn steps(
    model: &mut Model,
    blocks: &[(BlockId, &[f32])],
    decibel: f64,
    seen: &mut dyn FnMut(usize, usize),
) -> Result<Option<Vec<f32>>, NerfError> {
    let views = views(model);
    let Some(loss) = model.loss.filter(|_| !views.is_empty()) else { return Ok(None) };
    let allowed = loss * (10f64.powf(decibel / 10.0) - 1.0);
    let whole = look(model, &views)?;
    let all: usize = blocks.iter().map(|(_, values)| values.len()).sum();
    let mut steps = Vec::with_capacity(blocks.len());
    for (block, values) in blocks {
        seen(steps.len(), blocks.len());
        let probe = codec::rms(values) * PROBE;
        let changed = if probe > 0.0 { square(&look_at(model, *block, probe, &views)?, &whole) } else { 0.0 };
        let per_square = changed.max(LEAST) / f64::from(probe.max(f32::MIN_POSITIVE)).powi(2);
        let step = (allowed * values.len() as f64 / (per_square * all as f64)).sqrt();
        // Beyond twice its size a level is all zeros.
        steps.push((step as f32).min(2.0 * codec::rms(values)).max(f32::MIN_POSITIVE));
    }
    Ok(Some(steps))
}

/// The views that are looked at.
fn views(model: &Model) -> Vec<CapturedView> {
    let every = model.capture().trained().count().div_ceil(VIEWS).max(1);
    model.capture().trained().step_by(every).cloned().collect()
}

/// Measures the loss of a model of an earlier version, which does not know it, on the scene's photographs.
pub(super) fn measure(model: &mut Model, scene: &Scene) -> Result<(), NerfError> {
    let views = views(model);
    let image = |view: &CapturedView| scene.views.iter().find(|v| v.name == view.name).map(|v| &v.image);
    let truth: Option<Vec<Vec<u8>>> = views.iter().map(|view| Some(flatten(image(view)?, 1.0))).collect();
    let truth: Vec<f32> = truth.unwrap_or_default().concat().iter().map(|v| f32::from(*v) / 255.0).collect();
    let shown = look(model, &views)?;
    if !truth.is_empty() && truth.len() == shown.len() {
        model.loss = Some(square(&shown, &truth));
    }
    Ok(())
}

/// Colors of all pixels of the views, on white.
fn look(model: &mut Model, views: &[CapturedView]) -> Result<Vec<f32>, NerfError> {
    let mut colors = Vec::new();
    for view in views {
        let correction = model.correction(&view.name);
        colors.extend(model.render_corrected(&view.camera, correction)?.colors(1.0));
    }
    Ok(colors)
}

/// The same with one block's values rounded to multiples of `step`.
fn look_at(
    model: &mut Model,
    block: BlockId,
    step: f32,
    views: &[CapturedView],
) -> Result<Vec<f32>, NerfError> {
    let kept = model.engine.read(block)?;
    let mut rounded = kept.clone();
    rounded.par_iter_mut().for_each(|v| *v = (*v / step).round() * step);
    model.engine.write(block, &rounded)?;
    let seen = look(model, views);
    model.engine.write(block, &kept)?;
    seen
}

fn square(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len().max(1) as f64
}
