//! What events show: views, classes, and what pictures are for.
use std::sync::Arc;

/// A camera and, if it is to be seen, its photograph.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Its name: that of the pictures of this view.
    pub name: String,
    /// Whether it is kept from training, to be measured by.
    pub held_out: bool,
    /// Camera to world, the rows of `[R | t]`. The camera's `x` is right, `y` up, and it looks along `-z`.
    pub pose: [[f64; 4]; 3],
    /// Width and height that the lens is stated for, in pixels.
    pub resolution: [f64; 2],
    /// Focal lengths in pixels. Distortion is left out: sinks draw a pinhole.
    pub focal: [f64; 2],
    /// Principal point in pixels, from the top left corner.
    pub principal: [f64; 2],
    /// The photograph, perhaps smaller than `resolution`.
    pub photo: Option<Photo>,
}

/// A small picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Photo {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width * 3` sRGB values, row by row.
    pub data: Arc<[u8]>,
}

/// What labels stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// For people.
    pub name: String,
    /// sRGB.
    pub color: [u8; 3],
}

/// What a picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageRole {
    /// What goes in; the same at every step.
    Input,
    /// What the model renders.
    Prediction,
    /// What the camera saw; the same at every step.
    GroundTruth,
    /// Their absolute difference.
    Error,
    /// Depth, as a picture.
    Depth,
    /// Directions of surfaces, as a picture: `(n + 1) / 2`.
    Normals,
}

/// What the values of a map are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MapRole {
    /// Distance along the camera's axis, in world units.
    Depth,
    /// How sure something is, 0 to 1.
    Score,
    /// How much something matters, 0 to 1.
    Saliency,
}

/// Whose labels they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelRole {
    /// The data's; the same at every step.
    GroundTruth,
    /// The model's.
    Prediction,
}
