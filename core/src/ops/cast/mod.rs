//! Rays through the pixels of a camera, from plain numbers: where it is, its axes, intrinsics, and its lens inverted.
//!
//! An image point in pixels becomes a point in focal lengths from the principal point (OpenCV's axes: x right, y down,
//! z forward), the lens says which direction is seen there, and the axes turn that into the marching frame. Lenses are
//! inverted by Newton's method in f64, in three to five steps; beyond the radius up to which a lens is one-to-one
//! (`limit`, which whoever describes the camera knows), a point gets the outermost direction on its side.

mod camera;
mod invert;
mod lens;
mod model;

pub use camera::RayCamera;
pub use lens::Lens;
pub use model::Planar;

#[cfg(test)]
mod tests;
