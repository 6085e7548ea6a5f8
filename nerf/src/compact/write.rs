//! Writing.

use super::{CompactOptions, KIND, OCCUPIED, Report, Values, codec};
use crate::field::SALIENCY;
use crate::reach::{Space, sharing};
use crate::trainer::{NerfError, Trainer};
use nerve_core::checkpoint::{self, TensorData};
use nerve_core::engine::TrainEngine;
use nerve_core::ops::hash_grid::Level;
use nerve_core::params::Block;
use rayon::prelude::*;
use std::collections::BTreeMap;
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

impl Trainer {
    /// Writes the field, its average where one is kept. The file is complete or not there at all.
    ///
    /// # Errors
    /// If the step is not a positive number, or the file cannot be written.
    pub fn write_compact(&mut self, path: &Path, options: &CompactOptions) -> Result<Report, NerfError> {
        crate::config::check(
            options.step > 0.0 && options.step <= 2.0,
            "--step",
            options.step.to_string(),
            "use a share of the root mean square, such as 0.2",
        )?;
        self.swap_average();
        let frames = self.frames(options);
        self.swap_average();
        let mut frames = frames.map_err(|source| NerfError::Compact {
            path: path.to_owned(),
            reason: format!("cannot be coded: {source}"),
        })?;
        let bits: &[u64] = self.occupancy.bits().words();
        let raw: Vec<u8> = bits.iter().flat_map(|w| w.to_le_bytes()).collect();
        let data = codec::squeeze(&raw).map_err(|source| NerfError::Compact {
            path: path.to_owned(),
            reason: format!("cannot be coded: {source}"),
        })?;
        let quantised = raw.len() as u64;
        frames.push(Frame { name: OCCUPIED.to_owned(), step: None, removed: 0, quantised, data });
        let mut meta = BTreeMap::from([
            ("kind".to_owned(), KIND.to_owned()),
            ("step".to_owned(), self.step_count().to_string()),
            ("elapsed_ns".to_owned(), self.elapsed().as_nanos().to_string()),
            ("config".to_owned(), serde_json::to_string(self.config()).unwrap_or_default()),
        ]);
        for frame in &frames {
            if let Some(step) = frame.step {
                meta.insert(format!("step/{}", frame.name), step.to_string());
            }
        }
        let tensors: Vec<_> =
            frames.iter().map(|f| (f.name.clone(), vec![f.data.len()], TensorData::U8(&f.data))).collect();
        checkpoint::save(path, &meta, &tensors)?;
        let size = std::fs::metadata(path)
            .map_err(|source| NerfError::Folder { path: path.to_owned(), source })?;
        Ok(Report {
            full: 4 * self.parameters() as u64,
            removed: frames.iter().map(|f| f.removed).sum(),
            quantised: frames.iter().map(|f| f.quantised).sum(),
            file: size.len(),
        })
    }

    /// All blocks, coded.
    fn frames(&self, options: &CompactOptions) -> std::io::Result<Vec<Frame>> {
        let space = Space::occupied(self.occupancy.bits(), self.scene().aabb_scale as f32);
        let levels = self.config().grid.levels().unwrap_or_default();
        let blocks = self.engine.params().blocks();
        let coded = blocks.par_iter().enumerate().with_max_len(1);
        coded.map(|(i, block)| frame(block, levels.get(i), &space, options)).collect()
    }
}

/// One block: a level's table, the saliency grid, or a matrix.
fn frame(block: &Block, level: Option<&Level>, space: &Space, o: &CompactOptions) -> std::io::Result<Frame> {
    let name = block.spec.name.clone();
    let values = match level {
        Some(level) => codec::kept(level, &block.weight, &sharing(level, space)),
        None => block.weight.to_vec(),
    };
    let step = match level {
        Some(_) if o.values == Values::U8 => Some(codec::step(&values, o.step)),
        None if name == SALIENCY => Some(codec::step(&values, 0.0)),
        _ => None,
    };
    let raw = step.map_or_else(|| codec::halves(&values), |step| codec::codes(&values, step));
    let data = codec::squeeze(&raw)?;
    Ok(Frame { name, step, removed: 4 * values.len() as u64, quantised: raw.len() as u64, data })
}
