//! The unit frame of a scene as numbers, saved with a model that was trained in it.

use nalgebra::{Point3, Quaternion, Similarity3, Translation3, UnitQuaternion};
use serde::{Deserialize, Serialize};

use super::Scene;
use super::transforms::MAX_AABB_SCALE;

/// Numbers are the same if they differ by less than this, relative to 1 or to their size: by rounding.
const ROUNDING: f64 = 1e-6;

/// World to unit frame, `unit = rotation * (world * scale) + offset`, and the render box.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitFrame {
    /// Side of the render box, a power of two.
    pub aabb_scale: u32,
    /// Unit-frame lengths of a world length.
    pub scale: f64,
    /// A unit quaternion `[i, j, k, w]`.
    pub rotation: [f64; 4],
    /// Of the world's origin, in the unit frame.
    pub offset: [f64; 3],
    /// Near plane, in unit-frame lengths, if known.
    pub near: Option<f64>,
}

impl Default for UnitFrame {
    /// The world itself.
    fn default() -> Self {
        Self { aabb_scale: 1, scale: 1.0, rotation: [0.0, 0.0, 0.0, 1.0], offset: [0.0; 3], near: None }
    }
}

impl UnitFrame {
    /// Whether a model that was trained in one may be used in the other.
    pub fn is_same(&self, other: &Self) -> bool {
        let numbers = |frame: &Self| {
            let [i, j, k, w] = frame.rotation;
            let [x, y, z] = frame.offset;
            [frame.scale, i, j, k, w, x, y, z, frame.near.unwrap_or(-1.0)]
        };
        let same = |(a, b): (f64, f64)| (a - b).abs() <= ROUNDING * a.abs().max(1.0);
        self.aabb_scale == other.aabb_scale && numbers(self).into_iter().zip(numbers(other)).all(same)
    }

    /// World to unit frame; of [a scene's](Scene::unit_frame), its own to the last bit.
    pub fn similarity(&self) -> Similarity3<f64> {
        let [i, j, k, w] = self.rotation;
        let rotation = UnitQuaternion::new_unchecked(Quaternion::new(w, i, j, k));
        Similarity3::from_parts(Translation3::from(self.offset), rotation, self.scale)
    }

    /// Whether it is another only by a turn about the middle of the unit cube: how earlier versions placed the same cameras,
    /// which held another direction for up.
    pub fn is_turned(&self, other: &Self) -> bool {
        let middle = Point3::new(0.5, 0.5, 0.5);
        let at = |frame: &Self| frame.similarity().inverse_transform_point(&middle);
        let apart = (at(self) - at(other)).norm() * self.scale;
        (self.scale - other.scale).abs() <= ROUNDING * self.scale && apart <= ROUNDING
    }

    /// Whether the numbers can be a frame, wherever they come from.
    pub fn is_valid(&self) -> bool {
        let side = self.aabb_scale.is_power_of_two() && f64::from(self.aabb_scale) <= MAX_AABB_SCALE;
        let length = self.rotation.iter().map(|q| q * q).sum::<f64>().sqrt();
        let numbers = self.offset.iter().chain(&self.near).all(|n| n.is_finite());
        side && numbers && self.scale.is_finite() && self.scale > 0.0 && (length - 1.0).abs() < ROUNDING
    }
}

impl<V> Scene<V> {
    /// Its unit frame.
    pub fn unit_frame(&self) -> UnitFrame {
        let q = self.frame.isometry.rotation;
        UnitFrame {
            aabb_scale: self.aabb_scale,
            scale: self.frame.scaling(),
            rotation: [q.i, q.j, q.k, q.w],
            offset: self.frame.isometry.translation.vector.into(),
            near: self.near,
        }
    }

    /// Places it as it was when a model was trained on it.
    pub fn place(&mut self, frame: &UnitFrame) {
        (self.aabb_scale, self.frame, self.near) = (frame.aabb_scale, frame.similarity(), frame.near);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::Vector3;

    use super::*;

    #[test]
    fn text_keeps_it_and_changes_are_seen() {
        let frame = UnitFrame {
            aabb_scale: 4,
            scale: 0.1 + 0.2,
            rotation: [0.5, -0.5, 0.5, 0.5],
            offset: [1.0 / 3.0, 700.0 / 3.0, -0.5],
            near: Some(0.1 * 3.0),
        };
        let back: UnitFrame = serde_json::from_str(&serde_json::to_string(&frame).unwrap()).unwrap();
        assert!(frame.is_same(&back));
        assert!(frame.is_valid());
        for other in [
            UnitFrame { aabb_scale: 8, ..frame },
            UnitFrame { scale: 0.3001, ..frame },
            UnitFrame { rotation: [0.5, 0.5, 0.5, 0.5], ..frame },
            UnitFrame { offset: [f64::NAN; 3], ..frame },
            UnitFrame { near: None, ..frame },
        ] {
            assert!(!frame.is_same(&other), "{other:?}");
        }
        for bad in [
            UnitFrame { aabb_scale: 3, ..frame },
            UnitFrame { aabb_scale: 1 << 31, ..frame },
            UnitFrame { scale: 0.0, ..frame },
            UnitFrame { rotation: [0.5; 4].map(|q| 1.1 * q), ..frame },
            UnitFrame { offset: [f64::NAN; 3], ..frame },
            UnitFrame { near: Some(f64::INFINITY), ..frame },
        ] {
            assert!(!bad.is_valid(), "{bad:?}");
        }
    }

    #[test]
    fn a_frame_comes_back_to_the_last_bit() {
        let rotation = UnitQuaternion::from_euler_angles(0.3, -0.2, 1.1);
        let similarity = Similarity3::from_parts(Translation3::new(0.1, 1.0 / 3.0, -2.0), rotation, 0.37);
        let frame = UnitFrame {
            aabb_scale: 1,
            scale: similarity.scaling(),
            rotation: [rotation.i, rotation.j, rotation.k, rotation.w],
            offset: similarity.isometry.translation.vector.into(),
            near: None,
        };
        assert_eq!(frame.similarity(), similarity);
    }

    #[test]
    fn turns_about_the_middle_are_told_from_other_frames() {
        let place = |rotation: UnitQuaternion<f64>, target: Point3<f64>| {
            let offset = Vector3::repeat(0.5) - rotation * (target.coords * 0.37);
            UnitFrame {
                scale: 0.37,
                rotation: [rotation.i, rotation.j, rotation.k, rotation.w],
                offset: offset.into(),
                ..UnitFrame::default()
            }
        };
        let target = Point3::new(1.0, -2.0, 30.0);
        let (level, tilted) = (UnitQuaternion::identity(), UnitQuaternion::from_euler_angles(0.3, -0.2, 1.1));
        let (now, then) = (place(level, target), place(tilted, target));
        assert!(!now.is_same(&then) && now.is_turned(&then) && then.is_turned(&now));
        assert!(!now.is_turned(&place(tilted, target + Vector3::x() * 0.01)), "it looks elsewhere");
        assert!(!now.is_turned(&UnitFrame { scale: 0.38, ..then }));
    }
}
