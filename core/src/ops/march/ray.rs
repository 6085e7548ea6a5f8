//! Rays and what is found along them.

use super::{Steps, clip};

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
    /// Index of the camera it was cast from, for what is learned about cameras.
    pub camera: u32,
}

/// The volume that rays are marched through: the render box and its step lengths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Volume {
    /// Side of the render box, which is centered at 0.5.
    pub side: f32,
    /// Step lengths.
    pub steps: Steps,
    /// Nearest sample to a camera.
    pub near: f32,
}

impl Volume {
    /// The ray clipped to the render box; `jitter` in [0, 1) shifts its samples by a share of a step.
    pub fn ray(&self, (origin, direction): ([f32; 3], [f32; 3]), jitter: f32) -> Ray {
        let (enter, far) = clip(origin, direction, self.side);
        let enter = enter.max(self.near);
        Ray { origin, direction, near: enter + jitter * self.steps.at(enter), far, camera: 0 }
    }
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
    pub(super) lanes: Vec<f32>,
}

impl Staged {
    /// Forgets all rays, keeps the memory.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.counts.clear();
    }
}
