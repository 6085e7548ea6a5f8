//! Camera placement: well-spread views from the upper hemisphere.

use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion};

use super::solid::{TracerRay, V3};
use super::{CAMERA_ANGLE_X, DemoConfig};
use crate::scene::Split;

/// Distance of every camera from the origin (world units).
const DISTANCE: f64 = 4.0;
/// Lowest and highest elevation above the horizon (degrees).
const ELEVATION: (f64, f64) = (10.0, 70.0);
/// How many azimuths are tried for each held-out view.
const TRIES: usize = 64;

/// One view to render.
#[derive(Clone, Debug)]
pub(super) struct Station {
    pub name: String,
    pub split: Split,
    pub pose: Isometry3<f64>,
}

/// All views: training first, then the held-out ones, each numbered from 0 within its split.
pub(super) fn stations(config: &DemoConfig) -> Vec<Station> {
    let train: Vec<V3> = (0..config.train).map(|i| direction(i, config.train, 0.0)).collect();
    let test = (0..config.test).map(|i| far_from(&train, i, config.test));
    let numbered = |split: Split| {
        move |(i, dir): (usize, V3)| Station {
            name: format!("r_{i}"),
            split,
            pose: look_at_origin(dir * DISTANCE),
        }
    };
    let held_out: Vec<Station> = test.enumerate().map(numbered(Split::Test)).collect();
    train.iter().copied().enumerate().map(numbered(Split::Train)).chain(held_out).collect()
}

/// Point `i` of an `n`-point Fibonacci lattice on the elevation band; `turn` shifts the azimuth (turns).
fn direction(i: usize, n: usize, turn: f64) -> V3 {
    let (low, high) = (libm::sin(ELEVATION.0.to_radians()), libm::sin(ELEVATION.1.to_radians()));
    let z = low + (high - low) * (i as f64 + 0.5) / n as f64;
    // Turns of the golden angle, 1 - 1/phi.
    let golden = 0.5 * (3.0 - 5f64.sqrt());
    let turns = i as f64 * golden + turn;
    let (sin, cos) = libm::sincos((turns - turns.floor()) * std::f64::consts::TAU);
    let r = (1.0 - z * z).sqrt();
    V3::new(r * cos, r * sin, z)
}

/// The `i`-th held-out direction, at the azimuth that keeps it farthest from every training view.
fn far_from(train: &[V3], i: usize, n: usize) -> V3 {
    let closeness = |d: &V3| train.iter().map(|t| t.dot(d)).fold(-1.0, f64::max);
    // The azimuth stays within half a turn of the lattice's own, which spreads the set.
    let tries = (0..TRIES).map(|k| direction(i, n, 0.5 * k as f64 / TRIES as f64));
    tries.fold(direction(i, n, 0.0), |best, d| if closeness(&d) < closeness(&best) { d } else { best })
}

/// Camera-to-world pose at `eye`: looks along its own -z at the origin, y up, x right.
fn look_at_origin(eye: V3) -> Isometry3<f64> {
    let back = eye.normalize();
    let right = V3::z().cross(&back).normalize();
    let axes = Matrix3::from_columns(&[right, back.cross(&right), back]);
    let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes));
    Isometry3::from_parts(Translation3::from(eye), rotation)
}

/// The rays of a square pinhole view.
#[derive(Clone, Debug)]
pub(super) struct Pinhole {
    axes: Matrix3<f64>,
    eye: V3,
    centre: f64,
    focal: f64,
}

impl Pinhole {
    pub fn new(pose: &Isometry3<f64>, resolution: usize) -> Self {
        let centre = 0.5 * resolution as f64;
        Self {
            axes: pose.rotation.to_rotation_matrix().into_inner(),
            eye: pose.translation.vector,
            centre,
            focal: centre / libm::tan(0.5 * CAMERA_ANGLE_X),
        }
    }

    /// The ray through image position (x, y) in pixels; (0.5, 0.5) is the first pixel's center, y down.
    pub fn ray(&self, x: f64, y: f64) -> TracerRay {
        let dir = V3::new((x - self.centre) / self.focal, (self.centre - y) / self.focal, -1.0);
        TracerRay { origin: self.eye, dir: (self.axes * dir).normalize() }
    }
}
