//! The boundary F score (BF): how well the outlines of a segmentation meet the true ones.
//!
//! After Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC 2013,
//! section 3. For class `c` of an image, `B_gt` and `B_ps` are the boundaries of the true and of the predicted
//! segments of `c`, `d` is the Euclidean distance between pixel centers and `theta` the tolerance:
//!
//! ```text
//! P = |{z in B_ps : d(z, B_gt) < theta}| / |B_ps|
//! R = |{z in B_gt : d(z, B_ps) < theta}| / |B_gt|
//! F = 2 P R / (P + R), and 0 where P + R = 0 or one of the two boundaries is empty
//! ```
//!
//! What the paper leaves open, or others do otherwise:
//!
//! - `theta` is 0.75 % of the image's diagonal ([`TOLERANCE`]), the paper's value, not rounded.
//! - A pixel of class `c` is on the boundary if one of its four neighbors is of another class. The image's edge is
//!   no boundary.
//! - Pixels whose true label is [`IGNORE`] are of no class in either map, and where a class meets them is no boundary:
//!   where the outline runs there is not known.
//! - A class that has a boundary in neither map is not scored in that image.
//! - A class's score is the mean of its F over the images where it is scored, the set's the mean over the classes
//!   that have one. (The paper also takes the mean over classes of an image, then over images.)

use super::bits::PixelSet;
use super::{IGNORE, LabelMetricError, check_classes, check_labels};

/// The usual tolerance as a part of the diagonal.
pub const TOLERANCE: f64 = 0.0075;

/// Sums are multiples of this: integers, so that they depend on no order. 1e-12 of a score, for 16 million images.
const UNIT: f64 = 1.0 / (1u64 << 40) as f64;

/// The F of each class in one image: `None` where the class has no boundary in either map.
///
/// `tolerance` is a part of the diagonal, above 0 and at most 1, commonly [`TOLERANCE`].
///
/// # Errors
/// If the maps do not have `width * height` labels, a pixel that counts has a label that is no class, or the number
/// of classes or the tolerance is out of range.
pub fn boundary_f(
    prediction: &[u8],
    truth: &[u8],
    width: usize,
    classes: usize,
    tolerance: f64,
) -> Result<Vec<Option<f64>>, LabelMetricError> {
    check_classes(classes)?;
    check_tolerance(tolerance)?;
    let height = truth.len().checked_div(width).unwrap_or(0);
    check_labels(prediction, truth, width * height, classes)?;
    let theta = tolerance * ((width * width + height * height) as f64).sqrt();
    let counted: Vec<u8> =
        prediction.iter().zip(truth).map(|(&p, &t)| if t == IGNORE { IGNORE } else { p }).collect();
    let predicted = boundaries(&counted, width, height, classes);
    let real = boundaries(truth, width, height, classes);
    Ok(predicted.iter().zip(&real).map(|(p, r)| f_of(p.as_ref(), r.as_ref(), theta)).collect())
}

fn check_tolerance(tolerance: f64) -> Result<(), LabelMetricError> {
    // Not a number is neither.
    if tolerance > 0.0 && tolerance <= 1.0 { Ok(()) } else { Err(LabelMetricError::Tolerance(tolerance)) }
}

/// The boundary pixels of each class that has any.
fn boundaries(labels: &[u8], width: usize, height: usize, classes: usize) -> Vec<Option<PixelSet>> {
    let mut sets: Vec<Option<PixelSet>> = vec![None; classes];
    let mut insert = |label: u8, x: usize, y: usize| {
        if let Some(set) = sets.get_mut(usize::from(label)) {
            set.get_or_insert_with(|| PixelSet::new(width, height)).insert(x, y);
        }
    };
    let differ = |a: u8, b: u8| a != b && a != IGNORE && b != IGNORE;
    for y in 0..height {
        let row = &labels[y * width..(y + 1) * width];
        for (x, pair) in row.windows(2).enumerate() {
            if differ(pair[0], pair[1]) {
                insert(pair[0], x, y);
                insert(pair[1], x + 1, y);
            }
        }
        if y + 1 < height {
            let below = &labels[(y + 1) * width..(y + 2) * width];
            for (x, (&a, &b)) in row.iter().zip(below).enumerate() {
                if differ(a, b) {
                    insert(a, x, y);
                    insert(b, x, y + 1);
                }
            }
        }
    }
    sets
}

fn f_of(predicted: Option<&PixelSet>, real: Option<&PixelSet>, theta: f64) -> Option<f64> {
    let (predicted, real) = match (predicted, real) {
        (Some(predicted), Some(real)) => (predicted, real),
        (None, None) => return None,
        _ => return Some(0.0),
    };
    let precision = predicted.len_in(&real.dilated(theta)) as f64 / predicted.len() as f64;
    let recall = real.len_in(&predicted.dilated(theta)) as f64 / real.len() as f64;
    let sum = precision + recall;
    Some(if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 })
}

/// The boundary F of each class over any number of images, in any order.
#[derive(Clone, Debug, PartialEq)]
pub struct Boundaries {
    tolerance: f64,
    /// For each class: the sum of its F in [`UNIT`]s, and in how many images it was scored.
    sums: Vec<(u64, u64)>,
}

impl Boundaries {
    /// No images yet. `tolerance` is a part of the diagonal, commonly [`TOLERANCE`].
    ///
    /// # Errors
    /// If there are no classes or more than 255, or the tolerance is not above 0 and at most 1.
    pub fn new(classes: usize, tolerance: f64) -> Result<Self, LabelMetricError> {
        check_classes(classes)?;
        check_tolerance(tolerance)?;
        Ok(Self { tolerance, sums: vec![(0, 0); classes] })
    }

    /// Adds an image of that width in pixels.
    ///
    /// # Errors
    /// Those of [`boundary_f`]. Nothing is added then.
    pub fn add(&mut self, prediction: &[u8], truth: &[u8], width: usize) -> Result<(), LabelMetricError> {
        let scores = boundary_f(prediction, truth, width, self.sums.len(), self.tolerance)?;
        for ((sum, images), score) in self.sums.iter_mut().zip(scores) {
            if let Some(score) = score {
                *sum += (score / UNIT).round() as u64;
                *images += 1;
            }
        }
        Ok(())
    }

    /// Adds all that others have summed.
    ///
    /// # Errors
    /// [`LabelMetricError::Differ`] if they are of another number of classes, or another tolerance.
    pub fn merge(&mut self, other: &Self) -> Result<(), LabelMetricError> {
        let differ = |what, a, b| Err(LabelMetricError::Differ { what, a, b });
        if self.sums.len() != other.sums.len() {
            return differ("numbers of classes", self.sums.len() as f64, other.sums.len() as f64);
        }
        if self.tolerance != other.tolerance {
            return differ("tolerances", self.tolerance, other.tolerance);
        }
        for (mine, theirs) in self.sums.iter_mut().zip(&other.sums) {
            *mine = (mine.0 + theirs.0, mine.1 + theirs.1);
        }
        Ok(())
    }

    /// The tolerance as a part of the diagonal.
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// Each class's mean over the images where it was scored; `None` if it was in none.
    #[must_use]
    pub fn scores(&self) -> Vec<Option<f64>> {
        let mean = |&(sum, images): &(u64, u64)| (images > 0).then(|| sum as f64 * UNIT / images as f64);
        self.sums.iter().map(mean).collect()
    }
}
