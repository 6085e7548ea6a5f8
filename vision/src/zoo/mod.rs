//! Everything that can be built by name: what it is, where its weights come from, what it costs.
mod entries;
mod model;
mod published;

use nerve_core::graph::{Cost, DType, Device, Mode, Result, Tensor, Variables, count_macs};

pub use entries::ENTRIES;
pub use model::{Config, Model};
pub use published::{open, room};

/// What a model puts out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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
    config: fn() -> Config,
}

impl Entry {
    /// What it is made of; a segmenter as published, with the 150 classes of ADE20K.
    #[must_use]
    pub fn config(&self) -> Config {
        (self.config)()
    }

    /// What it puts out.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.config().kind()
    }
}

/// The entry of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

/// What a model costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Its trainable values.
    pub parameters: usize,
    /// Of the forward pass of one image; a FLOP count is usually twice the multiply-accumulates.
    pub cost: Cost,
    /// The shapes of what it puts out for one image, `(height, width, channels or classes)`.
    pub outputs: Vec<Vec<usize>>,
}

/// Finds out by running the model once on one image of this height and width, with weights of zero, of which there may
/// be `most`.
///
/// # Errors
/// If it cannot be built, or the image is too small for it.
pub fn info(config: &Config, [height, width]: [usize; 2], most: usize) -> Result<Info> {
    let variables = Variables::unset().at_most(most);
    let model = Model::new(&variables.detached(), config)?;
    let image = Tensor::zeros((1, height, width, 3), DType::F32, &Device::Cpu)?;
    let (outputs, cost) = count_macs(|| model.outputs(&image, Mode::Eval));
    let outputs = outputs?.iter().map(|output| output.dims()[1..].to_vec()).collect();
    Ok(Info { parameters: variables.parameters(), cost, outputs })
}

#[cfg(test)]
mod tests;
