//! A scene's place in the unit frame as numbers, to be kept with what was trained in it.

use serde::{Deserialize, Serialize};

use super::Scene;

/// Numbers that differ by less than this, relative to 1 or to their size, are the same: what text or another machine
/// rounds.
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
    /// How near to a camera there is anything to see, in unit-frame lengths.
    pub near: Option<f64>,
}

impl UnitFrame {
    /// Whether what was trained in one may be used in the other.
    pub fn is_same(&self, other: &Self) -> bool {
        let numbers = |frame: &Self| {
            let [i, j, k, w] = frame.rotation;
            let [x, y, z] = frame.offset;
            [frame.scale, i, j, k, w, x, y, z, frame.near.unwrap_or(-1.0)]
        };
        let same = |(a, b): (f64, f64)| (a - b).abs() <= ROUNDING * a.abs().max(1.0);
        self.aabb_scale == other.aabb_scale && numbers(self).into_iter().zip(numbers(other)).all(same)
    }
}

impl<V> Scene<V> {
    /// Its place in the unit frame.
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
        for other in [
            UnitFrame { aabb_scale: 8, ..frame },
            UnitFrame { scale: 0.3001, ..frame },
            UnitFrame { rotation: [0.5, 0.5, 0.5, 0.5], ..frame },
            UnitFrame { offset: [f64::NAN; 3], ..frame },
            UnitFrame { near: None, ..frame },
        ] {
            assert!(!frame.is_same(&other), "{other:?}");
        }
    }
}
