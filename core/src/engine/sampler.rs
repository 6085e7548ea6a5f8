//! Where rays and samples come from.

/// A ray in the marching frame: unit-cube units, cascade 0 is [0, 1]^3.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ray {
    /// Its start.
    pub origin: [f32; 3],
    /// Its direction, of unit length.
    pub direction: [f32; 3],
    /// Distance of the first candidate sample, jitter included.
    pub near: f32,
    /// Distance at which it leaves the render box; at most `near` if it misses the box.
    pub far: f32,
    /// Index of the camera it was cast from, for what is learnt about cameras.
    pub camera: u32,
}

/// Stretches of samples along rays: the distance `t` and the length `dt` of each.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Distances from the origins.
    pub t: Vec<f32>,
    /// Lengths.
    pub dt: Vec<f32>,
}

impl Samples {
    /// Forgets all samples, keeps the memory.
    pub fn clear(&mut self) {
        self.t.clear();
        self.dt.clear();
    }

    /// Adds one sample.
    #[inline]
    pub fn push(&mut self, t: f32, dt: f32) {
        self.t.push(t);
        self.dt.push(dt);
    }
}

/// A ray on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Live {
    /// Index of the ray.
    pub ray: u32,
    /// Where to go on marching; infinite at the end.
    pub from: f32,
}

/// Samples of several rays, ray after ray.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    /// The samples.
    pub samples: Samples,
    /// Per ray, how many samples it has.
    pub counts: Vec<u32>,
    /// Room to work in.
    pub(crate) lanes: Vec<f32>,
}

impl Staged {
    /// Forgets all rays, keeps the memory.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.counts.clear();
    }
}

/// Finds the samples of rays.
pub trait Marcher: Sync {
    /// For every ray that `live` names in `rays`: appends up to `limit` (at most [`super::CAPACITY`]) samples at
    /// distances from `from` on to `out`, and sets `from` to where to go on, or to infinity.
    fn march(&self, rays: &[Ray], live: &mut [Live], limit: usize, out: &mut Staged);
}

/// Chooses the rays of a training step.
pub trait Sampler: Sync {
    /// Says that the `index`-th ray will be asked for soon: a sampler that reads a pixel somewhere in memory can have
    /// it fetched.
    fn prefetch(&self, _index: usize) {}

    /// The `index`-th ray of the step, and its target values (see [`super::Objective`]).
    fn ray(&self, index: usize, target: &mut [f32]) -> Ray;
}

/// What a ray's composited output is compared with.
pub trait Objective: Send + Sync {
    /// Target values of a ray.
    fn targets(&self) -> usize;

    /// The target value that is the known distance to what the ray meets; 0 where it is not known.
    fn distance(&self) -> Option<usize> {
        None
    }

    /// The loss of one ray, and its gradient with respect to `out` = channels, depth, opacity, before the
    /// division by the number of rays.
    fn loss(&self, out: &[f32], target: &[f32], d_out: &mut [f32]) -> f32;
}
