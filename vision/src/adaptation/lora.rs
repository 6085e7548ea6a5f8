//! LoRA (Hu et al. 2021): `W' = W + s B A` of the projections to queries, keys and values.
//!
//! A is `(rank, inputs)`, uniform within `1 / sqrt(inputs)`; B is `(outputs, rank)` and begins at zero. A fused projection
//! has one pair. The sum is made once for a pass, so that a trained model costs what its backbone does. Published is the
//! rank 4, s = 1 here.
use nerve_core::graph::{Init, Result, Scope, Substitutes, Tensor, bail, permute};
use nerve_core::ops::add::add;
use nerve_core::ops::linear::linear;

use super::{Adapted, Entry, Method, Passes, Site};

pub(super) const ENTRY: Entry = Entry {
    name: "lora",
    about: "low-rank updates of the queries', keys' and values' projections",
    passes: Passes::PerTask,
    shareable: true,
    build,
};

/// The default rank.
const RANK: usize = 4;

/// A low-rank update.
#[derive(Debug)]
pub(super) struct LowRank {
    pub(super) a: Tensor,
    pub(super) b: Tensor,
}

impl LowRank {
    /// For a weight of this shape, beginning at zero.
    pub(super) fn new(scope: &Scope, [outputs, inputs]: [usize; 2], rank: usize) -> Result<Self> {
        Ok(Self {
            a: scope.weight("a", &[rank, inputs], Init::FanIn)?,
            b: scope.weight("b", &[outputs, rank], Init::Constant(0.0))?,
        })
    }

    /// `scale B A`, as a matrix.
    pub(super) fn product(&self, scale: f64) -> Result<Tensor> {
        // Ops of our tape throughout, whose way back is short.
        linear(&(&self.b * scale)?, &permute(&self.a, &[1, 0])?, None)
    }

    /// `W + scale B A`.
    pub(super) fn added(&self, weight: &Tensor, scale: f64) -> Result<Tensor> {
        add(weight, &self.product(scale)?)
    }
}

/// Whether a key is that of a projection to queries, keys or values.
pub(super) fn is_qkv(key: &str) -> bool {
    let ends = ["qkv.weight", "query.weight", "key.weight", "value.weight"];
    ends.iter().any(|end| key.ends_with(end))
}

#[derive(Debug)]
struct Lora {
    /// By task: key, frozen weight, its update.
    tasks: Vec<Vec<(String, Tensor, LowRank)>>,
    scale: f64,
}

fn build(site: &Site<'_>) -> Result<Box<dyn Method>> {
    let weights: Vec<_> = site.weights().into_iter().filter(|(key, _)| is_qkv(key)).collect();
    if weights.is_empty() {
        bail!("this backbone has no projections to queries, keys and values");
    }
    let rank = site.settings.rank.unwrap_or(RANK);
    let update = |scope: &Scope, (key, weight): &(String, Tensor)| {
        let (outputs, inputs) = weight.dims2()?;
        Ok((key.clone(), weight.clone(), LowRank::new(&scope.at(key), [outputs, inputs], rank)?))
    };
    let task = |task| weights.iter().map(|weight| update(&site.task(task), weight)).collect::<Result<_>>();
    let tasks = (0..site.tasks).map(task).collect::<Result<_>>()?;
    Ok(Box::new(Lora { tasks, scale: site.settings.scale.unwrap_or(1.0) }))
}

impl Method for Lora {
    fn adapted(&self, task: usize) -> Result<Adapted> {
        let sum = |(key, weight, update): &(String, Tensor, LowRank)| {
            Ok((key.clone(), update.added(weight, self.scale)?))
        };
        let updates = self.tasks.get(task).into_iter().flatten();
        Ok(Adapted::weights(updates.map(sum).collect::<Result<Substitutes>>()?))
    }
}
