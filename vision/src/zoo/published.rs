//! Models as they were published: a folder's configuration says what to build, and its weights fill it.
use nerve_core::graph::{Device, Variables};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Architecture, ENTRIES, Model, SegmenterConfig};
use crate::backbones::dinov3::{DinoV3Config, PublishedDinoV3};
use crate::backbones::mit::MitConfig;
use crate::backbones::swin::{SwinConfig, SwinForm};
use crate::backbones::vit::{PublishedVit, VitConfig};
use crate::clip::{ClipConfig, ImageConfig, PublishedClip};
use crate::load::{LoadError, LoadReport, WeightSource, load, room};
use crate::segformer::SegformerConfig;
use crate::upernet::UperNetConfig;

/// The fields of a `config.json` that tell models apart.
#[derive(Clone, Deserialize)]
struct Header {
    /// Hugging Face's.
    model_type: Option<String>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    /// timm's.
    architecture: Option<String>,
}

impl Header {
    fn is(&self, architecture: &str) -> bool {
        self.architectures.iter().flatten().any(|known| known == architecture)
    }
}

/// Reads the `config.json` of some of Hugging Face's models.
struct Reader {
    /// Values of `model_type`.
    model_types: &'static [&'static str],
    read: fn(Value, &Header) -> Result<Architecture, String>,
}

/// All that are known: a row makes folders of a model known.
const READERS: [Reader; 6] = [
    Reader { model_types: &["swin"], read: swin },
    Reader { model_types: &["vit", "vit_msn", "dinov2", "dinov2_with_registers"], read: vit },
    Reader { model_types: &["dinov3_vit"], read: dinov3 },
    Reader { model_types: &["clip"], read: clip },
    Reader { model_types: &["segformer"], read: segformer },
    Reader { model_types: &["upernet"], read: |value, _| segmenter::<UperNetConfig>(value) },
];

fn swin(value: Value, header: &Header) -> Result<Architecture, String> {
    let config: SwinConfig = read(value)?;
    // A classifier's file names its last stage alone, which as a backbone is never meant.
    let classifier = SwinConfig { out_indices: None, form: SwinForm::Classifier, ..config.clone() };
    Ok(if header.is("SwinBackbone") { config.into() } else { classifier.into() })
}

fn vit(value: Value, _: &Header) -> Result<Architecture, String> {
    let config = VitConfig::try_from(read::<PublishedVit>(value)?).map_err(|error| error.to_string())?;
    Ok(config.into())
}

fn dinov3(value: Value, _: &Header) -> Result<Architecture, String> {
    Ok(DinoV3Config::try_from(read::<PublishedDinoV3>(value)?).map_err(|error| error.to_string())?.into())
}

/// The image encoder of a CLIP.
fn clip(value: Value, _: &Header) -> Result<Architecture, String> {
    match ClipConfig::from(read::<PublishedClip>(value)?).image {
        ImageConfig::Vit(config) => Ok(config.into()),
        ImageConfig::ResNet(config) => Ok(config.into()),
    }
}

fn segformer(value: Value, header: &Header) -> Result<Architecture, String> {
    if header.is("SegformerForSemanticSegmentation") {
        return segmenter::<SegformerConfig>(value);
    }
    Ok(read::<MitConfig>(value)?.into())
}

fn segmenter<C: SegmenterConfig + DeserializeOwned>(value: Value) -> Result<Architecture, String> {
    Ok(Architecture::Segmenter(Box::new(read::<C>(value)?)))
}

impl Architecture {
    /// From the `config.json` of a folder: Hugging Face's of a model that is known here, or timm's of one that is in
    /// [`ENTRIES`].
    ///
    /// # Errors
    /// If there is no such file, or it is of another model.
    pub fn published(source: &WeightSource) -> Result<Self, LoadError> {
        let failed = |problem: String| LoadError::Json { path: source.origin().into(), problem };
        let Some(value) = source.config::<Value>()? else {
            return Err(failed("no config.json beside the weights says which model they belong to".into()));
        };
        if let Some((field, number)) = absurd(&value, "") {
            return Err(failed(format!("`{field}` is {number}; no model has a number this large")));
        }
        let header: Header = read(value.clone()).map_err(failed)?;
        let found = match (header.model_type.as_deref(), header.architecture.as_deref()) {
            (None, Some(name)) => {
                timm(name).ok_or_else(|| format!("timm's '{name}' is not in the list of models"))
            }
            (model_type, _) => {
                let known = |reader: &&Reader| model_type.is_some_and(|t| reader.model_types.contains(&t));
                let unknown = || {
                    format!("`model_type` is {}, which is not supported", model_type.unwrap_or("not stated"))
                };
                READERS.iter().find(known).ok_or_else(unknown).and_then(|r| (r.read)(value, &header))
            }
        };
        found.map_err(failed)
    }
}

/// Larger than any number of a model.
const LARGEST: f64 = 65536.0;

/// The first absurdly large number, and its field.
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

/// The backbone whose entry has timm's weights of this architecture.
fn timm(name: &str) -> Option<Architecture> {
    let prefix = format!("timm/{name}.");
    let entry = ENTRIES.iter().find(|entry| entry.weights.iter().any(|w| w.starts_with(&prefix)))?;
    Some(Architecture::Backbone(entry.backbone()?().timm()))
}

/// A model as it was published, with its weights.
#[derive(Debug)]
pub struct Opened {
    /// What it is made of.
    pub architecture: Architecture,
    /// Its weights.
    pub variables: Variables,
    /// The model over them, for inference.
    pub model: Model,
    /// What was found in the files.
    pub report: LoadReport,
}

/// Builds what `source` holds on `device`, and loads it whole.
///
/// # Errors
/// If its configuration or weights cannot be used, or do not fit each other.
pub fn open(source: &mut WeightSource, device: Device) -> Result<Opened, LoadError> {
    let architecture = Architecture::published(source)?;
    let variables = Variables::unset().on(device).at_most(room(source));
    let model = architecture
        .build(&variables.detached())
        .map_err(|error| LoadError::Json { path: source.origin().into(), problem: error.to_string() })?;
    let keys = model.keys(source);
    let report = load(&variables, "", source, &*keys)?.strict()?;
    Ok(Opened { architecture, variables, model, report })
}
