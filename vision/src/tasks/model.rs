//! A model of several tasks: a frozen backbone, what a method trains beside it, a decoder a task.
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use nerve_core::device;
use nerve_core::graph::{Device, Mode, Result, Scope, Tensor, VariableKind, Variables, graph_device, to_vec};
use nerve_core::ops::resize::bilinear;
use nerve_data::tasks::DenseTask;

use super::{Decoder, TaskModel, TaskSpec, TasksError};
use crate::adaptation::{Adapted, BACKBONE, Method, Passes, Site};
use crate::backbones::{Backbone, BackboneConfig, Pass, StreamUpdates};
use crate::load::{LoadError, LoadReport, WeightSource, load};
use crate::segmentation::BackboneKeys;

/// Where in a model's keys the decoders are.
const DECODERS: &str = "decoders";

/// The model over its variables: once for training, once for inference.
pub struct MultiTask {
    variables: Variables,
    config: TaskModel,
    dense: Box<dyn BackboneConfig>,
    backbone: Box<dyn Backbone>,
    training: Arm,
    inference: Arm,
    tasks: Vec<TaskSpec>,
    loaded: Option<LoadReport>,
    fingerprint: u64,
}

/// The parts that are trained, with gradients or without.
struct Arm {
    scope: Scope,
    method: Box<dyn Method>,
    decoders: Vec<Decoder>,
}

/// How each task's stream differs.
type Streams = Vec<Box<dyn StreamUpdates + Send + Sync>>;

impl Arm {
    /// Those of these tasks, where the method has streams.
    fn streams(&self, tasks: &Range<usize>) -> Result<Option<Streams>> {
        tasks.clone().map(|task| self.method.stream(task)).collect::<Result<Option<Streams>>>()
    }

    /// The outputs of these tasks, of one pass and a stream each.
    fn decode_streams(
        &self,
        backbone: &dyn Backbone,
        images: &Tensor,
        pass: Pass<'_>,
        updates: &Streams,
        tasks: Range<usize>,
    ) -> Result<Vec<Tensor>> {
        let stages = backbone.stages(images, pass)?;
        let decoded = tasks.zip(updates).map(|(task, updates)| {
            let maps = backbone.stream(&stages.ends, &**updates)?;
            self.decoders[task].forward(&maps, pass.mode)
        });
        decoded.collect()
    }
}

impl MultiTask {
    /// With the backbone's weights where the configuration names a file, else random ones of `seed`; what is trained is
    /// drawn with `seed`.
    ///
    /// # Errors
    /// If the weights are not of the backbone, the method does not suit it, or the device cannot be used.
    pub fn new(
        config: &TaskModel,
        tasks: &[TaskSpec],
        seed: u64,
        device: device::Device,
    ) -> std::result::Result<Self, TasksError> {
        let variables = Variables::random(seed).on(graph_device(device)?);
        let dense = config.backbone.config().dense(0.0);
        let backbone = dense.build(&variables.tracked().at(BACKBONE).frozen())?;
        let loaded = match &config.weights {
            Some(path) => Some(load_backbone(&variables, &*backbone, path, config)?),
            None => None,
        };
        let arm = |scope: Scope| {
            let site = Site {
                variables: &variables,
                scope: &scope,
                backbone: &*backbone,
                method: config.method,
                tasks: config.method.sets(tasks.len()),
                heads: tasks.len(),
                settings: &config.settings,
            };
            // What comes after the message's first line is where it was made.
            let reason = |error: nerve_core::graph::Error| {
                error.to_string().lines().next().unwrap_or_default().to_owned()
            };
            let method = (config.method.entry().build)(&site)
                .map_err(|error| TasksError::Method { method: config.method, reason: reason(error) })?;
            let channels: Vec<usize> = backbone.levels().iter().map(|level| level.channels).collect();
            let decoder = |task: &TaskSpec| {
                let at = scope.at(DECODERS).at(task.task);
                Decoder::new(&at, &channels, config.head_width, task.outputs(), config.dropout)
            };
            let decoders = tasks.iter().map(decoder).collect::<Result<_>>()?;
            Ok::<_, TasksError>(Arm { method, decoders, scope })
        };
        Ok(Self {
            training: arm(variables.tracked())?,
            inference: arm(variables.detached())?,
            fingerprint: fingerprint(&variables),
            config: config.clone(),
            tasks: tasks.to_vec(),
            dense,
            backbone,
            variables,
            loaded,
        })
    }

    /// All variables.
    #[must_use]
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The tasks.
    #[must_use]
    pub fn tasks(&self) -> &[TaskSpec] {
        &self.tasks
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &TaskModel {
        &self.config
    }

    /// What was found in the backbone's weights, if a file was given.
    #[must_use]
    pub fn loaded(&self) -> Option<&LoadReport> {
        self.loaded.as_ref()
    }

    /// A number that another backbone's weights would hardly have.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Channels of the backbone's maps.
    #[must_use]
    pub fn widths(&self) -> Vec<usize> {
        self.backbone.levels().iter().map(|level| level.channels).collect()
    }

    /// Weights that the method trains, and those of the decoders.
    #[must_use]
    pub fn trained(&self) -> [usize; 2] {
        let count = |prefix: &str| {
            let all = self.variables.trainable().into_iter();
            all.filter(|(key, _)| key.starts_with(prefix)).map(|(_, var)| var.elem_count()).sum()
        };
        [count("method."), count("decoders.")]
    }

    /// The shares that a step's batch is worked on in: tasks whose passes have something in common.
    pub(super) fn shares(&self) -> Vec<Range<usize>> {
        match self.config.method.passes() {
            Passes::One => std::iter::once(0..self.tasks.len()).collect(),
            Passes::PerTask => (0..self.tasks.len()).map(|task| task..task + 1).collect(),
        }
    }

    /// Outputs `(batch, h, w, outputs)` of these tasks, through which gradients reach what is trained.
    ///
    /// # Errors
    /// If the images are too small.
    pub fn forward_train(&self, images: &Tensor, tasks: Range<usize>, mode: Mode) -> Result<Vec<Tensor>> {
        let mut outputs = Vec::new();
        let one = self.config.method.passes() == Passes::One;
        let mut maps: Option<Vec<Tensor>> = None;
        for task in tasks.clone() {
            let own = match &maps {
                Some(maps) if one => maps.clone(),
                _ => {
                    let adapted = self.training.method.adapted(if one { 0 } else { task })?;
                    let backbone = self.adapted_backbone(&self.training.scope, &adapted)?;
                    let images = kept(images, backbone.as_deref().unwrap_or(&*self.backbone))?;
                    let pass = adapted.pass(mode.into());
                    let backbone = backbone.as_deref().unwrap_or(&*self.backbone);
                    match self.training.streams(&tasks)? {
                        Some(updates) => {
                            return self.training.decode_streams(backbone, &images, pass, &updates, tasks);
                        }
                        None => backbone.features(&images, pass)?.maps,
                    }
                }
            };
            let adapted = self.training.method.maps(task, own.clone(), mode)?;
            outputs.push(self.training.decoders[task].forward(&adapted, mode)?);
            maps = Some(own);
        }
        Ok(outputs)
    }

    /// A backbone whose weights are those that a method puts in their place, if it does.
    fn adapted_backbone(&self, scope: &Scope, adapted: &Adapted) -> Result<Option<Box<dyn Backbone>>> {
        if adapted.weights.is_empty() {
            return Ok(None);
        }
        let scope = scope.substituting(Arc::new(adapted.weights.clone()));
        self.dense.build(&scope.at(BACKBONE).frozen()).map(Some)
    }

    /// The form to predict with: what the method generates, made of the variables as they are now.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn served(&self) -> Result<Served<'_>> {
        let passes = self.config.method.sets(self.tasks.len());
        let pass = |set| {
            let adapted = self.inference.method.adapted(set)?;
            let backbone = self.adapted_backbone(&self.inference.scope, &adapted)?;
            Ok((backbone, adapted))
        };
        let streams = self.inference.streams(&(0..self.tasks.len()))?;
        Ok(Served { model: self, passes: (0..passes).map(pass).collect::<Result<_>>()?, streams })
    }
}

/// A model of several tasks, ready to predict: every generated weight is there.
pub struct Served<'a> {
    model: &'a MultiTask,
    passes: Vec<(Option<Box<dyn Backbone>>, Adapted)>,
    streams: Option<Streams>,
}

impl Served<'_> {
    /// The tasks, in the order of the outputs.
    #[must_use]
    pub fn tasks(&self) -> &[TaskSpec] {
        &self.model.tasks
    }

    /// The device that images belong on.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.model.variables.device()
    }

    /// Outputs `(batch, h, w, outputs)` of every task, on a grid of the model's, for normalized images `(batch, height,
    /// width, 3)`.
    ///
    /// # Errors
    /// If the images are too small.
    pub fn infer(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let maps = |(backbone, adapted): &(Option<Box<dyn Backbone>>, Adapted)| -> Result<Vec<Tensor>> {
            let backbone = backbone.as_deref().unwrap_or(&*self.model.backbone);
            Ok(backbone.features(&kept(images, backbone)?, adapted.pass(Mode::Eval.into()))?.maps)
        };
        if let (Some(updates), Some((backbone, adapted))) = (&self.streams, self.passes.first()) {
            let (backbone, arm) =
                (backbone.as_deref().unwrap_or(&*self.model.backbone), &self.model.inference);
            let (images, pass) = (kept(images, backbone)?, adapted.pass(Mode::Eval.into()));
            return arm.decode_streams(backbone, &images, pass, updates, 0..self.model.tasks.len());
        }
        let mut shared = None;
        let mut outputs = Vec::new();
        for (task, decoder) in self.model.inference.decoders.iter().enumerate() {
            let own = match (&shared, self.passes.get(task)) {
                (_, Some(pass)) => maps(pass)?,
                (Some(shared), None) => Vec::clone(shared),
                (None, None) => Vec::new(),
            };
            let adapted = self.model.inference.method.maps(task, own.clone(), Mode::Eval)?;
            outputs.push(decoder.forward(&adapted, Mode::Eval)?);
            shared = Some(own);
        }
        Ok(outputs)
    }
}

/// Images at the nearest size of which the backbone cuts nothing off.
fn kept(images: &Tensor, backbone: &dyn Backbone) -> Result<Tensor> {
    let (_, height, width, _) = images.dims4()?;
    let multiple = backbone.image_multiple();
    let whole = [height, width].map(|side| ((side + multiple / 2) / multiple).max(1) * multiple);
    if whole == [height, width] { Ok(images.clone()) } else { bilinear(images, whole, false) }
}

fn load_backbone(
    variables: &Variables,
    backbone: &dyn Backbone,
    path: &Path,
    config: &TaskModel,
) -> std::result::Result<LoadReport, TasksError> {
    let mut source = WeightSource::open(path)?;
    let prefix = format!("{BACKBONE}.");
    let keys = BackboneKeys::of(&source, backbone);
    let mut report = load(variables, &prefix, &mut source, &keys)?;
    let optional = |key: &String| backbone.is_optional(key.strip_prefix(&prefix).unwrap_or(key));
    (report.fresh, report.missing) = std::mem::take(&mut report.missing).into_iter().partition(optional);
    report.strict().map_err(|error| match error {
        LoadError::Incomplete(report) => TasksError::Weights { backbone: config.backbone, report },
        other => other.into(),
    })
}

/// FNV-1a over keys and values of the backbone, 32 bits at a time.
fn fingerprint(variables: &Variables) -> u64 {
    let mix = |hash: u64, v: u64| (hash ^ v).wrapping_mul(0x100_0000_01b3);
    let prefix = format!("{BACKBONE}.");
    let own = variables
        .all()
        .into_iter()
        .filter(|(key, v)| key.starts_with(&prefix) && v.kind != VariableKind::Trainable);
    own.fold(0xcbf2_9ce4_8422_2325, |hash, (key, variable)| {
        let hash = key.bytes().fold(hash, |hash, b| mix(hash, u64::from(b)));
        to_vec(&variable.var).iter().fold(hash, |hash, v| mix(hash, u64::from(v.to_bits())))
    })
}

impl TaskSpec {
    /// Outputs a pixel.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self.task {
            DenseTask::Semseg | DenseTask::Parts => self.classes.len(),
            DenseTask::Normals => 3,
            DenseTask::Saliency | DenseTask::Depth | DenseTask::Edges => 1,
        }
    }
}
