//! Segmenters that others have trained, to label with as they are.
use std::collections::BTreeMap;

use nerve_core::graph::{Mode, Result, Tensor, bail};
use nerve_data::labels::{Class, MAX_CLASSES, color_map};

use super::{SegmentationError, Segments};
use crate::load::{Access, Source};
use crate::zoo::{self, Config, Model};

/// A published segmenter with its classes.
pub struct Published {
    model: Model,
    classes: Vec<Class>,
}

impl Published {
    /// From a folder, or a name on the Hugging Face hub.
    ///
    /// # Errors
    /// If nothing is there, or it is no segmenter that can be built.
    pub fn open(name: &str, access: Access) -> std::result::Result<Self, SegmentationError> {
        let (config, _, model, _) = zoo::open(&mut Source::find(name, access)?)?;
        let names = match &config {
            Config::Segformer(config) => &config.id2label,
            Config::UperNet(config) => &config.id2label,
            _ => {
                return Err(no_segmenter(
                    name,
                    "a backbone alone; `nerve seg train --weights` makes one of it",
                ));
            }
        };
        if names.is_empty() || names.len() > MAX_CLASSES {
            return Err(no_segmenter(
                name,
                "its config.json names no classes in `id2label`, or more than 255",
            ));
        }
        Ok(Self { model, classes: classes(names) })
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

impl Segments for Published {
    fn classes(&self) -> usize {
        self.classes.len()
    }

    fn answer(&self, images: &Tensor) -> Result<Tensor> {
        match self.model.outputs(images, Mode::Eval)?.pop() {
            Some(scores) => Ok(scores),
            None => bail!("the model puts out nothing"),
        }
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
