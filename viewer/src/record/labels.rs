//! Labels as segmentation images over one annotation context, and where predictions are wrong.
use std::{collections::HashMap, sync::Arc};

use nerve_core::run::{Class, LabelRole};
use rerun::archetypes::{AnnotationContext, Image, SegmentationImage};
use rerun::components::ImageFormat;
use rerun::datatypes::{ChannelDatatype, ClassDescription, Rgba32};
use rerun::{EntityPath, RecordingStream, RecordingStreamResult};

use super::pictures::{nearest, shrunk};

/// Pictures whose true labels are remembered, to show errors by.
const MOST: usize = 64;

/// What a pixel's label is compared to.
#[derive(Clone)]
pub(super) struct Labelled {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) labels: Arc<[u16]>,
}

impl Labelled {
    fn fits(&self) -> bool {
        !self.labels.is_empty() && self.width.checked_mul(self.height) == Some(self.labels.len())
    }
}

/// True and predicted labels seen so far.
#[derive(Default)]
pub(super) struct Known {
    /// Labels from here on have no class; 0 while that is not known.
    pub(super) classes: usize,
    truth: HashMap<String, Labelled>,
    prediction: HashMap<String, Labelled>,
    /// In order of appearance.
    names: Vec<String>,
}

impl Known {
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Remembers labels. Once both are known of a picture: where they differ, as RGB.
    pub(super) fn compare(&mut self, name: &str, role: LabelRole, labelled: Labelled) -> Option<Errors> {
        if !self.names.iter().any(|n| n == name) {
            if self.names.len() == MOST {
                return None;
            }
            self.names.push(name.to_owned());
        }
        let known = if role == LabelRole::GroundTruth { &mut self.truth } else { &mut self.prediction };
        known.insert(name.to_owned(), labelled);
        Errors::new(self.truth.get(name)?, self.prediction.get(name)?, self.classes)
    }
}

/// Where labels are wrong.
pub(super) struct Errors {
    size: [usize; 2],
    /// Per pixel: right, wrong, or of no class.
    pub(super) verdicts: Vec<Option<bool>>,
}

impl Errors {
    fn new(truth: &Labelled, prediction: &Labelled, classes: usize) -> Option<Self> {
        let size = [truth.width, truth.height];
        if !truth.fits() || !prediction.fits() || size != [prediction.width, prediction.height] {
            return None;
        }
        let verdict = |(truth, found): (&u16, &u16)| {
            (classes == 0 || usize::from(*truth) < classes).then_some(truth == found)
        };
        Some(Self {
            size,
            verdicts: truth.labels.iter().zip(prediction.labels.iter()).map(verdict).collect(),
        })
    }
}

/// The classes' names and colors, for all labels below.
pub(super) fn classes(stream: &RecordingStream, classes: &[Class]) -> RecordingStreamResult<()> {
    let describe = |(id, class): (usize, &Class)| {
        let id = u16::try_from(id).ok()?;
        Some(ClassDescription::from((id, class.name.as_str(), Rgba32::from(class.color))))
    };
    let mut described: Vec<ClassDescription> = classes.iter().enumerate().filter_map(describe).collect();
    // Rerun would give labels without a class colors of their own.
    if let Ok(next) = u16::try_from(classes.len()) {
        described.push(ClassDescription::from((next, "no class", Rgba32::from_rgb(0, 0, 0))));
    }
    let context = AnnotationContext::new(described);
    for root in ["pictures", "views", "classes"] {
        stream.log_static(root, &context)?;
    }
    Ok(())
}

pub(super) fn labels(
    stream: &RecordingStream,
    base: &EntityPath,
    role: LabelRole,
    labelled: &Labelled,
    classes: usize,
    side: usize,
) -> RecordingStreamResult<()> {
    if !labelled.fits() {
        return Ok(());
    }
    let size = [labelled.width, labelled.height];
    let small = shrunk(size, side);
    // All labels without a class are the first that has none.
    let most = u16::try_from(classes).ok().filter(|n| *n > 0).unwrap_or(u16::MAX);
    let known = |label: &u16| (*label).min(most);
    let labels = nearest(&labelled.labels, size, small);
    let bytes: Vec<u8> = labels.iter().flat_map(|label| known(label).to_le_bytes()).collect();
    let format = ImageFormat::segmentation(small.map(|v| v as u32), ChannelDatatype::U16);
    let (leaf, fixed) = match role {
        LabelRole::GroundTruth => ("ground_truth", true),
        LabelRole::Prediction => ("prediction", false),
    };
    stream.log_with_static(base.join(&leaf.into()), fixed, &SegmentationImage::new(bytes, format))
}

/// Wrong pixels red, right ones dark, those without a class black.
pub(super) fn error(
    stream: &RecordingStream,
    base: &EntityPath,
    errors: &Errors,
    side: usize,
) -> RecordingStreamResult<()> {
    let small = shrunk(errors.size, side);
    let color = |verdict: &Option<bool>| match verdict {
        Some(true) => [40, 48, 56],
        Some(false) => [230, 60, 50],
        None => [0; 3],
    };
    let pixels: Vec<u8> = nearest(&errors.verdicts, errors.size, small).iter().flat_map(color).collect();
    stream.log(base.join(&"error".into()), &Image::from_rgb24(pixels, small.map(|v| v as u32)))
}
