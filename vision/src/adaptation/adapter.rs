//! Adapter (Houlsby et al. 2019): a bottleneck after the MLP, reduced by 2, with its own norm.
//!
//! As the shared variant has it, the tables of relative positions are trained, too: the 2.20 of Polyhistor's table are the
//! 2,172,000 of one task's adapters and Swin-T's 23,322 of tables.
use nerve_core::graph::{Init, Result, Scope};

use super::bottleneck::{Bottlenecks, DEVIATION, Vectors, Weights};
use super::relative_bias::is_table;
use super::{Adapted, Entry, Method, MethodSettings, Passes, Placement, Site, Substitutes};
use crate::backbones::Branch;

pub(super) const ENTRY: Entry = Entry {
    name: "adapter",
    about: "bottlenecks after the MLPs, a set a task",
    passes: Passes::PerTask,
    shareable: true,
    build,
};

/// The published reduction.
const REDUCTION: usize = 2;

#[derive(Debug)]
struct Adapter {
    tasks: Vec<Vec<(Branch, Weights)>>,
    /// Of the shared variant.
    tables: Substitutes,
    settings: MethodSettings,
}

/// An adapter with weights of its own.
pub(super) fn independent(scope: &Scope, channels: usize, hidden: usize) -> Result<Weights> {
    let matrix = |name, shape: [usize; 2]| scope.weight(name, &shape, Init::Normal(DEVIATION));
    let down = matrix("down.weight", [hidden, channels])?;
    let up = matrix("up.weight", [channels, hidden])?;
    Ok(Vectors::new(scope, channels, hidden)?.with(down, up))
}

fn build(site: &Site<'_>) -> Result<Box<dyn Method>> {
    let blocks = site.blocks(Placement::Mlp);
    let branches: Vec<Branch> = blocks.iter().flat_map(|block| block.branches.clone()).collect();
    let of = |task, branch: &Branch| {
        let hidden = site.hidden(branch.channels, REDUCTION)?;
        Ok((*branch, independent(&site.branch(task, branch), branch.channels, hidden)?))
    };
    let task = |task| branches.iter().map(|branch| of(task, branch)).collect::<Result<_>>();
    let tables = if site.shared() {
        site.copies(|key, _| is_table(key))?.first().map(|tables| (**tables).clone()).unwrap_or_default()
    } else {
        Substitutes::new()
    };
    Ok(Box::new(Adapter {
        tasks: (0..site.tasks).map(task).collect::<Result<_>>()?,
        tables,
        settings: site.settings.clone(),
    }))
}

impl Method for Adapter {
    fn adapted(&self, task: usize) -> Result<Adapted> {
        let weights = self.tasks.get(task).into_iter().flatten();
        let layers = Bottlenecks::new(&self.settings, weights.map(|(branch, w)| (branch, w.clone())))?;
        Ok(Adapted { weights: self.tables.clone(), ..Adapted::layers(layers) })
    }
}
