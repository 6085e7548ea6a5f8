//! The procedural task set: ray-traced scenes of solids and people on a ground, with labels of every dense task.
//!
//! Each image has its own objects, textures, light and camera. It depends on seed, split and index alone, and is computed
//! in f64 with `+ - * / sqrt` and `libm` only: the same configuration gives the same bytes on every machine. Salient is
//! the one object that covers most of the image's middle, people counting twice; the sky has no normals and no depth.
//!
//! ```
//! use nerve_data::demo::labels::LabelDemoSplit;
//! use nerve_data::demo::tasks::TaskDemo;
//! use nerve_data::tasks::DenseTask;
//!
//! # fn main() -> Result<(), nerve_data::demo::DemoError> {
//! let sample = TaskDemo { height: 32, width: 48, ..TaskDemo::default() }.image(LabelDemoSplit::Train, 0)?;
//! assert_eq!(sample.image.dim(), (32, 48, 3));
//! assert_eq!(sample.labels.len(), DenseTask::ALL.len());
//! # Ok(())
//! # }
//! ```
mod render;
#[cfg(test)]
mod tests;
mod thing;
mod world;
mod write;

use serde::{Deserialize, Serialize};

use super::DemoError;
use super::config::check_ranges;
use super::labels::LabelDemoSplit;
use crate::draws::Draws;
use crate::labels::Class;
use crate::tasks::{TaskSample, named};

/// Names and colors of the classes, by number.
pub(super) const CLASSES: [(&str, [u8; 3]); 8] = [
    ("ground", [96, 108, 92]),
    ("sky", [120, 170, 220]),
    ("ball", [224, 82, 58]),
    ("box", [232, 186, 54]),
    ("cylinder", [70, 168, 96]),
    ("cone", [58, 122, 214]),
    ("ring", [168, 84, 196]),
    ("person", [240, 128, 160]),
];

/// A step of stored depths.
pub(super) const DEPTH_UNIT: f64 = 0.001;

/// Settings of the task set: number, size and seed of its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskDemo {
    /// Height of an image in pixels, 16 to 2048.
    pub height: usize,
    /// Width of an image in pixels, 16 to 2048.
    pub width: usize,
    /// Training images, 1 to 100,000.
    pub train: usize,
    /// Held-out images, 0 to 100,000.
    pub val: usize,
    /// Another seed gives other images.
    pub seed: u64,
}

impl Default for TaskDemo {
    /// 400 training and 100 held-out images of 96 x 96 pixels.
    fn default() -> Self {
        Self { height: 96, width: 96, train: 400, val: 100, seed: 0 }
    }
}

impl TaskDemo {
    /// Checks every field's range.
    ///
    /// # Errors
    /// [`DemoError::Config`] names the first field that is out of range.
    pub fn check(&self) -> Result<(), DemoError> {
        check_ranges([
            ("height", self.height, 16, 2048),
            ("width", self.width, 16, 2048),
            ("tasks", self.train, 1, 100_000),
            ("val", self.val, 0, 100_000),
        ])
    }

    /// Renders an image with its labels in the order of [`DenseTask::ALL`](crate::tasks::DenseTask::ALL), by any index,
    /// also beyond those that are written.
    ///
    /// # Errors
    /// [`DemoError::Config`] for a setting out of range.
    pub fn image(&self, part: LabelDemoSplit, index: u64) -> Result<TaskSample, DemoError> {
        self.check()?;
        let mut draws = Draws::new(self.seed, part.stream(index));
        Ok(world::World::draw(&mut draws).render(self.height, self.width))
    }

    /// The classes, in the order of their numbers.
    #[must_use]
    pub fn classes() -> Vec<Class> {
        named(&CLASSES)
    }
}
