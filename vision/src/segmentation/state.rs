//! Saving and resuming a run: variables, moments and averages, bit for bit.
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum as _;
use nerve_core::checkpoint::{self, Checkpoint, DEVICE_KEY, TensorData};
use nerve_core::device::Device;
use nerve_core::graph::{to_vec, update_in_place};
use nerve_core::run::Clock;
use nerve_data::labels::{Class, LabelSet};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::backbones::MlpForms;
use crate::denseclip::LanguageShape;

use super::guided;
use super::{BackboneName, HeadKind, ModelConfig, SegConfig, SegmentationError, Segmenter, Trainer};

/// The settings that shape the network, and its classes, as JSON.
const MODEL: &str = "model";
/// Names and colors of the classes, as JSON.
const CLASSES: &str = "classes";
/// Pixels of each class in the training split, as JSON.
const CLASS_PIXELS: &str = "class_pixels";

/// What shapes a network.
#[derive(PartialEq, Serialize, Deserialize)]
struct Shape {
    backbone: BackboneName,
    // The only one that there was once.
    #[serde(default)]
    head: HeadKind,
    head_width: usize,
    classes: usize,
    #[serde(default)]
    auxiliary_head: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<LanguageShape>,
    #[serde(default, skip_serializing_if = "MlpForms::are_full")]
    mlps: MlpForms,
}

impl Shape {
    fn of(config: &SegConfig, classes: usize, language: Option<&LanguageShape>) -> Self {
        let ModelConfig { backbone, head, aux_weight, .. } = config.model;
        Self {
            backbone,
            head,
            head_width: config.model.width(),
            classes,
            auxiliary_head: aux_weight > 0.0,
            language: language.cloned(),
            mlps: config.model.mlps.clone(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backbone, head, head_width, classes, auxiliary_head, language, mlps } = self;
        let head = head.to_possible_value();
        let head = head.as_ref().map_or("", |head| head.get_name());
        write!(f, "backbone {backbone}, head {head} with head_width {head_width}, {classes} classes")?;
        if *auxiliary_head {
            write!(f, ", an auxiliary head (aux_weight above 0)")?;
        }
        if let Some(language) = language {
            write!(f, ", {}", guided::told(language))?;
        }
        if mlps.are_full() { Ok(()) } else { write!(f, ", MLPs built otherwise ({})", json!(mlps)) }
    }
}

impl Trainer {
    /// Saves everything that resuming needs.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SegmentationError> {
        let meta = BTreeMap::from([
            ("kind".to_owned(), super::KIND.to_owned()),
            (DEVICE_KEY.to_owned(), self.device().name().to_owned()),
            ("step".to_owned(), self.step.to_string()),
            ("elapsed_ns".to_owned(), self.elapsed().as_nanos().to_string()),
            (
                MODEL.to_owned(),
                json!(Shape::of(&self.config, self.set.classes.len(), self.segmenter().language()))
                    .to_string(),
            ),
            (CLASSES.to_owned(), json!(self.set.classes).to_string()),
            (CLASS_PIXELS.to_owned(), json!(self.class_pixels).to_string()),
        ]);
        let variables: Vec<_> = self
            .task
            .segmenter
            .variables()
            .all()
            .into_iter()
            .map(|(key, v)| (key, v.var.dims().to_vec(), to_vec(&v.var)))
            .collect();
        let mut tensors: Vec<_> = variables
            .iter()
            .map(|(key, shape, values)| (key.clone(), shape.clone(), TensorData::F32(values)))
            .collect();
        tensors.extend(self.stepper.optimizer().tensors());
        Ok(checkpoint::save(path, &meta, &tensors)?)
    }

    /// A trainer that resumes from a checkpoint.
    ///
    /// # Errors
    /// If the file is damaged or of another model.
    pub fn restored(
        config: SegConfig,
        set: Arc<LabelSet>,
        path: &Path,
        device: Device,
    ) -> Result<Self, SegmentationError> {
        let (segmenter, checkpoint) = opened(&config, &set, path, device)?;
        let class_pixels: Vec<u64> = parsed(&checkpoint, path, CLASS_PIXELS)?;
        if class_pixels.len() != set.classes.len() {
            return Err(other(
                path,
                format!("it counts {} classes, not {}", class_pixels.len(), set.classes.len()),
            ));
        }
        let mut trainer = Self::with(config, set, segmenter, &class_pixels)?;
        trainer.step = parsed(&checkpoint, path, "step")?;
        trainer.clock = Clock::at(Duration::from_nanos(parsed(&checkpoint, path, "elapsed_ns")?));
        let step = trainer.step;
        trainer.stepper.optimizer_mut().restore(&checkpoint, step)?;
        Ok(trainer)
    }
}

impl Trainer {
    /// A trainer of a segmenter that was made of the one in a checkpoint, where that run was; its moments start anew.
    pub(super) fn distilled(
        config: SegConfig,
        set: Arc<LabelSet>,
        segmenter: Segmenter,
        path: &Path,
    ) -> Result<Self, SegmentationError> {
        let checkpoint = Checkpoint::load(path)?;
        let class_pixels: Vec<u64> = parsed(&checkpoint, path, CLASS_PIXELS)?;
        let mut trainer = Self::with(config, set, segmenter, &class_pixels)?;
        trainer.step = parsed(&checkpoint, path, "step")?;
        trainer.clock = Clock::at(Duration::from_nanos(parsed(&checkpoint, path, "elapsed_ns")?));
        Ok(trainer)
    }
}

/// The segmenter of a checkpoint for this data, for inference; with averaged weights where they were kept.
///
/// # Errors
/// If the file is damaged, or of another model or other classes.
pub fn trained(
    config: &SegConfig,
    set: &LabelSet,
    path: &Path,
    device: Device,
) -> Result<Segmenter, SegmentationError> {
    let (segmenter, checkpoint) = opened(config, set, path, device)?;
    averaged(segmenter, &checkpoint)
}

/// The same without the data, and its classes; none from a checkpoint that does not name them (those of the first
/// versions).
///
/// # Errors
/// If the file is damaged or of another model.
pub fn trained_alone(
    config: &SegConfig,
    path: &Path,
    device: Device,
) -> Result<Option<(Segmenter, Vec<Class>)>, SegmentationError> {
    let checkpoint = Checkpoint::load(path)?;
    let Some(classes) = named(&checkpoint, path)? else { return Ok(None) };
    let segmenter = filled(config, classes.len(), &checkpoint, path, device)?;
    Ok(Some((averaged(segmenter, &checkpoint)?, classes)))
}

fn averaged(segmenter: Segmenter, checkpoint: &Checkpoint) -> Result<Segmenter, SegmentationError> {
    for (key, variable) in segmenter.variables().all() {
        let name = format!("ema/{key}");
        if checkpoint.contains(&name) {
            let values = checkpoint.f32(&name, variable.var.dims())?;
            update_in_place(&variable.var, |v| v.copy_from_slice(&values))?;
        }
    }
    Ok(segmenter)
}

/// The classes that a checkpoint names.
fn named(checkpoint: &Checkpoint, path: &Path) -> Result<Option<Vec<Class>>, SegmentationError> {
    if checkpoint.meta(CLASSES).is_err() {
        return Ok(None);
    }
    parsed(checkpoint, path, CLASSES).map(Some)
}

fn opened(
    config: &SegConfig,
    set: &LabelSet,
    path: &Path,
    device: Device,
) -> Result<(Segmenter, Checkpoint), SegmentationError> {
    let checkpoint = Checkpoint::load(path)?;
    let segmenter = filled(config, set.classes.len(), &checkpoint, path, device)?;
    let before = named(&checkpoint, path)?.unwrap_or_default();
    if let Some((i, (was, is))) =
        before.iter().zip(&set.classes).enumerate().find(|(_, (was, is))| was.name != is.name)
    {
        let source = set.source.display();
        return Err(other(
            path,
            format!(
                "its class {i} is {}, and in {source} it is {}; give the classes it was trained with, or train again",
                was.name, is.name
            ),
        ));
    }
    Ok((segmenter, checkpoint))
}

/// A segmenter with a checkpoint's variables.
fn filled(
    config: &SegConfig,
    classes: usize,
    checkpoint: &Checkpoint,
    path: &Path,
    device: Device,
) -> Result<Segmenter, SegmentationError> {
    let saved: Shape = parsed(checkpoint, path, MODEL)?;
    let language = saved.language.as_ref().and_then(|language| guided::asked(language, &config.model));
    let now = Shape::of(config, classes, language.as_ref());
    if saved != now {
        return Err(other(
            path,
            format!(
                "it holds another model ({saved}), but config.toml and the data say {now}; set them back, or train again"
            ),
        ));
    }
    let segmenter =
        Segmenter::guided(&config.model, language.as_ref(), classes, config.train.run.seed, device)?;
    for (key, variable) in segmenter.variables().all() {
        let values = checkpoint.f32(&key, variable.var.dims())?;
        update_in_place(&variable.var, |v| v.copy_from_slice(&values))?;
    }
    Ok(segmenter)
}

fn other(path: &Path, reason: String) -> SegmentationError {
    SegmentationError::Other { path: path.to_owned(), reason }
}

fn parsed<T: serde::de::DeserializeOwned>(
    checkpoint: &Checkpoint,
    path: &Path,
    key: &str,
) -> Result<T, SegmentationError> {
    let text = checkpoint.meta(key)?;
    serde_json::from_str(text)
        .map_err(|e| other(path, format!("`{key}` cannot be read ({e}); take an older checkpoint")))
}

/// The step at which a checkpoint was saved, and the training time until then.
///
/// # Errors
/// If the file is damaged or none of a segmenter.
pub fn reached(path: &Path) -> Result<(u64, Duration), SegmentationError> {
    let checkpoint = Checkpoint::load(path)?;
    let elapsed = Duration::from_nanos(parsed(&checkpoint, path, "elapsed_ns")?);
    Ok((parsed(&checkpoint, path, "step")?, elapsed))
}
