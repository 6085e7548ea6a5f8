//! The figures of a set of label maps: IoU, accuracy, boundary F, by class and as means.

use serde::{Deserialize, Serialize};

use super::{Boundaries, Confusion, LabelMetricError};

/// What a confusion matrix and boundaries come to. Figures are parts of 1; `None` (`null` in JSON) is a figure that
/// would be 0/0, and such are left out of the means. Names of the means are those of the field's tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Pixels that count: all but the ignored ones.
    pub pixels: u64,
    /// Part of the pixels that were given the right class.
    #[serde(rename = "aAcc")]
    pub all_accuracy: Option<f64>,
    /// Mean of the classes' [`iou`](ClassScores::iou).
    #[serde(rename = "mIoU")]
    pub mean_iou: Option<f64>,
    /// Mean of the classes' [`recall`](ClassScores::recall).
    #[serde(rename = "mAcc")]
    pub mean_accuracy: Option<f64>,
    /// Mean of the classes' [`dice`](ClassScores::dice).
    #[serde(rename = "mDice")]
    pub mean_dice: Option<f64>,
    /// Mean of the classes' [`boundary_f`](ClassScores::boundary_f).
    #[serde(rename = "mBF")]
    pub mean_boundary_f: Option<f64>,
    /// The tolerance of the boundary F as a part of the diagonal; `None` if boundaries were not measured.
    pub boundary_tolerance: Option<f64>,
    /// Each class, in the order of their numbers.
    pub classes: Vec<ClassScores>,
}

/// The figures of one class: TP, FP and FN are its pixels rightly given, wrongly given, and missed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// The class.
    pub name: String,
    /// Pixels whose true class it is, TP + FN.
    pub pixels: u64,
    /// Pixels that were given it, TP + FP.
    pub predicted: u64,
    /// Intersection over union, TP / (TP + FP + FN); `None` for a class in neither map.
    pub iou: Option<f64>,
    /// TP / (TP + FP); `None` for a class that was never given.
    pub precision: Option<f64>,
    /// The class's accuracy, TP / (TP + FN); `None` for a class that the truth does not have.
    pub recall: Option<f64>,
    /// Dice's coefficient, which is F1: 2 TP / (2 TP + FP + FN); `None` for a class in neither map.
    pub dice: Option<f64>,
    /// Mean boundary F over the images where the class has a boundary; see [`Boundaries`].
    pub boundary_f: Option<f64>,
}

impl Scores {
    /// Draws up the figures; a class without a name is named by its number.
    ///
    /// # Errors
    /// [`LabelMetricError::Differ`] if the boundaries are of another number of classes, or there are more names.
    pub fn new(
        names: &[String],
        confusion: &Confusion,
        boundaries: Option<&Boundaries>,
    ) -> Result<Self, LabelMetricError> {
        let count = confusion.classes();
        let boundary_f = boundaries.map_or_else(|| vec![None; count], Boundaries::scores);
        let differ =
            |what, other: usize| Err(LabelMetricError::Differ { what, a: count as f64, b: other as f64 });
        if boundary_f.len() != count {
            return differ("numbers of classes", boundary_f.len());
        }
        if names.len() > count {
            return differ("numbers of classes and of names", names.len());
        }
        let class = |(class, boundary_f): (usize, Option<f64>)| {
            let (hits, truths, predictions) =
                (confusion.hits(class), confusion.truths(class), confusion.predictions(class));
            ClassScores {
                name: names.get(class).cloned().unwrap_or_else(|| class.to_string()),
                pixels: truths,
                predicted: predictions,
                iou: ratio(hits, truths + predictions - hits),
                precision: ratio(hits, predictions),
                recall: ratio(hits, truths),
                dice: ratio(2 * hits, truths + predictions),
                boundary_f,
            }
        };
        let classes: Vec<ClassScores> = boundary_f.into_iter().enumerate().map(class).collect();
        let hits = (0..count).map(|class| confusion.hits(class)).sum();
        Ok(Self {
            pixels: confusion.pixels(),
            all_accuracy: ratio(hits, confusion.pixels()),
            mean_iou: mean(&classes, |class| class.iou),
            mean_accuracy: mean(&classes, |class| class.recall),
            mean_dice: mean(&classes, |class| class.dice),
            mean_boundary_f: mean(&classes, |class| class.boundary_f),
            boundary_tolerance: boundaries.map(Boundaries::tolerance),
            classes,
        })
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The mean over the classes that have the figure.
fn mean(classes: &[ClassScores], figure: fn(&ClassScores) -> Option<f64>) -> Option<f64> {
    let figures: Vec<f64> = classes.iter().filter_map(figure).collect();
    (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
}
