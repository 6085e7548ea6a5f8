//! Random changes of images and their masks for training, and normalisation.
//!
//! In this order, after the usual recipe of segmentation (MMSegmentation's): scale, crop, pad, flip, change the
//! colors, normalise. Only the crop's pixels are computed, directly from the image. A sample depends on seed and index
//! alone: it is the same on any number of threads, and after any interruption.

mod color;
mod config;
mod draw;
mod resample;
#[cfg(test)]
mod tests;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

pub use config::{Augment, AugmentError, ColorJitter, Normalise};
use draw::Decisions;

use crate::tasks::{TaskLabel, TaskSample};

/// A sample to train on.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// `[H, W, 3]`, normalised.
    pub image: Array3<f32>,
    /// `[H, W]`, class numbers, or [`IGNORE`](crate::labels::IGNORE), also in the padding.
    pub mask: Array2<u8>,
}

impl Augment {
    /// The sample `index` of an image `[H, W, 3]` and its mask `[H, W]`, of the size [`crop`](Augment::crop).
    ///
    /// # Errors
    /// If a setting is out of range, or image and mask differ in size or are empty.
    pub fn sample(
        &self,
        image: ArrayView3<'_, u8>,
        mask: ArrayView2<'_, u8>,
        seed: u64,
        index: u64,
    ) -> Result<Sample, AugmentError> {
        self.check()?;
        let (height, width, channels) = image.dim();
        if channels != 3 || mask.dim() != (height, width) || mask.is_empty() {
            return Err(AugmentError::Size { image: image.dim(), mask: mask.dim() });
        }
        let decisions = Decisions::draw(self, mask, seed, index);
        let mut image = resample::image(image, &decisions.window, self.normalise.mean);
        color::disturb(&mut image, &decisions.color);
        // The padding has the mean color, which is 0 after normalisation: color changes must not apply to it.
        resample::pad(&mut image, &decisions.window, self.normalise.mean);
        self.normalise.apply(&mut image);
        Ok(Sample { image, mask: resample::mask(mask, &decisions.window) })
    }
}

/// A sample of several tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseSample {
    /// `[H, W, 3]`, normalised.
    pub image: Array3<f32>,
    /// One a task, each `[H, W]`, ignored in the padding.
    pub labels: Vec<TaskLabel>,
}

impl Augment {
    /// The sample `index` of an image and its labels of several tasks. Directions are mirrored with the image, and depths
    /// divided by the factor that it is scaled by: what looks larger is nearer. Crops are balanced by the first task of classes.
    ///
    /// # Errors
    /// If a setting is out of range, or image and labels differ in size or are empty.
    pub fn dense(&self, sample: &TaskSample, seed: u64, index: u64) -> Result<DenseSample, AugmentError> {
        self.check()?;
        let (height, width, channels) = sample.image.dim();
        let size = (height, width);
        for label in &sample.labels {
            if channels != 3 || label.size() != size || height * width == 0 {
                return Err(AugmentError::Size { image: sample.image.dim(), mask: label.size() });
            }
        }
        let any = Array2::zeros(size);
        let classes = sample.labels.iter().find_map(|label| match label {
            TaskLabel::Classes(classes) => Some(classes),
            _ => None,
        });
        let decisions = Decisions::draw(self, classes.unwrap_or(&any).view(), seed, index);
        let window = &decisions.window;
        let mut image = resample::image(sample.image.view(), window, self.normalise.mean);
        color::disturb(&mut image, &decisions.color);
        resample::pad(&mut image, window, self.normalise.mean);
        self.normalise.apply(&mut image);
        let scale = window.scaled[0] as f32 / window.source[0] as f32;
        let labels = sample.labels.iter().map(|label| match label {
            TaskLabel::Classes(labels) => TaskLabel::Classes(resample::mask(labels.view(), window)),
            TaskLabel::Depth(labels) => {
                TaskLabel::Depth(resample::nearest(labels.view(), window, 0.0).mapv(|depth| depth / scale))
            }
            TaskLabel::Normals(labels) => {
                let labels = resample::nearest(labels.view(), window, [0.0; 3]);
                let mirrored = |[x, y, z]: [f32; 3]| [if window.flipped { -x } else { x }, y, z];
                TaskLabel::Normals(labels.mapv(mirrored))
            }
        });
        Ok(DenseSample { labels: labels.collect(), image })
    }
}

impl Normalise {
    /// An image `[H, W, 3]` of 8 bits as a model wants it: `(value - mean) / std`.
    #[must_use]
    pub fn image(&self, image: ArrayView3<'_, u8>) -> Array3<f32> {
        let mut image = image.mapv(f32::from);
        self.apply(&mut image);
        image
    }

    fn apply(&self, image: &mut Array3<f32>) {
        let factor = self.std.map(|std| 1.0 / std);
        for mut pixel in image.rows_mut() {
            for ((value, mean), factor) in pixel.iter_mut().zip(self.mean).zip(factor) {
                *value = (*value - mean) * factor;
            }
        }
    }
}
