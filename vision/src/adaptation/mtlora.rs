//! MTLoRA (Agiza et al. 2024): one pass for all tasks, low-rank updates in every block that all share, and in the last
//! block of each stage a stream a task with updates of its own.
//!
//! ```text
//! shared:        y   = W x + b + s B A x                          queries, keys and values, projection, both layers of MLPs
//! task's:        y_t = W x + b + s B_t A_t x_t                    projection and MLP of last blocks; not W's update BA
//! ```
//!
//! A is uniform within `1 / sqrt(inputs)`, B zero, s = 4; ranks 16 (16, 32, 64 are published; `--rank`) and 4 a task. Beside
//! them the patch embedding, all norms, tables of relative positions and what merges patches are trained. Published are
//! 3,006,522 parameters in Swin-T with the rank 16, less the norms of maps, which are the decoders' here. The published input
//! dropout of 0.05 is left out.
use nerve_core::graph::{Result, Scope, Substitutes, Tensor};
use nerve_core::ops::linear::linear;

use super::lora::LowRank;
use super::streams::{ends, is_unfrozen};
use super::{Adapted, Entry, Method, Passes, Site};
use crate::backbones::{StreamLayer, StreamUpdates};

pub(super) const ENTRY: Entry = Entry {
    name: "mtlora",
    about: "shared low-rank updates everywhere, a task's own in the last block of each stage; one pass for all tasks",
    passes: Passes::One,
    shareable: false,
    build,
};

const RANK: usize = 16;
const TASK_RANK: usize = 4;
const SCALE: f64 = 4.0;

#[derive(Debug)]
struct MtLora {
    unfrozen: Substitutes,
    /// Key, frozen weight, shared update.
    shared: Vec<(String, Tensor, LowRank)>,
    tasks: Vec<Vec<Own>>,
    scale: f64,
}

/// A task's update of a layer, and the shared one of the same layer.
#[derive(Clone, Debug)]
struct Own {
    block: u32,
    layer: StreamLayer,
    shared: [Tensor; 2],
    task: [Tensor; 2],
}

struct Updates {
    own: Vec<Own>,
    scale: f64,
}

fn low_rank(scope: &Scope, key: &str, weight: &Tensor, rank: usize) -> Result<LowRank> {
    let (outputs, inputs) = weight.dims2()?;
    LowRank::new(&scope.at(key), [outputs, inputs], rank)
}

fn build(site: &Site<'_>) -> Result<Box<dyn Method>> {
    let ends = ends(site)?;
    let (weights, own) = (site.weights(), site.own());
    let unfrozen = weights.iter().filter(|(key, _)| is_unfrozen(key));
    let unfrozen = unfrozen.map(|(key, values)| Ok((key.clone(), own.copied(key, values)?)));
    let rank = site.settings.rank.unwrap_or(RANK);
    let shared = weights.iter().filter(|(key, _)| ends.is_adapted(key)).map(|(key, weight)| {
        Ok((key.clone(), weight.clone(), low_rank(&own.at("shared"), key, weight, rank)?))
    });
    let shared = shared.collect::<Result<Vec<_>>>()?;
    let of_task = |task: usize| {
        let scope = site.task(task);
        let mut all = Vec::new();
        for (key, weight, update) in &shared {
            if let Some((block, layer)) = ends.last_layer(key) {
                let LowRank { a, b } = low_rank(&scope, key, weight, TASK_RANK)?;
                let shared = [update.a.clone(), update.b.clone()];
                all.push(Own { block, layer, shared, task: [a, b] });
            }
        }
        Ok(all)
    };
    Ok(Box::new(MtLora {
        unfrozen: unfrozen.collect::<Result<_>>()?,
        tasks: (0..site.heads).map(of_task).collect::<Result<_>>()?,
        shared,
        scale: site.settings.scale.unwrap_or(SCALE),
    }))
}

impl StreamUpdates for Updates {
    fn update(&self, block: u32, layer: StreamLayer, input: &Tensor, own: &Tensor) -> Result<Tensor> {
        let Some(found) = self.own.iter().find(|own| own.block == block && own.layer == layer) else {
            return input.zeros_like();
        };
        let product = |x: &Tensor, [a, b]: &[Tensor; 2]| linear(&linear(x, a, None)?, b, None);
        // The shared stream's output has the shared update; the task's has its own in place of it.
        (product(own, &found.task)? - product(input, &found.shared)?)? * self.scale
    }
}

impl Method for MtLora {
    fn adapted(&self, _: usize) -> Result<Adapted> {
        let mut weights = self.unfrozen.clone();
        for (key, weight, update) in &self.shared {
            weights.insert(key.clone(), update.added(weight, self.scale)?);
        }
        Ok(Adapted::weights(weights))
    }

    fn stream(&self, task: usize) -> Result<Option<Box<dyn StreamUpdates + Send + Sync>>> {
        let own = self.tasks.get(task).cloned().unwrap_or_default();
        Ok(Some(Box::new(Updates { own, scale: self.scale })))
    }
}
