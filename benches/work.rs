//! The work that the training benches share: random rays through the unit cube, 32 samples on each.

use nerve::core::engine::{BatchEngine, Marcher, Pool, Ray, Sampler, Samples};
use nerve::core::engine::{StepInput, StepStats, TrainEngine};
use nerve::core::rng::{Rng, Stream};
use nerve::core::simd::Isa;
use nerve::nerf::NerfConfig;
use nerve::nerf::field::instant_ngp;

/// Samples per ray.
pub const PER_RAY: usize = 32;

/// Rays between two random points of the unit cube, samples stratified along them, random targets.
pub struct RandomRays {
    rays: Vec<Ray>,
    targets: Vec<[f32; 7]>,
    jitter: Vec<f32>,
}

impl RandomRays {
    /// `rays` rays of one batch.
    pub fn new(rays: usize, batch: u64) -> Self {
        let rng = Rng::new(7);
        let random =
            |i: usize, word: u32| rng.uniform4(Stream::Pixels, batch << 8 | u64::from(word), i as u32);
        let ray = |i: usize| {
            let ([a, b, c, _], [d, e, f, _]) = (random(i, 0), random(i, 1));
            let (origin, end) = ([a, b, c], [d, e, f]);
            let delta: [f32; 3] = std::array::from_fn(|k| end[k] - origin[k]);
            let length = delta.iter().map(|d| d * d).sum::<f32>().sqrt().max(1e-3);
            // The place of the ray's jitter travels in `near`, negated.
            Ray { origin, direction: delta.map(|d| d / length), near: -((i * PER_RAY) as f32), far: length }
        };
        let target = |i: usize| {
            let ([r, g, b, a], [x, y, z, _]) = (random(i, 2), random(i, 3));
            [r, g, b, a, x, y, z]
        };
        Self {
            rays: (0..rays).map(ray).collect(),
            targets: (0..rays).map(target).collect(),
            jitter: (0..rays * PER_RAY).map(|i| random(i, 4)[0]).collect(),
        }
    }
}

impl Sampler for RandomRays {
    fn ray(&self, index: usize, target: &mut [f32]) -> Ray {
        target.copy_from_slice(&self.targets[index]);
        self.rays[index]
    }
}

impl Marcher for RandomRays {
    fn march(&self, ray: &Ray, _: f32, _: usize, out: &mut Samples) -> f32 {
        let dt = ray.far / PER_RAY as f32;
        let jitter = &self.jitter[-ray.near as usize..][..PER_RAY];
        for (i, j) in jitter.iter().enumerate() {
            out.push((i as f32 + j) * dt, dt);
        }
        f32::INFINITY
    }
}

/// An engine on that work.
pub struct Bench {
    engine: BatchEngine,
    batches: Vec<RandomRays>,
    rays: usize,
}

impl Bench {
    /// The field of `config` on `threads` workers, `samples` per step. No sample is dropped.
    pub fn new(config: &NerfConfig, threads: usize, samples: usize) -> Self {
        let mut config = config.clone();
        config.march.cut = 0.0;
        let (params, field) = instant_ngp(&config, 1).expect("the configuration is valid");
        let pool = Pool::new(threads).expect("threads start");
        let engine =
            BatchEngine::new(Isa::best(), pool, params, field).with_precision(config.train.precision);
        let rays = samples / PER_RAY;
        Self { engine, batches: (0..4).map(|b| RandomRays::new(rays, b)).collect(), rays }
    }

    /// One training step.
    pub fn step(&mut self) -> StepStats {
        let batch = &self.batches[self.engine.params().step as usize % self.batches.len()];
        self.engine.step(&StepInput { sampler: batch, marcher: batch, rays: self.rays, rate: 1e-2 })
    }
}
