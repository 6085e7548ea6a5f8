//! Fixed batches: rays, targets and samples known beforehand, so that every step, engine and peer gets the same.

#![allow(dead_code, reason = "each bench uses a part of it")]

use nerve::core::device::Device;
use nerve::core::engine::{
    self, GivenSamples, Options, Pool, Purpose, SampleSource, Step, StepStats, TrainEngine,
};
use nerve::core::ops::loss::PIXEL;
use nerve::core::ops::march::Ray;
use nerve::core::rng::{Rng, Stream};
use nerve::nerf::NerfConfig;
use nerve::nerf::field;

/// Samples per ray of [`Batch::random`].
pub const PER_RAY: usize = 32;

/// The rays of one step and all that belongs to them.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    rays: Vec<Ray>,
    /// [`PIXEL`] values a ray.
    targets: Vec<f32>,
    samples: GivenSamples,
}

impl Batch {
    /// The peer's work: `rays` rays between two random points of the unit cube, [`PER_RAY`] stratified samples on
    /// each, random targets.
    pub fn random(rays: usize, batch: u64) -> Self {
        let rng = Rng::new(7);
        let mut all = Self::default();
        for i in 0..rays {
            let random = |word: u32| rng.uniform4(Stream::Pixels, batch << 8 | u64::from(word), i as u32);
            let ([a, b, c, _], [d, e, f, _]) = (random(0), random(1));
            let (origin, end) = ([a, b, c], [d, e, f]);
            let delta: [f32; 3] = std::array::from_fn(|k| end[k] - origin[k]);
            let length = delta.iter().map(|d| d * d).sum::<f32>().sqrt().max(1e-3);
            let dt = length / PER_RAY as f32;
            let t: Vec<f32> = (0..PER_RAY).map(|s| (s as f32 + random(4 + s as u32)[0]) * dt).collect();
            let ([r, g, b, a], [x, y, z, _]) = (random(2), random(3));
            let ray = Ray { origin, direction: delta.map(|d| d / length), ..Ray::default() };
            all.push(ray, [r, g, b, a, x, y, z], &t, &[dt; PER_RAY]);
        }
        all
    }

    /// Adds a ray with its pixel and its samples: distances and lengths.
    pub fn push(&mut self, ray: Ray, target: [f32; PIXEL], t: &[f32], dt: &[f32]) {
        self.rays.push(Ray { near: 0.0, far: f32::INFINITY, ..ray });
        self.targets.extend(target);
        self.samples.push_ray(t, dt);
    }

    /// The rays.
    pub fn rays(&self) -> &[Ray] {
        &self.rays
    }

    /// The rays' targets.
    pub fn targets(&self) -> &[[f32; PIXEL]] {
        self.targets.as_chunks().0
    }

    /// Where the rays' samples are.
    pub fn source(&self) -> SampleSource<'_> {
        SampleSource::Given(&self.samples)
    }

    /// The samples of one ray.
    pub fn samples(&self, ray: usize) -> (&[f32], &[f32]) {
        self.samples.ray(ray)
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// This batch as the input of a step.
    pub fn input(&self, rate: f32) -> Step<'_> {
        let (rays, targets, samples) = (&self.rays, &self.targets, self.source());
        let batch = engine::Batch::Given { rays, targets, samples };
        Step { batch, rate, progress: 0.0, pruning: None, pose_levels: usize::MAX }
    }
}

/// The field of `config` on `threads` workers, with every sample taking part in the whole step.
pub fn engine(config: &NerfConfig, threads: usize) -> anyhow::Result<Box<dyn TrainEngine>> {
    engine_on(Device::Cpu, config, threads)
}

/// The same on a device.
pub fn engine_on(
    device: Device,
    config: &NerfConfig,
    threads: usize,
) -> anyhow::Result<Box<dyn TrainEngine>> {
    let mut config = config.clone();
    config.march.cut = 0.0;
    let options = Options { purpose: Purpose::Train, pool: Pool::new(threads)? };
    Ok(engine::open(device, &field::spec(&config, device.kind(), 1, 1), &options)?)
}

/// An engine on random batches.
pub struct Bench {
    engine: Box<dyn TrainEngine>,
    batches: Vec<Batch>,
}

impl Bench {
    /// The field of `config` on `threads` workers, `samples` per step.
    ///
    /// # Errors
    /// If the configuration is out of range or threads cannot be started.
    pub fn new(config: &NerfConfig, threads: usize, samples: usize) -> anyhow::Result<Self> {
        Self::on(Device::Cpu, config, threads, samples)
    }

    /// The same on a device.
    ///
    /// # Errors
    /// Those of [`Self::new`], and if the device is not to be had.
    pub fn on(device: Device, config: &NerfConfig, threads: usize, samples: usize) -> anyhow::Result<Self> {
        let batches = (0..4).map(|b| Batch::random(samples / PER_RAY, b)).collect();
        Ok(Self { engine: engine_on(device, config, threads)?, batches })
    }

    /// One training step.
    ///
    /// # Panics
    /// If the device fails.
    pub fn step(&mut self) -> StepStats {
        let batch = &self.batches[self.engine.step_count() as usize % self.batches.len()];
        match self.engine.step(&batch.input(1e-2)) {
            Ok(stats) => stats,
            Err(e) => panic!("the step failed: {e}"),
        }
    }
}
