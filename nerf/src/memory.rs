//! What training will take in memory, before anything is loaded.

use crate::config::NerfConfig;
use crate::field::CHANNELS;
use nerve_core::ops::hash_grid::ConfigError;
use nerve_core::ops::march::CELLS;
use nerve_core::ops::sh;
use serde::Serialize;

/// Bytes of an f32.
const VALUE: u64 = 4;
/// Position, distance, length and ray of a sample, staged and packed.
const PER_SAMPLE: u64 = 12;

/// Memory of a training in bytes, on top of the images: an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TrainingMemory {
    /// Weights and Adam's two moments, and the average where one is kept.
    pub parameters: u64,
    /// Encodings and samples of one step, and a level's gradient for each worker.
    pub batch: u64,
    /// The occupancy grid.
    pub occupancy: u64,
}

impl TrainingMemory {
    /// Everything.
    pub fn total(&self) -> u64 {
        self.parameters + self.batch + self.occupancy
    }
}

/// Estimates the memory of a training in a render box of side `aabb_scale` on `threads` workers.
///
/// # Errors
/// If the grid's extents are out of range.
pub fn estimate(config: &NerfConfig, aabb_scale: u32, threads: usize) -> Result<TrainingMemory, ConfigError> {
    let levels = config.grid.levels()?;
    let tables = levels.iter().map(|level| (level.entries * level.features) as u64);
    let largest = tables.clone().max().unwrap_or(0);
    let (tables, networks) = (tables.sum::<u64>(), mlp_values(config));
    // Weight and two moments; a table's share a word. An average keeps, beside its values, a step for each line.
    let moments = if config.train.dense_adam { 2 } else { 1 };
    let average =
        u64::from(config.train.ema.is_some()) * (tables + networks + config.hollow.cells() as u64) * 17 / 16;
    let saliency = config.hollow.cells() as u64;
    let values = tables * (1 + moments) + (networks + saliency) * 3 + average;
    // Encodings of the rounds as levels and as rows, gradients as levels; samples of the rounds and of whole rays.
    let per_sample = 3 * config.grid.outputs() as u64 + 2 * PER_SAMPLE;
    let cascades = u64::from(aabb_scale.max(1).ilog2()) + 1;
    Ok(TrainingMemory {
        parameters: VALUE * values,
        batch: VALUE * (config.train.batch_samples as u64 * per_sample + threads as u64 * largest),
        occupancy: cascades * (VALUE * u64::from(CELLS as u32) + u64::from(CELLS as u32) / 8),
    })
}

/// Weights of both networks, which have no biases.
fn mlp_values(config: &NerfConfig) -> u64 {
    let f = &config.field;
    let mlp = |inputs, hidden: usize, outputs| f.width * (inputs + (hidden - 1) * f.width + outputs);
    let density = mlp(config.grid.outputs(), f.density_layers.max(1), f.geometry_features);
    let color = mlp(sh::COEFFICIENTS + f.geometry_features, f.color_layers.max(1), CHANNELS);
    (density + color) as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::FieldConfig;
    use crate::field;
    use crate::hollow::Method;
    use nerve_core::ops::hash_grid::HashGridConfig;
    use nerve_core::params::Params;

    #[test]
    fn parameters_are_those_of_the_field() {
        for (levels, density_layers, color_layers) in [(4, 1, 2), (6, 2, 1), (5, 3, 4)] {
            let mut config = NerfConfig {
                grid: HashGridConfig { levels, log2_entries: 10, ..HashGridConfig::default() },
                field: FieldConfig { density_layers, color_layers, ..FieldConfig::default() },
                ..NerfConfig::default()
            };
            let (params, _) = field::build(&config, 1, 1).unwrap();
            let plain = estimate(&config, 1, 2).unwrap();
            let state = |p: &Params| -> usize {
                p.blocks().iter().map(|b| b.weight.len() + b.m.len() + b.v.len() + b.packed.len()).sum()
            };
            assert_eq!(plain.parameters, 4 * state(&params) as u64);
            config.train.dense_adam = true;
            let (params, _) = field::build(&config, 1, 1).unwrap();
            assert_eq!(estimate(&config, 1, 2).unwrap().parameters, 4 * state(&params) as u64);
            config.train.dense_adam = false;
            config.hollow.method = Method::Hollow;
            let (params, _) = field::build(&config, 1, 1).unwrap();
            assert_eq!(estimate(&config, 1, 2).unwrap().parameters, 4 * state(&params) as u64);
            config.hollow.method = Method::Plain;
            config.train.ema = Some(0.9);
            assert!(estimate(&config, 1, 2).unwrap().parameters > plain.parameters);
        }
    }

    #[test]
    fn it_grows_with_what_it_depends_on() {
        let config = NerfConfig::default();
        let small = estimate(&config, 1, 1).unwrap();
        let large = estimate(&config, 4, 2).unwrap();
        assert_eq!(large.occupancy, 3 * small.occupancy);
        assert!(large.batch > small.batch && large.total() > small.total());
    }
}
