//! Everything that can be built by name: what it is, where its weights come from, what it costs.
mod entries;
mod model;
mod published;

use nerve_core::graph::{Cost, DType, Mode, Result, Tensor, Variables, count_macs};

use crate::backbones::BackboneConfig;

pub use entries::ENTRIES;
pub use model::{Architecture, Model, SegmentationModel, SegmenterConfig};
pub use published::{Opened, open};

/// What a model returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// Maps of features.
    Backbone,
    /// Scores of classes.
    Segmenter,
}

/// Something that can be built.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name here.
    pub name: &'static str,
    /// The family it belongs to.
    pub family: &'static str,
    /// Sides of the images that its weights were trained on, in pixels.
    pub image: usize,
    /// Where weights come from: names on the Hugging Face hub, whose files are read as they are.
    pub weights: &'static [&'static str],
    /// Whose key names are read.
    pub keys: &'static str,
    make: Make,
}

/// How the configuration of an entry is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Make {
    Backbone(fn() -> Box<dyn BackboneConfig>),
    Segmenter(fn() -> Box<dyn SegmenterConfig>),
}

impl Entry {
    /// What it is made of; a segmenter as published, with the 150 classes of ADE20K.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        match self.make {
            Make::Backbone(config) => Architecture::Backbone(config()),
            Make::Segmenter(config) => Architecture::Segmenter(config()),
        }
    }

    /// What it returns.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        match self.make {
            Make::Backbone(_) => ModelKind::Backbone,
            Make::Segmenter(_) => ModelKind::Segmenter,
        }
    }

    /// How its configuration is made, if it is a backbone.
    pub(crate) fn backbone(&self) -> Option<fn() -> Box<dyn BackboneConfig>> {
        match self.make {
            Make::Backbone(config) => Some(config),
            Make::Segmenter(_) => None,
        }
    }
}

/// The entry of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

/// What a model costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// The number of its weights.
    pub parameters: usize,
    /// Of the forward pass of one image; a FLOP count is usually twice the multiply-accumulates.
    pub cost: Cost,
    /// The shapes of what it returns for one image, `(height, width, channels or classes)`.
    pub outputs: Vec<Vec<usize>>,
}

/// Measures a model by running it once on an image of this height and width, with weights of zero. A model of more than
/// `most` weights is refused.
///
/// # Errors
/// If it cannot be built, or the image is too small for it.
pub fn info(architecture: &Architecture, [height, width]: [usize; 2], most: usize) -> Result<ModelInfo> {
    let variables = Variables::unset().at_most(most);
    let model = architecture.build(&variables.detached())?;
    let image = Tensor::zeros((1, height, width, 3), DType::F32, variables.device())?;
    let (outputs, cost) = count_macs(|| model.outputs(&image, Mode::Eval));
    let outputs = outputs?.iter().map(|output| output.dims()[1..].to_vec()).collect();
    Ok(ModelInfo { parameters: variables.parameters(), cost, outputs })
}

#[cfg(test)]
mod tests;
