//! Semantic segmentation: one confusion matrix over a set, and the boundary F score.
//!
//! The protocol: pixels whose true label is [`IGNORE`] count for nothing; a set's figures come from one confusion
//! matrix over all of its images ([`Confusion`]), not from a mean over images; a class without pixels has no figure
//! and is left out of the means. How well outlines are met is measured apart ([`Boundaries`]), image by image.
//! [`Scores`] holds all of it, for people and as JSON.
//!
//! Label maps are rows from the top, one class number from 0 a pixel.

mod bits;
mod boundary;
mod confusion;
mod scores;
#[cfg(test)]
mod tests;

pub use boundary::{Boundaries, TOLERANCE, boundary_f};
pub use confusion::Confusion;
pub use scores::{ClassScores, Scores};

/// The label of pixels that count for nothing.
pub const IGNORE: u8 = 255;

/// The most classes that labels of 8 bits can tell apart beside [`IGNORE`].
pub const MAX_CLASSES: usize = 255;

/// Label maps that cannot be compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LabelMetricError {
    /// No classes, or more than labels can name.
    #[error("segmentation metrics: {0} classes; give 1 to {MAX_CLASSES}")]
    Classes(usize),
    /// The maps differ in size, or do not have the stated size.
    #[error(
        "segmentation metrics: got {prediction} predicted and {truth} true labels, expected {expected} of both"
    )]
    Length {
        /// Predicted labels.
        prediction: usize,
        /// True labels.
        truth: usize,
        /// Labels there should be.
        expected: usize,
    },
    /// A label that is neither a class nor, in the truth, [`IGNORE`].
    #[error(
        "segmentation metrics: the {map} has label {label} at pixel {pixel}, but there are {classes} classes, 0 to {}; \
         is the class list that of these labels?",
        classes - 1
    )]
    Label {
        /// `prediction` or `truth`.
        map: &'static str,
        /// The label.
        label: u8,
        /// The pixel's index, rows from the top.
        pixel: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// Results of other classes or settings cannot be merged or named.
    #[error("segmentation metrics: {what} {a} and {b} do not go together")]
    Differ {
        /// What differs.
        what: &'static str,
        /// Here.
        a: f64,
        /// There.
        b: f64,
    },
    /// A tolerance that is no positive part of the diagonal.
    #[error("boundary F: a tolerance of {0} of the diagonal; give a number above 0, at most 1")]
    Tolerance(f64),
}

fn check_classes(classes: usize) -> Result<(), LabelMetricError> {
    if classes == 0 || classes > MAX_CLASSES { Err(LabelMetricError::Classes(classes)) } else { Ok(()) }
}

/// Checks that both maps have `expected` labels, and that every pixel that counts has two classes.
fn check_labels(
    prediction: &[u8],
    truth: &[u8],
    expected: usize,
    classes: usize,
) -> Result<(), LabelMetricError> {
    if prediction.len() != expected || truth.len() != expected {
        let (prediction, truth) = (prediction.len(), truth.len());
        return Err(LabelMetricError::Length { prediction, truth, expected });
    }
    // In u8, so that the search for a wrong label runs in SIMD: there are at most 255 classes.
    let count = classes as u8;
    let wrong = |(&p, &t): (&u8, &u8)| (t != IGNORE) & ((p >= count) | (t >= count));
    let any = prediction.iter().zip(truth).fold(false, |any, pair| any | wrong(pair));
    if !any {
        return Ok(());
    }
    let pixel = prediction.iter().zip(truth).position(wrong).unwrap_or(0);
    let (map, label) =
        if truth[pixel] >= count { ("truth", truth[pixel]) } else { ("prediction", prediction[pixel]) };
    Err(LabelMetricError::Label { map, label, pixel, classes })
}
