//! Evaluation of a segmenter on a split: one confusion matrix over the set, at the images' own size.
use std::time::{Duration, Instant};

use nerve_core::metrics::segmentation::{Boundaries, Confusion, Scores, TOLERANCE};
use nerve_core::run::Cancel;
use nerve_data::labels::{LabelSet, LabelSplit, Labelled};

use super::{Inference, Prediction, SegmentationError, SemanticSegmenter, predict};

/// The result of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The metrics.
    pub scores: Scores,
    /// The confusion matrix.
    pub confusion: Confusion,
    /// The number of images.
    pub images: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// Evaluates `segmenter` on all images of `split`; None if it was cancelled. With `boundaries`, their F score is computed
/// too. `seen` is called with every image and its prediction, by its position in the split.
///
/// # Errors
/// If an image cannot be read, or is too small for the model.
pub fn evaluate(
    segmenter: &dyn SemanticSegmenter,
    set: &LabelSet,
    split: &LabelSplit,
    inference: &Inference,
    boundaries: bool,
    cancel: &Cancel,
    seen: &mut dyn FnMut(usize, &Labelled, &Prediction),
) -> Result<Option<Evaluation>, SegmentationError> {
    let start = Instant::now();
    let classes = segmenter.classes();
    let mut confusion = Confusion::new(classes)?;
    let mut outlines = if boundaries { Some(Boundaries::new(classes, TOLERANCE)?) } else { None };
    for (place, pair) in split.pairs.iter().enumerate() {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let labelled = set.load(pair)?;
        let found = predict(segmenter, labelled.image.view(), inference)?;
        let width = labelled.mask.ncols();
        let truth: Vec<u8> = labelled.mask.iter().copied().collect();
        let labels: Vec<u8> = found.labels.iter().copied().collect();
        confusion.add(&labels, &truth)?;
        if let Some(outlines) = &mut outlines {
            outlines.add(&labels, &truth, width)?;
        }
        seen(place, &labelled, &found);
    }
    let scores = Scores::new(&set.class_names(), &confusion, outlines.as_ref())?;
    Ok(Some(Evaluation { scores, confusion, images: split.pairs.len(), elapsed: start.elapsed() }))
}
