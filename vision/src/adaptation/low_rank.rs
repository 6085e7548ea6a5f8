//! Low-rank adapter (Karimi Mahabadi et al. 2021, its baseline): the bottleneck's matrices are products `L R`.
//!
//! Polyhistor's table prints 0.34 million; rank 2, reduced by 2, after attention and MLP, are 335,616.
use nerve_core::graph::{Init, Result, Scope, Tensor};

use super::bottleneck::{Bottlenecks, DEVIATION, Vectors};
use super::{Adapted, Entry, Method, MethodSettings, Passes, Placement, Site};
use crate::backbones::Branch;

pub(super) const ENTRY: Entry = Entry {
    name: "low-rank-adapter",
    about: "bottlenecks whose matrices are low-rank products",
    passes: Passes::PerTask,
    shareable: true,
    build,
};

const REDUCTION: usize = 2;
const RANK: usize = 2;

#[derive(Debug)]
struct LowRankAdapter {
    /// By task and branch: the scope's variables, as the layer takes them.
    tasks: Vec<Vec<(Branch, Factors)>>,
    settings: MethodSettings,
}

#[derive(Clone, Debug)]
struct Factors {
    down: [Tensor; 2],
    up: [Tensor; 2],
    vectors: [Tensor; 4],
}

impl Factors {
    fn new(scope: &Scope, channels: usize, hidden: usize, rank: usize) -> Result<Self> {
        let factor = |name: &str, shape: [usize; 2]| scope.weight(name, &shape, Init::Normal(DEVIATION));
        let Vectors { down_bias, up_bias, norm_weight, norm_bias } = Vectors::new(scope, channels, hidden)?;
        Ok(Self {
            down: [factor("down.left", [hidden, rank])?, factor("down.right", [rank, channels])?],
            up: [factor("up.left", [channels, rank])?, factor("up.right", [rank, hidden])?],
            vectors: [down_bias, up_bias, norm_weight, norm_bias],
        })
    }
}

fn build(site: &Site<'_>) -> Result<Box<dyn Method>> {
    let blocks = site.blocks(Placement::Both);
    let branches: Vec<Branch> = blocks.iter().flat_map(|block| block.branches.clone()).collect();
    let rank = site.settings.rank.unwrap_or(RANK);
    let of = |task, branch: &Branch| {
        let hidden = site.hidden(branch.channels, REDUCTION)?;
        Ok((*branch, Factors::new(&site.branch(task, branch), branch.channels, hidden, rank)?))
    };
    let task = |task| branches.iter().map(|branch| of(task, branch)).collect::<Result<_>>();
    let tasks = (0..site.tasks).map(task).collect::<Result<_>>()?;
    Ok(Box::new(LowRankAdapter { tasks, settings: site.settings.clone() }))
}

impl Method for LowRankAdapter {
    fn adapted(&self, task: usize) -> Result<Adapted> {
        let mut layers = Vec::new();
        for (branch, Factors { down, up, vectors }) in self.tasks.get(task).into_iter().flatten() {
            let [down_bias, up_bias, norm_weight, norm_bias] = vectors.clone();
            let vectors = Vectors { down_bias, up_bias, norm_weight, norm_bias };
            layers.push((branch, vectors.with(down[0].matmul(&down[1])?, up[0].matmul(&up[1])?)));
        }
        Ok(Adapted::layers(Bottlenecks::new(&self.settings, layers)?))
    }
}
