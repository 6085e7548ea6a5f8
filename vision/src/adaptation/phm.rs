//! PHM layers (Zhang et al. 2021): the bottleneck's matrices are sums of n Kronecker products,
//!
//! ```text
//! W^T = sum_i A_i (x) B_i        A_i (n, n), B_i (inputs / n, outputs / n), n = 4
//! ```
//!
//! The rules A are the same for all layers and fixed, normal with deviation 1/2, so that a sum keeps the size of its B:
//! the published counts (of Compacter to the digit) leave no room for trained ones. Reduced by 8 after the MLP, Swin-T's
//! four tasks have 594,336, of which 0.59 is printed.
use std::sync::Arc;

use nerve_core::graph::{Init, Result, Scope, Tensor, bail};

use super::bottleneck::{Bottlenecks, DEVIATION, Vectors};
use super::kronecker::kronecker_sum;
use super::{Adapted, Entry, METHOD, Method, MethodSettings, Passes, Placement, Site};
use crate::backbones::Branch;

pub(super) const ENTRY: Entry = Entry {
    name: "phm",
    about: "bottlenecks whose matrices are sums of Kronecker products",
    passes: Passes::PerTask,
    shareable: true,
    build: |site| build(site, Placement::Mlp, 8, None),
};

/// The number of products.
pub(super) const PARTS: usize = 4;
const RULE_DEVIATION: f32 = 0.5;

/// The right-hand factors of a matrix.
#[derive(Clone, Debug)]
enum Factors {
    /// `(n, inputs / n, outputs / n)`.
    Whole(Tensor),
    /// Their products, `(n, inputs / n, rank)` and `(n, rank, outputs / n)`.
    LowRank([Tensor; 2]),
}

impl Factors {
    fn new(scope: &Scope, inputs: usize, outputs: usize, rank: Option<usize>) -> Result<Self> {
        if !inputs.is_multiple_of(PARTS) || !outputs.is_multiple_of(PARTS) {
            bail!(
                "a PHM layer of {inputs} to {outputs} channels cannot be made of {PARTS} x {PARTS} blocks: choose a \
                 --reduction that leaves a multiple of {PARTS}"
            );
        }
        let (p, q) = (inputs / PARTS, outputs / PARTS);
        let weight = |name, shape: [usize; 3]| scope.weight(name, &shape, Init::Normal(DEVIATION));
        Ok(match rank {
            None => Self::Whole(weight("factors", [PARTS, p, q])?),
            Some(rank) => {
                Self::LowRank([weight("left", [PARTS, p, rank])?, weight("right", [PARTS, rank, q])?])
            }
        })
    }

    /// The matrix `(outputs, inputs)`.
    fn matrix(&self, rule: &Tensor) -> Result<Tensor> {
        let factors = match self {
            Self::Whole(factors) => factors.clone(),
            Self::LowRank([left, right]) => left.matmul(right)?,
        };
        kronecker_sum(rule, &factors)?.t()?.contiguous()
    }
}

#[derive(Clone, Debug)]
struct Layer {
    branch: Branch,
    down: Factors,
    up: Factors,
    vectors: Arc<[Tensor; 4]>,
}

#[derive(Debug)]
struct Phm {
    rule: Tensor,
    tasks: Vec<Vec<Layer>>,
    settings: MethodSettings,
}

/// With this placement, reduction, and rank of the right-hand factors where they are products.
pub(super) fn build(
    site: &Site<'_>,
    placement: Placement,
    reduction: usize,
    rank: Option<usize>,
) -> Result<Box<dyn Method>> {
    let blocks = site.blocks(placement);
    let rank = rank.map(|rank| site.settings.rank.unwrap_or(rank));
    let layer = |task, branch: &Branch| {
        let (scope, channels) = (site.branch(task, branch), branch.channels);
        let hidden = site.hidden(channels, reduction)?;
        let Vectors { down_bias, up_bias, norm_weight, norm_bias } = Vectors::new(&scope, channels, hidden)?;
        Ok(Layer {
            branch: *branch,
            down: Factors::new(&scope.at("down"), channels, hidden, rank)?,
            up: Factors::new(&scope.at("up"), hidden, channels, rank)?,
            vectors: Arc::new([down_bias, up_bias, norm_weight, norm_bias]),
        })
    };
    let task = |task| {
        let branches = blocks.iter().flat_map(|block| &block.branches);
        branches.map(|branch| layer(task, branch)).collect::<Result<_>>()
    };
    let rule = [PARTS; 3];
    Ok(Box::new(Phm {
        rule: site.scope.at(METHOD).frozen().weight("rule", &rule, Init::Normal(RULE_DEVIATION))?,
        tasks: (0..site.tasks).map(task).collect::<Result<_>>()?,
        settings: site.settings.clone(),
    }))
}

impl Method for Phm {
    fn adapted(&self, task: usize) -> Result<Adapted> {
        let mut layers = Vec::new();
        for layer in self.tasks.get(task).into_iter().flatten() {
            let [down_bias, up_bias, norm_weight, norm_bias] = (*layer.vectors).clone();
            let vectors = Vectors { down_bias, up_bias, norm_weight, norm_bias };
            let (down, up) = (layer.down.matrix(&self.rule)?, layer.up.matrix(&self.rule)?);
            layers.push((&layer.branch, vectors.with(down, up)));
        }
        Ok(Adapted::layers(Bottlenecks::new(&self.settings, layers)?))
    }
}
