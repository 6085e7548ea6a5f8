//! Writing.

use super::{CompactOptions, KIND, LEAST, OCCUPIED, Report, Values, calibrate, codec};
use crate::error::NerfError;
use crate::identity;
use crate::model::Model;
use crate::reach::{Space, sharing};
use nerve_core::checkpoint::{self, CheckpointError, TensorData};
use nerve_core::engine::EngineError;
use nerve_data::Scene;
use rayon::prelude::*;
use std::io::ErrorKind;
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

/// Writes a field; `seen` hears how many of its blocks have been calibrated, by what its training cameras see. The file is
/// complete or not there at all. A field in training is written through
/// [`Trainer::averaged`](crate::Trainer::averaged).
///
/// Only a model that is not [whole](Model::is_whole) needs its `scene`, which it is [attached](Model::attach) to first.
///
/// # Errors
/// If the loss is no small number of decibels, or the file cannot be written; or without a scene that is needed.
pub fn write(
    model: &mut Model,
    scene: Option<&Scene>,
    path: &Path,
    options: &CompactOptions,
    seen: &mut dyn FnMut(usize, usize),
) -> Result<Report, NerfError> {
    options.validate()?;
    if let Some(scene) = scene.filter(|_| model.loss.is_none()) {
        calibrate::measure(model, scene)?;
    }
    let mut meta = identity::of(model, path)?;
    let mut frames = frames(model, path, options, seen)?;
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
    checkpoint::save(path, &meta, &tensors).map_err(|error| unwritten(path, error))?;
    let size = std::fs::metadata(path).map_err(|source| NerfError::File { path: path.to_owned(), source })?;
    Ok(Report {
        occupied: raw.len() as u64,
        full: 4 * model.parameters() as u64,
        removed: frames.iter().map(|f| f.removed).sum(),
        quantised: frames.iter().map(|f| f.quantised).sum(),
        file: size.len(),
    })
}

/// What can be done where the file cannot be written.
fn unwritten(path: &Path, error: CheckpointError) -> NerfError {
    let Some(system) = error.io() else { return error.into() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.display();
    let remedy = match system.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room and export again".to_owned()
        }
        ErrorKind::NotFound => format!("make the folder {folder} first, or give another FILE"),
        ErrorKind::NotADirectory => format!("{folder} is no folder: give another FILE"),
        _ => format!("make {folder} writable, or give a FILE elsewhere"),
    };
    NerfError::Compact { path: path.to_owned(), reason: format!("cannot be written: {system}; {remedy}") }
}

/// All blocks, coded; of tables what is left of them.
fn frames(
    model: &mut Model,
    path: &Path,
    options: &CompactOptions,
    seen: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Frame>, NerfError> {
    let space = Space::occupied(model.occupancy.bits(), model.volume.side);
    let layout = model.engine.layout().clone();
    let read = |id| model.engine.read(id);
    let mut values = layout.params.ids().map(read).collect::<Result<Vec<Vec<f32>>, EngineError>>()?;
    let tables = layout.handles.tables.iter().zip(&layout.levels);
    let kept: Vec<_> = tables
        .collect::<Vec<_>>()
        .into_par_iter()
        .with_max_len(1)
        .map(|(id, level)| (*id, codec::kept(level, &values[id.index()], &sharing(level, &space).counts)))
        .collect();
    kept.into_iter().for_each(|(id, kept)| values[id.index()] = kept);
    let mut steps = vec![None; values.len()];
    if options.values == Values::U8 {
        let coarse: Vec<_> = layout.handles.tables.iter().copied().chain(layout.handles.saliency).collect();
        let found: Vec<_> = coarse.iter().map(|id| (*id, &*values[id.index()])).collect();
        let found =
            calibrate::steps(model, &found, options.loss, seen)?.ok_or_else(|| NerfError::Compact {
                path: path.to_owned(),
                reason: "cannot be calibrated: an earlier nerve trained this field, and kept neither cameras nor the \
                         loss; its scene is needed, or half-precision values: --values f16"
                    .into(),
            })?;
        coarse.into_iter().zip(found).for_each(|(id, step)| steps[id.index()] = Some(step));
    }
    let parts = layout.params.blocks().par_iter().zip(values).zip(steps).with_max_len(1);
    parts.map(|((block, values), step)| frame(&block.name, &values, step)).collect()
}

/// A block's values, as multiples of the step if there is one, else as f16.
fn frame(name: &str, values: &[f32], step: Option<f32>) -> Result<Frame, NerfError> {
    let raw = step.map_or_else(|| codec::halves(values), |step| codec::codes(values, step));
    let (name, data) = (name.to_owned(), codec::squeeze(&raw).map_err(NerfError::Codec)?);
    Ok(Frame { name, step, removed: 4 * values.len() as u64, quantised: raw.len() as u64, data })
}
