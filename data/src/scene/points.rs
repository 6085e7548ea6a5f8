//! The points of structure from motion.

use nalgebra::Point3;

/// A point on some surface.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenePoint {
    /// Where it is, in the world frame.
    pub position: Point3<f64>,
    /// Red, green, blue; middle gray if the file has no colors.
    pub color: [u8; 3],
    /// Mean reprojection error in pixels of the full-size images; 0 if the file has none.
    pub error: f32,
    /// The views it was seen in, ascending, as indices into the scene's views; empty if the file has none.
    pub views: Vec<u32>,
}
