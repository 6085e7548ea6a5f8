//! Fixed batches: rays, targets and samples known beforehand, so that every step, engine and peer gets the same.

#![allow(dead_code, reason = "each bench uses a part of it")]

use nerve::core::engine::{BatchEngine, CAPACITY, Live, Marcher, Pool, Ray, Sampler, Samples, Staged};
use nerve::core::engine::{StepInput, StepStats, TrainEngine};
use nerve::core::rng::{Rng, Stream};
use nerve::core::simd::Isa;
use nerve::nerf::NerfConfig;
use nerve::nerf::field;
use nerve::nerf::objective::TARGETS;

/// Samples per ray of [`Batch::random`].
pub const PER_RAY: usize = 32;

/// The rays of one step and all that belongs to them.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    rays: Vec<Ray>,
    targets: Vec<[f32; TARGETS]>,
    /// Per ray: where its samples end; they start where those of the ray before end.
    ends: Vec<usize>,
    samples: Samples,
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
            for s in 0..PER_RAY {
                all.samples.push((s as f32 + random(4 + s as u32)[0]) * dt, dt);
            }
            let ([r, g, b, a], [x, y, z, _]) = (random(2), random(3));
            let ray = Ray { origin, direction: delta.map(|d| d / length), ..Ray::default() };
            all.close(ray, [r, g, b, a, x, y, z]);
        }
        all
    }

    /// The first `rays` rays of a sampler with all their samples.
    pub fn record(rays: usize, sampler: &dyn Sampler, marcher: &dyn Marcher) -> Self {
        let mut all = Self::default();
        for i in 0..rays {
            let mut target = [0.0; TARGETS];
            let ray = sampler.ray(i, &mut target);
            all.push(ray, target, marcher);
        }
        all
    }

    /// Adds a ray with the samples that `marcher` finds.
    pub fn push(&mut self, ray: Ray, target: [f32; TARGETS], marcher: &dyn Marcher) {
        if ray.near < ray.far {
            let (mut live, mut staged) = ([Live { ray: 0, from: ray.near }], Staged::default());
            marcher.march(&[ray], &mut live, CAPACITY, &mut staged);
            self.samples.t.extend(staged.samples.t);
            self.samples.dt.extend(staged.samples.dt);
        }
        self.close(ray, target);
    }

    /// Adds a ray to which all samples since the last one belong.
    fn close(&mut self, ray: Ray, target: [f32; TARGETS]) {
        self.rays.push(Ray { near: 0.0, far: f32::INFINITY, ..ray });
        self.targets.push(target);
        self.ends.push(self.samples.t.len());
    }

    /// The rays.
    pub fn rays(&self) -> &[Ray] {
        &self.rays
    }

    /// The rays' targets.
    pub fn targets(&self) -> &[[f32; TARGETS]] {
        &self.targets
    }

    /// The samples of one ray.
    pub fn samples(&self, ray: usize) -> (&[f32], &[f32]) {
        let start = if ray == 0 { 0 } else { self.ends[ray - 1] };
        let range = start..self.ends[ray];
        (&self.samples.t[range.clone()], &self.samples.dt[range])
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.t.len()
    }

    /// This batch as the input of a step.
    pub fn input(&self, rate: f32) -> StepInput<'_> {
        StepInput {
            sampler: self,
            marcher: self,
            rays: self.rays.len(),
            rate,
            progress: 0.0,
            pruning: None,
            pose_levels: usize::MAX,
        }
    }
}

impl Sampler for Batch {
    fn ray(&self, index: usize, target: &mut [f32]) -> Ray {
        target.copy_from_slice(&self.targets[index]);
        self.rays[index]
    }
}

impl Marcher for Batch {
    fn march(&self, _: &[Ray], live: &mut [Live], limit: usize, out: &mut Staged) {
        for l in live {
            let (t, dt) = self.samples(l.ray as usize);
            let first = t.partition_point(|t| *t < l.from);
            let end = t.len().min(first + limit);
            out.samples.t.extend_from_slice(&t[first..end]);
            out.samples.dt.extend_from_slice(&dt[first..end]);
            out.counts.push((end - first) as u32);
            l.from = t.get(end).copied().unwrap_or(f32::INFINITY);
        }
    }
}

/// The field of `config` on `threads` workers, with every sample taking part in the whole step.
pub fn engine(config: &NerfConfig, threads: usize) -> anyhow::Result<BatchEngine> {
    let mut config = config.clone();
    config.march.cut = 0.0;
    let (params, field) = field::build(&config, 1, 1)?;
    let engine = BatchEngine::new(Isa::best(), Pool::new(threads)?, params, field);
    Ok(engine.with_precision(config.train.precision))
}

/// An engine on random batches.
pub struct Bench {
    engine: BatchEngine,
    batches: Vec<Batch>,
}

impl Bench {
    /// The field of `config` on `threads` workers, `samples` per step.
    ///
    /// # Errors
    /// If the configuration is out of range or threads cannot be started.
    pub fn new(config: &NerfConfig, threads: usize, samples: usize) -> anyhow::Result<Self> {
        let batches = (0..4).map(|b| Batch::random(samples / PER_RAY, b)).collect();
        Ok(Self { engine: engine(config, threads)?, batches })
    }

    /// One training step.
    pub fn step(&mut self) -> StepStats {
        let batch = &self.batches[self.engine.params().step as usize % self.batches.len()];
        self.engine.step(&batch.input(1e-2))
    }
}
