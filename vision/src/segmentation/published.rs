//! Published segmenters, used as they are.
use std::collections::BTreeMap;

use nerve_core::device;
use nerve_core::graph::{Device, Mode, Result, Tensor, Variables, graph_device};
use nerve_data::labels::{Class, MAX_CLASSES, color_map};

use super::{SegmentationError, SemanticSegmenter};
use crate::load::{Access, WeightSource};
use crate::zoo::{self, Architecture, Model, Opened, SegmentationModel};

/// A published segmenter with its classes.
pub struct Published {
    model: Box<dyn SegmentationModel>,
    variables: Variables,
    classes: Vec<Class>,
}

impl Published {
    /// From a folder, or a name on the Hugging Face hub, on `device`.
    ///
    /// # Errors
    /// If nothing is found, or it is no segmenter that can be built, or the device cannot be used.
    pub fn open(
        name: &str,
        access: Access,
        device: device::Device,
    ) -> std::result::Result<Self, SegmentationError> {
        let opened = zoo::open(&mut WeightSource::find(name, access)?, graph_device(device)?)?;
        let Opened { architecture: Architecture::Segmenter(config), model: Model::Segmenter(model), .. } =
            opened
        else {
            let reason = "it is a backbone alone; `nerve seg train --weights` trains a segmenter from one";
            return Err(no_segmenter(name, reason));
        };
        let names = config.class_names();
        if names.is_empty() || names.len() > MAX_CLASSES {
            let reason = "its config.json names no classes in `id2label`, or more than 255";
            return Err(no_segmenter(name, reason));
        }
        Ok(Self { model, variables: opened.variables, classes: classes(names) })
    }

    /// Its classes, in PASCAL VOC's colors.
    #[must_use]
    pub fn names(&self) -> &[Class] {
        &self.classes
    }
}

fn no_segmenter(name: &str, reason: &str) -> SegmentationError {
    SegmentationError::Other { path: name.into(), reason: format!("no segmenter: {reason}") }
}

/// Classes by their numbers, which the file has as text.
fn classes(names: &BTreeMap<String, String>) -> Vec<Class> {
    let name = |i: usize| names.get(&i.to_string()).cloned().unwrap_or_else(|| format!("class {i}"));
    (0..names.len()).map(|i| Class { name: name(i), color: color_map((i + 1) as u8) }).collect()
}

impl SemanticSegmenter for Published {
    fn classes(&self) -> usize {
        self.classes.len()
    }

    fn device(&self) -> &Device {
        self.variables.device()
    }

    fn infer(&self, images: &Tensor) -> Result<Tensor> {
        self.model.scores(images, Mode::Eval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_in_order_of_numbers() {
        let names = (0..12).map(|i| (i.to_string(), format!("n{i}"))).collect();
        let classes = classes(&names);
        assert_eq!((classes[2].name.as_str(), classes[10].name.as_str()), ("n2", "n10"));
        assert_ne!(classes[0].color, classes[1].color);
    }
}
