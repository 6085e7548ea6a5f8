//! Models as they were published: a folder's configuration says what to build, and its weights fill it.
use nerve_core::graph::{Error, Variables};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Config, ENTRIES, Model};
use crate::backbones::swin::{SwinConfig, SwinForm};
use crate::backbones::vit::{PublishedVit, VitConfig};
use crate::load::{LoadError, Report, Source, load};

/// What of a `config.json` tells models apart.
#[derive(Deserialize)]
struct Header {
    /// Hugging Face's.
    model_type: Option<String>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    /// timm's.
    architecture: Option<String>,
}

impl Config {
    /// From the `config.json` of a folder: Hugging Face's of a model that is known here, or timm's of one that is in the
    /// list.
    ///
    /// # Errors
    /// If there is no such file, or it is of another model.
    pub fn published(source: &Source) -> Result<Self, LoadError> {
        let failed = |problem: String| LoadError::Json { path: source.origin().into(), problem };
        let Some(value) = source.config::<Value>()? else {
            return Err(failed("no config.json beside the weights says what model they are of".into()));
        };
        if let Some((field, number)) = absurd(&value, "") {
            return Err(failed(format!("`{field}` is {number}; no model has such a number")));
        }
        let header: Header = read(value.clone()).map_err(failed)?;
        let known = header.architectures.unwrap_or_default();
        let is = |name: &str| known.iter().any(|architecture| architecture == name);
        let found = match (header.model_type.as_deref(), header.architecture.as_deref()) {
            (Some("swin"), _) => read::<SwinConfig>(value).map(|config| {
                // A classifier's file names its last stage alone, which as a backbone is never meant.
                let classifier =
                    SwinConfig { out_indices: None, form: SwinForm::Classifier, ..config.clone() };
                Self::Swin(if is("SwinBackbone") { config } else { classifier })
            }),
            (Some("vit" | "vit_msn" | "dinov2" | "dinov2_with_registers"), _) => {
                let published = read::<PublishedVit>(value).map_err(failed)?;
                return Ok(Self::Vit(VitConfig::try_from(published)?));
            }
            (Some("segformer"), _) if is("SegformerForSemanticSegmentation") => {
                read(value).map(Self::Segformer)
            }
            (Some("segformer"), _) => read(value).map(Self::Mit),
            (Some("upernet"), _) => read(value).map(Self::UperNet),
            (None, Some(name)) => {
                return timm(name)
                    .ok_or_else(|| failed(format!("timm's '{name}' is not in the list of models")));
            }
            (other, _) => {
                let other = other.unwrap_or("not stated");
                return Err(failed(format!("`model_type` is {other}, which cannot be built")));
            }
        };
        found.map_err(failed)
    }
}

/// Larger than any number of a model.
const LARGEST: f64 = 65536.0;

/// The first number that is absurdly large, and its field.
fn absurd(value: &Value, field: &str) -> Option<(String, serde_json::Number)> {
    let inside = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
    match value {
        Value::Number(n) if n.as_f64().is_none_or(|n| n.abs() > LARGEST) => {
            Some((field.to_owned(), n.clone()))
        }
        Value::Array(all) => all.iter().find_map(|value| absurd(value, field)),
        Value::Object(all) => all.iter().find_map(|(name, value)| absurd(value, &inside(name))),
        _ => None,
    }
}

/// A value as a `T`; an error names the field.
fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| error.to_string())
}

/// The entry that has timm's weights of this architecture.
fn timm(name: &str) -> Option<Config> {
    let prefix = format!("timm/{name}.");
    let entry = ENTRIES.iter().find(|entry| entry.weights.iter().any(|w| w.starts_with(&prefix)))?;
    Some(match entry.config() {
        Config::Swin(config) => Config::Swin(config.with_form(SwinForm::Timm)),
        config => config,
    })
}

/// Values that the smallest models may lack in their files.
const SPARE: usize = 1 << 16;

/// How many values a model of these weights may have: twice what there is, for tables that are resized. A configuration
/// that wants more is not of these weights.
#[must_use]
pub fn room(source: &Source) -> usize {
    2 * source.shapes().map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>() + SPARE
}

/// Builds what `source` holds and loads it whole.
///
/// # Errors
/// If its configuration or weights cannot be used, or do not fit each other.
pub fn open(source: &mut Source) -> Result<(Config, Variables, Model, Report), LoadError> {
    let config = Config::published(source)?;
    let variables = Variables::unset().at_most(room(source));
    let model = Model::new(&variables.detached(), &config).map_err(|error: Error| LoadError::Json {
        path: source.origin().into(),
        problem: error.to_string(),
    })?;
    let keys = model.keys(source);
    let report = load(&variables, "", source, &*keys)?.strict()?;
    Ok((config, variables, model, report))
}
