//! The procedural label set: images of flat shapes on a ground, with the class of every pixel.
//!
//! An image depends on seed, split and index alone. It is painted in f64 with `+ - * / sqrt` and `libm` only, so the
//! same configuration gives the same bytes on every machine. Classes differ in shape more than in color: hues
//! overlap. In every second image a gray patch hides something: its pixels are ignored.
//!
//! ```no_run
//! use nerve_data::demo::labels::{LabelDemo, LabelDemoSplit};
//! use nerve_data::labels::LabelSet;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let demo = LabelDemo::default();
//! let labeled = demo.image(LabelDemoSplit::Train, 0)?;
//! demo.write("labels".as_ref(), &|done, total| println!("{done}/{total}"))?;
//! let set = LabelSet::open("labels".as_ref())?;
//! # Ok(())
//! # }
//! ```

mod paint;
mod shape;
#[cfg(test)]
mod tests;
mod write;

use serde::{Deserialize, Serialize};

use super::DemoError;
use super::config::check_ranges;
use crate::draws::Draws;
use crate::labels::{Class, Labelled};

/// Names and colors of the classes, by number; 0 is what the shapes lie on.
pub(super) const CLASSES: [(&str, [u8; 3]); 6] = [
    ("ground", [96, 108, 92]),
    ("disc", [224, 82, 58]),
    ("box", [232, 186, 54]),
    ("bar", [70, 168, 96]),
    ("ring", [58, 122, 214]),
    ("triangle", [168, 84, 196]),
];

/// Settings of the label set: number, size and seed of its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelDemo {
    /// Height of an image in pixels, 16 to 2048.
    pub height: usize,
    /// Width of an image in pixels, 16 to 2048.
    pub width: usize,
    /// Training images, 1 to 10,000.
    pub train: usize,
    /// Held-out images, 0 to 10,000.
    pub val: usize,
    /// Shapes in an image, 1 to 64.
    pub shapes: usize,
    /// Another seed gives other images.
    pub seed: u64,
}

impl Default for LabelDemo {
    /// 96 training and 24 held-out images of 128 x 192 pixels with 7 shapes each.
    fn default() -> Self {
        Self { height: 128, width: 192, train: 96, val: 24, shapes: 7, seed: 0 }
    }
}

/// The set an image belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelDemoSplit {
    /// For training.
    Train,
    /// Held out.
    Val,
}

impl LabelDemoSplit {
    /// The name used in files: `train` or `val`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
        }
    }

    /// The stream of random values of an image, never one of the other split.
    pub(super) fn stream(self, index: u64) -> u64 {
        match self {
            Self::Train => index << 1,
            Self::Val => index << 1 | 1,
        }
    }
}

impl LabelDemo {
    /// Checks every field's range.
    ///
    /// # Errors
    /// [`DemoError::Config`] names the first field that is out of range.
    pub fn check(&self) -> Result<(), DemoError> {
        check_ranges([
            ("height", self.height, 16, 2048),
            ("width", self.width, 16, 2048),
            ("train", self.train, 1, 10_000),
            ("val", self.val, 0, 10_000),
            ("shapes", self.shapes, 1, 64),
        ])
    }

    /// Paints an image, by any index, also beyond those that are written.
    ///
    /// # Errors
    /// [`DemoError::Config`] for a setting out of range.
    pub fn image(&self, part: LabelDemoSplit, index: u64) -> Result<Labelled, DemoError> {
        self.check()?;
        let mut draws = Draws::new(self.seed, part.stream(index));
        Ok(paint::ShapeImage::draw(self, &mut draws).paint(self.height, self.width))
    }

    /// The classes, in the order of their numbers.
    #[must_use]
    pub fn classes() -> Vec<Class> {
        CLASSES.iter().map(|&(name, color)| Class { name: name.to_owned(), color }).collect()
    }
}
