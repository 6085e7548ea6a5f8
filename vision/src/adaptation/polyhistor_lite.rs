//! Polyhistor-Lite (Liu et al. 2022, section 3.3): one decomposed hypernetwork for all blocks, and layer-wise scaling
//! kernels that bring its templates to each block's width.
//!
//! ```text
//! v_i = (e_t, block's embedding i, position)          i = 1..s,  s = channels / template's channels
//! W = sum_i K_i (x) W_i                               K: s matrices (s, s), shared by tasks and by up and down
//! b = sum_i k_i (x) b_i                               k: s vectors (s, 1): one set of biases, one of norms
//! ```
//!
//! With s = 1 the template is the weight, and there are no kernels. Position, where both branches of a block have
//! adapters, is an embedding of which. The template has the first stage's width on Swin and the greatest common divisor of
//! the widths elsewhere (ours: 32 for TinyViT's 64, 128, 160 and 320). Reduced by 2, rank 12.
use nerve_core::graph::{Init, Result, Tensor, cat, narrow, reshape};

use super::adapter::independent;
use super::bottleneck::{Bottlenecks, Weights, part};
use super::hypernetwork::{EMBEDDING, Embedder, Generator};
use super::kronecker::kronecker_sum;
use super::places::{Block, template_width};
use super::{Adapted, Entry, Method, MethodSettings, Passes, Placement, Site};
use crate::backbones::{Branch, Part};

pub(super) const ENTRY: Entry = Entry {
    name: "polyhistor-lite",
    about: "templates of one hypernetwork, scaled to each block by Kronecker products",
    passes: Passes::PerTask,
    shareable: false,
    build,
};

const REDUCTION: usize = 2;
const RANK: usize = 12;

#[derive(Debug)]
struct Lite {
    /// `(tasks, 512)`.
    tasks: Tensor,
    /// `(2, 512)`: attention and MLP, where both have adapters.
    positions: Option<Tensor>,
    embedder: Embedder,
    generator: Generator,
    blocks: Vec<Scaled>,
    settings: MethodSettings,
}

#[derive(Debug)]
struct Scaled {
    branches: Vec<(Branch, Option<Weights>)>,
    /// `(s, 512)`.
    embeddings: Tensor,
    /// None where the template is the weight.
    kernels: Option<Kernels>,
}

#[derive(Debug)]
struct Kernels {
    /// `(s, s, s)`.
    matrices: Tensor,
    /// `(s, s, 1)`.
    biases: Tensor,
    /// `(s, s, 1)`.
    norms: Tensor,
}

fn build(site: &Site<'_>) -> Result<Box<dyn Method>> {
    let own = site.own();
    let blocks = site.blocks(Placement::Mlp);
    let width = template_width(&blocks);
    let mip = site.settings.mip;
    let both = blocks.iter().any(|block| block.branches.len() > 1);
    let inputs = EMBEDDING * if both { 3 } else { 2 };
    let normal = |name: &str, shape: &[usize]| own.weight(name, shape, Init::Normal(1.0));
    let scaled = |block: &Block| {
        let scope = own.at("blocks").at(block.number);
        let s = block.channels / width;
        let weight = |name, shape: &[usize]| scope.weight(name, shape, Init::Normal(1.0));
        let kernels = || {
            Ok::<_, nerve_core::graph::Error>(Kernels {
                matrices: weight("kernels", &[s, s, s])?,
                biases: weight("bias_kernels", &[s, s, 1])?,
                norms: weight("norm_kernels", &[s, s, 1])?,
            })
        };
        let branch = |branch: &Branch| {
            let hidden = site.hidden(width, REDUCTION)? * s;
            let added = || independent(&scope.at(part(branch.part)).at("added"), block.channels, hidden);
            Ok((*branch, mip.then(added).transpose()?))
        };
        Ok(Scaled {
            branches: block.branches.iter().map(branch).collect::<Result<_>>()?,
            embeddings: weight("embeddings", &[s, EMBEDDING])?,
            kernels: (s > 1).then(kernels).transpose()?,
        })
    };
    let rank = site.settings.rank.unwrap_or(RANK);
    Ok(Box::new(Lite {
        tasks: normal("task_embeddings", &[site.tasks, EMBEDDING])?,
        positions: both.then(|| normal("position_embeddings", &[2, EMBEDDING])).transpose()?,
        embedder: Embedder::new(&own.at("embedder"), inputs, mip)?,
        generator: Generator::new(&own, width, site.hidden(width, REDUCTION)?, Some(rank))?,
        blocks: blocks.iter().map(scaled).collect::<Result<_>>()?,
        settings: site.settings.clone(),
    }))
}

impl Lite {
    /// The weights of a branch: templates, scaled.
    fn weights(&self, task: usize, block: &Scaled, branch: &Branch) -> Result<Weights> {
        let task = narrow(&self.tasks, 0, task, 1)?;
        let mut templates = Vec::new();
        for i in 0..block.embeddings.dim(0)? {
            let layer = narrow(&block.embeddings, 0, i, 1)?;
            let v = match &self.positions {
                None => cat(&[&task, &layer], 1)?,
                Some(positions) => {
                    let place = usize::from(branch.part != Part::Attention);
                    cat(&[&task, &layer, &narrow(positions, 0, place, 1)?], 1)?
                }
            };
            templates.push(self.generator.weights(&self.embedder.forward(&v)?)?);
        }
        let stacked = |part: &dyn Fn(&Weights) -> Tensor| {
            let parts: Vec<Tensor> = templates.iter().map(part).collect();
            Tensor::stack(&parts, 0)
        };
        let Some(kernels) = &block.kernels else { return Ok(templates.remove(0)) };
        let matrix = |part: &dyn Fn(&Weights) -> Tensor| kronecker_sum(&kernels.matrices, &stacked(part)?);
        let vector = |kernel: &Tensor, part: &dyn Fn(&Weights) -> Tensor| {
            let all = kronecker_sum(kernel, &stacked(part)?.unsqueeze(2)?)?;
            reshape(&all, all.elem_count())
        };
        Ok(Weights {
            down: matrix(&|w| w.down.clone())?,
            up: matrix(&|w| w.up.clone())?,
            down_bias: vector(&kernels.biases, &|w| w.down_bias.clone())?,
            up_bias: vector(&kernels.biases, &|w| w.up_bias.clone())?,
            norm_weight: vector(&kernels.norms, &|w| w.norm_weight.clone())?,
            norm_bias: vector(&kernels.norms, &|w| w.norm_bias.clone())?,
        })
    }
}

impl Method for Lite {
    fn adapted(&self, task: usize) -> Result<Adapted> {
        let mut layers = Vec::new();
        for block in &self.blocks {
            for (branch, added) in &block.branches {
                let weights = self.weights(task, block, branch)?;
                layers.push((branch, added.as_ref().map_or(Ok(weights.clone()), |a| weights.plus(a))?));
            }
        }
        Ok(Adapted::layers(Bottlenecks::new(&self.settings, layers)?))
    }
}
