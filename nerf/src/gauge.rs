//! What corrections of all cameras together must not contain: motions of the scene rather than of cameras.
//!
//! A shift, a turn or a scaling of all cameras and the field changes no picture: seven directions in the space of all
//! corrections that pictures say nothing about. Nearly as free are three more: the scene shifts, and every camera turns
//! after it instead of shifting too, each by its own angle. What is left of such a motion in the pictures is a change of
//! distance by a part in hundreds; gradients' noise takes a run along it, training pictures stay as sharp as they were, and
//! a view whose pose was not refined sees the scene beside its place. Corrections contain none of the ten.
use nalgebra::{Matrix3, Vector3};
use nerve_core::ops::rigid;

/// The middle of the unit frame's cube.
const MIDDLE: f64 = 0.5;
/// How much the middle counts beside the optical axes, where these leave open what they look at.
const PULL: f64 = 0.01;

/// Closer to the camera nothing is looked at.
const NEAREST: f64 = 1e-3;

/// An orthonormal basis of the common motions, to first order.
#[derive(Clone, Debug)]
pub(crate) struct Gauge(Vec<Vec<f64>>);

impl Gauge {
    /// For cameras at these places with these optical axes (of length 1), in the unit frame.
    pub fn new(cameras: &[[[f32; 3]; 2]]) -> Self {
        let cameras: Vec<[Vector3<f64>; 2]> =
            cameras.iter().map(|camera| camera.map(|v| Vector3::from(v.map(f64::from)))).collect();
        let n = cameras.len().max(1) as f64;
        let mean = cameras.iter().map(|[centre, _]| centre).sum::<Vector3<f64>>() / n;
        let target = target(&cameras);
        let unit = |axis: usize| Vector3::ith(axis, 1.0);
        let mut basis: Vec<Vec<f64>> = Vec::new();
        for kind in 0..10 {
            let row = |[centre, axis]: &[Vector3<f64>; 2]| {
                let (zero, place) = (Vector3::zeros(), centre - mean);
                let (turn, shift) = match kind {
                    0..3 => (zero, unit(kind)),
                    // A turn by e about the mean moves a camera by e x (its place).
                    3..6 => (unit(kind - 3), unit(kind - 3).cross(&place)),
                    6 => (zero, place),
                    // To follow a shift by e, what lies at d is looked at by a turn of (d x e) / |d|^2.
                    _ => {
                        let d = target - centre;
                        let seen = d.norm() > NEAREST && d.dot(axis) > 0.1 * d.norm();
                        (if seen { d.cross(&unit(kind - 7)) / d.norm_squared() } else { zero }, zero)
                    }
                };
                [turn.x, turn.y, turn.z, shift.x, shift.y, shift.z]
            };
            let mut v: Vec<f64> = cameras.iter().flat_map(row).collect();
            let size = dot(&v, &v).sqrt();
            for b in &basis {
                let along = dot(&v, b);
                v.iter_mut().zip(b).for_each(|(v, b)| *v -= along * b);
            }
            let left = dot(&v, &v).sqrt();
            // Cameras in one place, or one camera: some of the ten are the same.
            if left > 1e-6 * size.max(1e-30) {
                v.iter_mut().for_each(|v| *v /= left);
                basis.push(v);
            }
        }
        Self(basis)
    }

    /// Takes the common part out of `[camera][6]` corrections.
    pub fn remove(&self, values: &mut [f32]) {
        for b in &self.0 {
            let along: f64 = values.iter().zip(b).map(|(v, b)| f64::from(*v) * b).sum();
            values.iter_mut().zip(b).for_each(|(v, b)| *v -= (along * b) as f32);
        }
    }
}

/// What cameras look at: the point nearest to their optical axes, by least squares.
fn target(cameras: &[[Vector3<f64>; 2]]) -> Vector3<f64> {
    let pull = PULL * cameras.len().max(1) as f64;
    let (mut matrix, mut right) = (Matrix3::identity() * pull, Vector3::repeat(MIDDLE) * pull);
    for [centre, axis] in cameras {
        let off = Matrix3::identity() - axis * axis.transpose();
        matrix += off;
        right += off * centre;
    }
    // The pull makes it positive definite.
    matrix.cholesky().map_or(Vector3::repeat(MIDDLE), |m| m.solve(&right))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

const _: () = assert!(rigid::VALUES == 6, "a turn and a shift");

#[cfg(test)]
mod tests {
    use super::*;

    const AT: [f32; 3] = [0.5, 0.45, 0.5];

    /// Cameras on an arc, at different distances, that look at one point.
    fn arc(n: usize) -> Vec<[[f32; 3]; 2]> {
        let at = |i: usize| (i as f32 * 0.4, 1.0 + 0.1 * (i % 3) as f32);
        let place = |(a, r): (f32, f32)| [0.5 + r * a.cos(), 0.5 + r * a.sin(), 0.3 + 0.2 * a.cos()];
        let looks =
            |centre: [f32; 3]| [centre, (Vector3::from(AT) - Vector3::from(centre)).normalize().into()];
        (0..n).map(at).map(place).map(looks).collect()
    }

    #[test]
    fn common_motions_are_taken_out_and_nothing_else() {
        let cameras = arc(9);
        let gauge = Gauge::new(&cameras);
        assert_eq!(gauge.0.len(), 10);
        // A turn of everything by w, a shift and a scaling.
        let (w, shift, scale) = ([0.02, -0.01, 0.03], [0.1, 0.2, -0.1], 0.05);
        let common = cameras.iter().flat_map(|[c, _]| {
            let moved = rigid::cross(w, *c);
            let tau: [f32; 3] = std::array::from_fn(|a| moved[a] + shift[a] + scale * c[a]);
            [w[0], w[1], w[2], tau[0], tau[1], tau[2]]
        });
        let mut values: Vec<f32> = common.collect();
        gauge.remove(&mut values);
        assert!(values.iter().all(|v| v.abs() < 1e-6), "{values:?}");
        // What is left once stays.
        let mut values: Vec<f32> = (0..54).map(|i| ((i * 37) % 11) as f32 * 0.01).collect();
        gauge.remove(&mut values);
        let once = values.clone();
        gauge.remove(&mut values);
        assert!(values.iter().zip(&once).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(once.iter().any(|v| v.abs() > 0.01));
    }

    #[test]
    fn cameras_do_not_turn_after_a_scene_that_shifts() {
        let cameras = arc(9);
        let wide: Vec<_> = cameras.iter().map(|c| c.map(|v| Vector3::from(v.map(f64::from)))).collect();
        let found = target(&wide);
        assert!((found - Vector3::from(AT.map(f64::from))).norm() < 2e-3, "{found}");
        let shift = Vector3::new(0.01, -0.02, 0.03f32);
        let turned = cameras.iter().flat_map(|[centre, axis]| {
            let centre = Vector3::from(*centre);
            let d = Vector3::from(AT) - centre;
            let turn = d.cross(&shift) / d.norm_squared();
            // It looks at what has moved.
            let looks = Vector3::from(*axis) + turn.cross(&Vector3::from(*axis));
            assert!(looks.cross(&(d + shift).normalize()).norm() < 2e-3);
            [turn.x, turn.y, turn.z, 0.0, 0.0, 0.0]
        });
        let mut values: Vec<f32> = turned.collect();
        let before = values.iter().map(|v| v * v).sum::<f32>();
        Gauge::new(&cameras).remove(&mut values);
        let after = values.iter().map(|v| v * v).sum::<f32>();
        assert!(after < 1e-4 * before, "{before} {after}");
    }

    /// Where all motions are common, nothing is left to learn; nothing is divided by zero.
    #[test]
    fn few_cameras_have_fewer_motions_of_their_own() {
        let mut one = [0.1f32; 6];
        Gauge::new(&arc(1)).remove(&mut one);
        assert!(one.iter().all(|v| v.abs() < 1e-6), "{one:?}");
        // In one place, at what they look at or with it behind them, they have six: nothing is to be followed.
        assert_eq!(Gauge::new(&[[[0.5; 3], [0.0, 0.0, 1.0]]; 4]).0.len(), 6);
        assert!(Gauge::new(&[]).0.is_empty());
    }
}
