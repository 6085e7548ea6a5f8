//! What training will take in memory, before anything is loaded.

use crate::config::NerfConfig;
use crate::error::NerfError;
use crate::field;
use nerve_core::device::Device;
use nerve_core::engine::{self, EngineMemory};
use nerve_core::ops::march::CELLS;
use nerve_data::scene::{MemoryEstimate, Outline};
use serde::Serialize;

/// Bytes of an f32.
const VALUE: u64 = 4;

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

/// Estimates the memory of a training on `device` in a render box of side `aabb_scale`, with so many `threads` of the
/// processor.
///
/// # Errors
/// If the field cannot be, or not on this device.
pub fn estimate(
    device: Device,
    config: &NerfConfig,
    aabb_scale: u32,
    threads: usize,
) -> Result<TrainingMemory, NerfError> {
    // What is learnt about cameras is nothing beside the rest.
    let spec = field::spec(config, device.kind(), aabb_scale.max(1), 1);
    let EngineMemory { parameters, batch } =
        engine::memory(device, &spec, config.train.batch_samples, threads)?;
    let cascades = u64::from(aabb_scale.max(1).ilog2()) + 1;
    let occupancy = cascades * (VALUE * u64::from(CELLS as u32) + u64::from(CELLS as u32) / 8);
    Ok(TrainingMemory { parameters, batch, occupancy })
}

/// What a training takes in all: the scene's images and everything beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Whose memory it is.
    #[serde(skip)]
    pub device: Device,
    /// The images.
    pub images: MemoryEstimate,
    /// The rest.
    pub training: TrainingMemory,
}

/// Images smaller than this on their shorter side are not worth training on.
const SMALLEST_SIDE: u32 = 32;

impl Forecast {
    /// Of a scene, with its images as the outline was asked for.
    ///
    /// # Errors
    /// As [`estimate`].
    pub fn of(
        device: Device,
        config: &NerfConfig,
        outline: &Outline,
        threads: usize,
    ) -> Result<Self, NerfError> {
        let training = estimate(device, config, outline.aabb_scale, threads)?;
        Ok(Self { device, images: outline.memory(), training })
    }

    /// The peak in the device's memory. Decoding is the processor's, and over when training begins.
    pub fn total(&self) -> u64 {
        match self.device {
            Device::Cpu => self.images.images + self.images.decoding.max(self.training.total()),
            Device::Cuda(_) => self.images.images + self.training.total(),
        }
    }

    /// What of a training on a GPU is the processor's: the images, and an occupancy grid.
    pub fn beside_the_gpu(&self) -> Self {
        let training = TrainingMemory { parameters: 0, batch: 0, ..self.training };
        Self { device: Device::Cpu, training, ..*self }
    }

    /// The smallest downscale factor above `from` with which it fits into `available` bytes, and its forecast; `None`
    /// if none does.
    pub fn fitting(&self, outline: &Outline, from: u32, available: u64) -> Option<(u32, Self)> {
        let side = outline.views.iter().map(|view| view.header.width.min(view.header.height)).min()?;
        let at = |n| (n, Self { images: outline.memory_at(n), ..*self });
        (from + 1..=side / SMALLEST_SIDE).map(at).find(|(_, forecast)| forecast.total() <= available)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{FieldConfig, Method};
    use nerve_core::device::DeviceKind;
    use nerve_core::engine::{Options, Pool, Purpose};
    use nerve_core::ops::hash_grid::HashGridConfig;
    use nerve_core::ops::small_gemm::Precision;
    use nerve_core::params::StateData;

    #[test]
    fn parameters_are_those_of_the_field() {
        for (levels, density_layers, color_layers) in [(4, 1, 2), (6, 2, 1), (5, 3, 4)] {
            let mut config = NerfConfig {
                grid: HashGridConfig { levels, log2_entries: 10, ..HashGridConfig::default() },
                field: FieldConfig { density_layers, color_layers, ..FieldConfig::default() },
                ..NerfConfig::default()
            };
            // Every value of an engine's state is a word.
            let state = |config: &NerfConfig| -> u64 {
                let options = Options { purpose: Purpose::Train, pool: Pool::new(1).unwrap() };
                let engine =
                    engine::open(Device::Cpu, &field::spec(config, DeviceKind::Cpu, 1, 1), &options).unwrap();
                let state = engine.state().unwrap();
                let words = state.iter().map(|tensor| match &tensor.data {
                    StateData::F32(values) => values.len(),
                    StateData::U32(values) => values.len(),
                });
                4 * words.sum::<usize>() as u64
            };
            let plain = estimate(Device::Cpu, &config, 1, 2).unwrap();
            assert_eq!(plain.parameters, state(&config));
            config.train.dense_adam = true;
            assert_eq!(estimate(Device::Cpu, &config, 1, 2).unwrap().parameters, state(&config));
            config.train.dense_adam = false;
            config.field.method = Method::Hollow;
            assert_eq!(estimate(Device::Cpu, &config, 1, 2).unwrap().parameters, state(&config));
            config.field.method = Method::Plain;
            config.train.ema = Some(0.9);
            assert!(estimate(Device::Cpu, &config, 1, 2).unwrap().parameters > plain.parameters);
        }
    }

    /// A GPU keeps gradients of all tables, and half as much for each sample.
    #[test]
    fn the_estimate_is_the_devices() {
        let on = |device| estimate(device, &NerfConfig::default(), 1, 2).unwrap();
        let (cpu, gpu) = (on(Device::Cpu), on(Device::Cuda(1)));
        assert!(gpu.parameters > cpu.parameters, "{gpu:?} {cpu:?}");
        assert_eq!(gpu.occupancy, cpu.occupancy);
        let mut config = NerfConfig::default();
        config.train.precision = Some(Precision::F32);
        let single = estimate(Device::Cuda(0), &config, 1, 2).unwrap();
        assert!(single.batch > gpu.batch, "{single:?} {gpu:?}");
        config.cameras.refine_poses = true;
        assert!(estimate(Device::Cuda(0), &config, 1, 2).is_ok());
        config.field.width = 128;
        config.field.color_layers = 5;
        let error = estimate(Device::Cuda(1), &config, 1, 2).unwrap_err();
        assert!(error.is_unsupported(), "{error}");
        assert!(
            error.to_string().contains("cuda:1") && error.to_string().contains("--device cpu"),
            "{error}"
        );
    }

    #[test]
    fn the_smallest_factor_that_fits() {
        let folder = tempfile::tempdir().unwrap();
        nerve_data::demo::write(
            folder.path(),
            &nerve_data::demo::DemoConfig { resolution: 200, train: 4, test: 1, ..Default::default() },
            &|_, _| {},
        )
        .unwrap();
        let outline = nerve_data::scene::outline(folder.path(), &nerve_data::LoadOptions::default()).unwrap();
        let config = NerfConfig {
            grid: HashGridConfig { levels: 2, log2_entries: 8, ..HashGridConfig::default() },
            train: crate::config::TrainConfig { batch_samples: 1, ..Default::default() },
            ..NerfConfig::default()
        };
        let full = Forecast::of(Device::Cpu, &config, &outline, 1).unwrap();
        assert_eq!(full.images.images, 5 * 200 * 200 * 4);
        let training = full.training.total();
        for (available, wanted) in [
            (full.total() - 1, Some(2)),
            (training + 5 * 66 * 66 * 4, Some(3)),
            (training + 5 * 66 * 66 * 4 - 1, Some(4)),
            (training, None),
        ] {
            let found = full.fitting(&outline, 1, available);
            assert_eq!(found.map(|(n, _)| n), wanted, "{available}");
            assert!(found.is_none_or(|(_, forecast)| forecast.total() <= available));
        }
        assert_eq!(full.fitting(&outline, 3, u64::MAX).unwrap().0, 4, "above what was asked for");
    }

    #[test]
    fn it_grows_with_what_it_depends_on() {
        let config = NerfConfig::default();
        let small = estimate(Device::Cpu, &config, 1, 1).unwrap();
        let large = estimate(Device::Cpu, &config, 4, 2).unwrap();
        assert_eq!(large.occupancy, 3 * small.occupancy);
        assert!(large.batch > small.batch && large.total() > small.total());
    }
}
