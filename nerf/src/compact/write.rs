//! Writing.

use super::{CompactOptions, KIND, LEAST, OCCUPIED, Report, Values, calibrate, codec};
use crate::error::NerfError;
use crate::field::SALIENCY;
use crate::identity;
use crate::model::Model;
use crate::reach::{Space, sharing};
use nerve_core::checkpoint::{self, TensorData};
use nerve_core::engine::TrainEngine;
use nerve_core::params::Block;
use nerve_data::Scene;
use rayon::prelude::*;
use std::path::Path;

/// A block on its way into the file.
struct Frame {
    name: String,
    /// Of 8-bit values.
    step: Option<f32>,
    removed: u64,
    quantised: u64,
    data: Vec<u8>,
}

/// Writes a field; `seen` hears how many of its blocks have been calibrated, on the scene's training views. The file is
/// complete or not there at all. A field in training is written through
/// [`Trainer::averaged`](crate::Trainer::averaged).
///
/// # Errors
/// If the loss is no small number of decibels, or the file cannot be written.
pub fn write(
    model: &mut Model,
    scene: &Scene,
    path: &Path,
    options: &CompactOptions,
    seen: &mut dyn FnMut(usize, usize),
) -> Result<Report, NerfError> {
    options.validate()?;
    let mut meta = identity::of(model, path)?;
    let mut frames = frames(model, scene, options, seen)?;
    let bits: &[u64] = model.occupancy.bits().words();
    let raw: Vec<u8> = bits.iter().flat_map(|w| w.to_le_bytes()).collect();
    let data = codec::squeeze(&raw).map_err(NerfError::Codec)?;
    let quantised = raw.len() as u64;
    frames.push(Frame { name: OCCUPIED.to_owned(), step: None, removed: 0, quantised, data });
    meta.extend([
        ("kind".to_owned(), KIND.to_owned()),
        ("step".to_owned(), model.step_count().to_string()),
        ("elapsed_ns".to_owned(), model.elapsed().as_nanos().to_string()),
        (LEAST.to_owned(), model.occupancy.least().to_string()),
        ("gamma".to_owned(), model.gamma.to_string()),
    ]);
    for frame in &frames {
        if let Some(step) = frame.step {
            meta.insert(format!("step/{}", frame.name), step.to_string());
        }
    }
    let tensors: Vec<_> =
        frames.iter().map(|f| (f.name.clone(), vec![f.data.len()], TensorData::U8(&f.data))).collect();
    checkpoint::save(path, &meta, &tensors)?;
    let size = std::fs::metadata(path).map_err(|source| NerfError::File { path: path.to_owned(), source })?;
    Ok(Report {
        full: 4 * model.parameters() as u64,
        removed: frames.iter().map(|f| f.removed).sum(),
        quantised: frames.iter().map(|f| f.quantised).sum(),
        file: size.len(),
    })
}

/// All blocks, coded. The levels' tables are the first blocks; what is left of them.
fn frames(
    model: &mut Model,
    scene: &Scene,
    options: &CompactOptions,
    seen: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Frame>, NerfError> {
    let space = Space::occupied(model.occupancy.bits(), model.volume.side);
    let levels = model.config().grid.levels()?;
    let tables: Vec<Vec<f32>> = levels
        .par_iter()
        .zip(model.engine.params().blocks())
        .with_max_len(1)
        .map(|(level, block)| codec::kept(level, &block.weight, &sharing(level, &space).counts))
        .collect();
    let blocks = model.engine.params().blocks();
    let others = blocks[levels.len()..].iter().map(|block| block.weight.to_vec());
    let values: Vec<Vec<f32>> = tables.into_iter().chain(others).collect();
    let mut steps = vec![None; values.len()];
    if options.values == Values::U8 {
        let coarse = |i: &usize| *i < levels.len() || blocks[*i].spec.name == SALIENCY;
        let coarse: Vec<usize> = (0..blocks.len()).filter(coarse).collect();
        let found: Vec<_> = coarse.iter().map(|i| (*i, &*values[*i])).collect();
        let found = calibrate::steps(model, scene, &found, options.loss, seen);
        coarse.into_iter().zip(found).for_each(|(i, step)| steps[i] = Some(step));
    }
    let blocks = model.engine.params().blocks();
    let parts = blocks.par_iter().zip(values).zip(steps).with_max_len(1);
    parts.map(|((block, values), step)| frame(block, &values, step)).collect()
}

/// A block's values, as multiples of the step if there is one, else as f16.
fn frame(block: &Block, values: &[f32], step: Option<f32>) -> Result<Frame, NerfError> {
    let raw = step.map_or_else(|| codec::halves(values), |step| codec::codes(values, step));
    let (name, data) = (block.spec.name.clone(), codec::squeeze(&raw).map_err(NerfError::Codec)?);
    Ok(Frame { name, step, removed: 4 * values.len() as u64, quantised: raw.len() as u64, data })
}
