//! Rays with given samples: a sampler and a marcher in one.

use super::*;
use crate::ops::check::narrow;
use std::collections::HashMap;

/// Cameras that rays come from.
pub const CAMERAS: usize = 3;

/// A ray, its pixel (color, alpha, background, distance) and its samples.
pub struct Shot {
    pub ray: Ray,
    pub target: [f32; 8],
    pub samples: Samples,
}

pub struct Shots {
    pub all: Vec<Shot>,
    /// The marcher knows a ray by its origin.
    by_origin: HashMap<[u32; 3], usize>,
    /// The marcher gives no more than this many samples at a time.
    pub stretch: usize,
}

impl Shots {
    /// One ray per entry of `counts`, with so many samples, inside a box of side `side` and slightly beyond it.
    pub fn new(seed: u64, side: f32, counts: impl IntoIterator<Item = usize>) -> Self {
        let mut rng = TestRng::new(seed);
        let all: Vec<Shot> = counts.into_iter().map(|n| Shot::new(&mut rng, f64::from(side), n)).collect();
        let by_origin: HashMap<_, _> = all.iter().map(|s| key(&s.ray)).zip(0..).collect();
        assert_eq!(by_origin.len(), all.len(), "origins are unique");
        Self { all, by_origin, stretch: usize::MAX }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn rays(&self) -> Vec<Ray> {
        self.all.iter().map(|s| s.ray).collect()
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

fn key(ray: &Ray) -> [u32; 3] {
    ray.origin.map(f32::to_bits)
}

impl Sampler for Shots {
    fn ray(&self, index: usize, target: &mut [f32]) -> Ray {
        target.copy_from_slice(&self.all[index].target[..target.len()]);
        self.all[index].ray
    }
}

impl Marcher for Shots {
    fn march(&self, rays: &[Ray], live: &mut [Live], limit: usize, out: &mut Staged) {
        for l in live {
            let samples = &self.all[self.by_origin[&key(&rays[l.ray as usize])]].samples;
            let start = samples.t.partition_point(|t| *t < l.from);
            let end = samples.t.len().min(start.saturating_add(limit.min(self.stretch)));
            out.samples.t.extend_from_slice(&samples.t[start..end]);
            out.samples.dt.extend_from_slice(&samples.dt[start..end]);
            out.counts.push((end - start) as u32);
            l.from = samples.t.get(end).copied().unwrap_or(f32::INFINITY);
        }
    }
}
