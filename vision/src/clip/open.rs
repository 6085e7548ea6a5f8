//! A whole CLIP from a file or folder.
use std::path::Path;

use nerve_core::graph::{Device, Variables};
use serde::Deserialize;

use super::{Clip, ClipConfig, ClipKeys, PublishedClip};
use crate::activation::Activation;
use crate::load::{LoadError, LoadReport, WeightSource, load, room};

/// Names of open_clip's weights in a folder, which may hold the image encoder's under the common name too.
const OPEN_CLIP: [&str; 2] = ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"];
/// What open_clip says of a model.
const OPEN_CLIP_CONFIG: &str = "open_clip_config.json";

/// A CLIP with its weights.
#[derive(Debug)]
pub struct Opened {
    /// What it is made of.
    pub config: ClipConfig,
    /// Its weights.
    pub variables: Variables,
    /// The model over them, for inference.
    pub clip: Clip,
    /// What was found in the file.
    pub report: LoadReport,
}

/// Whether a file of weights is of a whole CLIP.
#[must_use]
pub fn is_clip(source: &WeightSource) -> bool {
    let has = |name: &str| source.shape(name).is_some();
    has("logit_scale")
        && (has("text_projection") || has("text.text_projection") || has("text_projection.weight"))
}

impl Clip {
    /// The weights of a CLIP in a file, or a folder as open_clip or Hugging Face lays them out.
    ///
    /// # Errors
    /// If nothing is there, or a file is broken.
    pub fn source(path: &Path) -> Result<WeightSource, LoadError> {
        let whole = OPEN_CLIP.iter().map(|name| path.join(name)).find(|file| file.is_file());
        WeightSource::open(whole.as_deref().unwrap_or(path))
    }

    /// What such a source holds: as its `config.json` says, or by the shapes of its arrays.
    ///
    /// # Errors
    /// If it is no CLIP, or a configuration is broken.
    pub fn published(source: &WeightSource, path: &Path) -> Result<ClipConfig, LoadError> {
        let failed = |problem: String| LoadError::Json { path: path.to_owned(), problem };
        if source.shape("text_projection.weight").is_some() {
            let published: Option<PublishedClip> = source.config()?;
            let missing = "Hugging Face's CLIP needs the config.json beside its weights; put it there";
            return Ok(published.ok_or_else(|| failed(missing.into()))?.into());
        }
        let activation = open_clip_activation(path)?;
        ClipConfig::of_shapes(source, activation).map_err(|error| failed(error.to_string()))
    }

    /// Opens a file, or a folder as open_clip or Hugging Face lays them out, on `device`.
    ///
    /// # Errors
    /// If it is no CLIP, or configuration and weights do not fit each other.
    pub fn open(path: &Path, device: Device) -> Result<Opened, LoadError> {
        let mut source = Self::source(path)?;
        let config = Self::published(&source, path)?;
        let variables = Variables::unset().on(device).at_most(room(&source));
        let clip = Self::new(&variables.detached(), &config)
            .map_err(|error| LoadError::Json { path: path.to_owned(), problem: error.to_string() })?;
        let backbone = clip.backbone.keys(&source, "");
        let keys = ClipKeys::new(&*backbone, &config.projection());
        let report = load(&variables, "", &mut source, &keys)?.strict()?;
        Ok(Opened { config, variables, clip, report })
    }
}

/// The activation that open_clip's configuration beside the weights says, if there is one.
fn open_clip_activation(path: &Path) -> Result<Option<Activation>, LoadError> {
    #[derive(Deserialize)]
    struct Model {
        #[serde(default)]
        quick_gelu: bool,
    }
    #[derive(Deserialize)]
    struct Config {
        model_cfg: Model,
    }
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let Some(path) = folder.map(|folder| folder.join(OPEN_CLIP_CONFIG)).filter(|path| path.is_file()) else {
        return Ok(None);
    };
    let text =
        std::fs::read_to_string(&path).map_err(|problem| LoadError::Io { path: path.clone(), problem })?;
    let config: Config =
        serde_json::from_str(&text).map_err(|error| LoadError::Json { path, problem: error.to_string() })?;
    Ok(Some(if config.model_cfg.quick_gelu { Activation::QuickGelu } else { Activation::Gelu }))
}
