//! Rays with given samples.

use super::*;
use crate::ops::check::narrow;
use crate::ops::march::Samples;

/// Cameras that rays come from.
pub const CAMERAS: usize = 3;

/// A ray, its pixel (color, alpha, background, distance) and its samples.
#[derive(Clone)]
pub struct Shot {
    pub ray: Ray,
    pub target: [f32; 8],
    pub samples: Samples,
}

pub struct Shots {
    pub all: Vec<Shot>,
    /// No more than this many samples of a ray are given at a time.
    pub stretch: usize,
}

impl Shots {
    /// One ray per entry of `counts`, with so many samples, inside a box of side `side` and slightly beyond it.
    pub fn new(seed: u64, side: f32, counts: impl IntoIterator<Item = usize>) -> Self {
        let mut rng = TestRng::new(seed);
        let all: Vec<Shot> = counts.into_iter().map(|n| Shot::new(&mut rng, f64::from(side), n)).collect();
        Self { all, stretch: usize::MAX }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn rays(&self) -> Vec<Ray> {
        self.all.iter().map(|s| s.ray).collect()
    }

    /// For a field whose targets have so many columns.
    pub fn given(&self, columns: usize) -> Given {
        let mut samples = GivenSamples::default();
        samples.stretch = Some(self.stretch);
        self.all.iter().for_each(|s| samples.push_ray(&s.samples.t, &s.samples.dt));
        let targets = self.all.iter().flat_map(|s| &s.target[..columns]).copied().collect();
        Given { rays: self.rays(), targets, samples }
    }
}

impl Shot {
    fn new(rng: &mut TestRng, side: f64, n: usize) -> Self {
        let origin = [0; 3].map(|_| (0.5 + side * rng.uniform(-0.2, 0.2)) as f32);
        let direction = rng.direction().map(|d| d as f32);
        let along = |i: usize, jitter: f64| 0.05 + side * 0.45 * (i as f64 + jitter) / n as f64;
        let t: Vec<f64> = (0..n).map(|i| along(i, rng.uniform(0.0, 0.9))).collect();
        // Lengths for a ray that is neither empty nor opaque, whatever its number of samples.
        let thickness = rng.uniform(0.3, 3.0) / n as f64;
        let dt = rng.uniforms(n, 0.5 * thickness, 1.5 * thickness);
        let samples = Samples { t: narrow(&t), dt: narrow(&dt) };
        let near = samples.t.first().copied().unwrap_or(0.0);
        let [a, b, c, d, e, f, g] = [0; 7].map(|_| rng.uniform(0.0, 1.0) as f32);
        // Every other ray with samples has a known distance, which is none of theirs.
        let distance = if n % 2 == 1 { 1.03 * samples.t[n / 2] } else { 0.0 };
        let target = [a, b, c, d, e, f, g, distance];
        let camera = (n % CAMERAS) as u32;
        let far = 1.0 + side as f32;
        Self { ray: Ray { origin, direction, near, far, camera }, target, samples }
    }
}

/// Shots as an engine takes them.
pub struct Given {
    pub rays: Vec<Ray>,
    pub targets: Vec<f32>,
    pub samples: GivenSamples,
}

impl Given {
    pub fn source(&self) -> SampleSource<'_> {
        SampleSource::Given(&self.samples)
    }

    /// A step at the end of the training that prunes nothing.
    pub fn step(&self, rate: f32) -> Step<'_> {
        let batch = Batch::Given { rays: &self.rays, targets: &self.targets, samples: self.source() };
        Step { batch, rate, progress: 1.0, pruning: Some(0.0), pose_levels: usize::MAX }
    }
}
