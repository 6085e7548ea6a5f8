//! A camera as numbers.

use super::Lens;

/// A camera in the marching frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RayCamera {
    /// Its center.
    pub origin: [f32; 3],
    /// From OpenCV's axes to the frame's, rows first; of determinant 1.
    pub axes: [[f64; 3]; 3],
    /// Focal lengths in pixels.
    pub focal: [f64; 2],
    /// The principal point in pixels.
    pub principal: [f64; 2],
    /// The lens.
    pub lens: Lens,
}

impl RayCamera {
    /// Origin and unit direction of the ray through the image point `(px, py)` in pixels; a pixel's center is at
    /// `+ 0.5`.
    #[inline]
    pub fn cast(&self, px: f64, py: f64) -> ([f32; 3], [f32; 3]) {
        let point = ((px - self.principal[0]) / self.focal[0], (py - self.principal[1]) / self.focal[1]);
        let [x, y, z] = self.lens.direction(point);
        let shrink = 1.0 / (x * x + y * y + z * z).sqrt();
        let direction = self.axes.map(|row| ((row[0] * x + row[1] * y + row[2] * z) * shrink) as f32);
        (self.origin, direction)
    }

    /// The optical axis.
    pub fn forward(&self) -> [f32; 3] {
        self.cast(self.principal[0], self.principal[1]).1
    }
}
