//! Parameter-efficient adaptation of one frozen backbone to several dense tasks.
//!
//! A [`Method`] says what a pass of the backbone for a task uses beside the frozen weights: [`Adapted`] has layers at the
//! residual branches ([`Adapters`]), tensors in place of weights, and prompt tokens. What a hypernetwork generates is made
//! once for a pass, and once for all passes of a model that only infers. A method is a file here and a line of
//! `registry`; its variables are those of a [`Site`]'s scope.
//!
//! Sources: Polyhistor (Liu et al. 2022, arXiv 2210.03265) for the protocol and most methods; each file names its own.
mod adapter;
mod bitfit;
mod bottleneck;
mod compacter;
mod decoders;
mod full;
mod hyperformer;
mod hypernetwork;
mod kronecker;
mod lora;
mod low_rank;
mod mtlora;
mod phm;
mod places;
mod polyhistor;
mod polyhistor_lite;
mod registry;
mod relative_bias;
mod settings;
mod side;
mod streams;
#[cfg(test)]
mod tests;
mod vpt;

#[cfg(test)]
pub(crate) use tests::values as pattern;

use std::fmt::Debug;
use std::sync::Arc;

use nerve_core::graph::{Mode, Result, Scope, Substitutes, Tensor, VariableKind, Variables};

pub use registry::{Entry, MethodName, Passes};
pub use settings::{Gate, MethodSettings, Placement};

use crate::backbones::{Adapters, Backbone, Pass, Prompts, StreamUpdates};

/// Where in a model's keys the backbone is, and where what a method trains.
pub const BACKBONE: &str = "backbone";
/// See [`BACKBONE`].
pub const METHOD: &str = "method";

/// A way to adapt a backbone.
pub trait Method: Debug + Send + Sync {
    /// What a pass for this task uses, made of the variables as they are now.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    fn adapted(&self, task: usize) -> Result<Adapted>;

    /// How a task's stream differs from what [`Self::adapted`] makes of the pass for all; none where there are no streams.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    fn stream(&self, task: usize) -> Result<Option<Box<dyn StreamUpdates + Send + Sync>>> {
        let _ = task;
        Ok(None)
    }

    /// What a task's decoder is given of the maps of a pass; they are the maps themselves, unless a method works beside
    /// the backbone.
    ///
    /// # Errors
    /// If the maps are not the backbone's.
    fn maps(&self, task: usize, maps: Vec<Tensor>, mode: Mode) -> Result<Vec<Tensor>> {
        let _ = (task, mode);
        Ok(maps)
    }
}

/// What a pass of a backbone uses beside its frozen weights.
#[derive(Default)]
pub struct Adapted {
    /// Layers at its residual branches.
    pub adapters: Option<Box<dyn Adapters + Send + Sync>>,
    /// Tensors in place of weights, by their keys.
    pub weights: Substitutes,
    /// Tokens beside those of the image.
    pub prompts: Option<Box<dyn Prompts + Send + Sync>>,
}

impl Adapted {
    /// With layers alone.
    fn layers(adapters: impl Adapters + Send + Sync + 'static) -> Self {
        Self { adapters: Some(Box::new(adapters)), ..Self::default() }
    }

    /// With weights alone.
    fn weights(weights: Substitutes) -> Self {
        Self { weights, ..Self::default() }
    }

    /// A pass with its layers and prompts; its weights belong in the scope that the backbone is built of.
    #[must_use]
    pub fn pass<'a>(&'a self, pass: Pass<'a>) -> Pass<'a> {
        Pass {
            adapters: self.adapters.as_deref().map(|adapters| adapters as &dyn Adapters),
            prompts: self.prompts.as_deref().map(|prompts| prompts as &dyn Prompts),
            ..pass
        }
    }
}

/// What a method is made for: a backbone, so many tasks, and a place for variables.
pub struct Site<'a> {
    /// All variables, among which the backbone's are below [`BACKBONE`], with their final values.
    pub variables: &'a Variables,
    /// The root scope: tracked where the method is trained.
    pub scope: &'a Scope,
    /// The frozen backbone.
    pub backbone: &'a dyn Backbone,
    /// Whose method.
    pub method: MethodName,
    /// The number of sets of variables of a task: [`MethodName::sets`].
    pub tasks: usize,
    /// The number of tasks.
    pub heads: usize,
    /// What was asked for.
    pub settings: &'a MethodSettings,
}

impl Site<'_> {
    /// Whether this is the variant of a method that all tasks share.
    fn shared(&self) -> bool {
        self.method.is_shared()
    }

    /// Where the method makes its variables.
    fn own(&self) -> Scope {
        self.scope.at(METHOD)
    }

    /// Where it makes those of a task.
    fn task(&self, task: usize) -> Scope {
        self.own().at("tasks").at(task)
    }

    /// The backbone's weights by their whole keys. The norms of maps that published files do not have are left out:
    /// each task has its own after them.
    fn weights(&self) -> Vec<(String, Tensor)> {
        let prefix = format!("{BACKBONE}.");
        let all = self.variables.all().into_iter().filter(|(_, v)| v.kind != VariableKind::Buffer);
        all.filter_map(|(key, variable)| {
            let name = key.strip_prefix(&prefix)?;
            let kept = !self.backbone.is_optional(name);
            kept.then(|| (key.clone(), variable.var.as_detached_tensor()))
        })
        .collect()
    }

    /// For each task, trained copies of the backbone's weights whose keys and shapes `wanted` says.
    fn copies(&self, wanted: impl Fn(&str, &[usize]) -> bool) -> Result<Vec<Arc<Substitutes>>> {
        let weights: Vec<_> =
            self.weights().into_iter().filter(|(key, tensor)| wanted(key, tensor.dims())).collect();
        let copies = |task| {
            let scope = self.task(task);
            let copy = |(key, values): &(String, Tensor)| Ok((key.clone(), scope.copied(key, values)?));
            Ok(Arc::new(weights.iter().map(copy).collect::<Result<_>>()?))
        };
        (0..self.tasks).map(copies).collect()
    }
}

/// A method that puts trained copies in the place of some of the backbone's weights.
#[derive(Debug)]
struct Copies(Vec<Arc<Substitutes>>);

impl Method for Copies {
    fn adapted(&self, task: usize) -> Result<Adapted> {
        Ok(Adapted::weights(self.0.get(task).map(|copies| (**copies).clone()).unwrap_or_default()))
    }
}
