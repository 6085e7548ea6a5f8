//! Visual prompt tuning (Jia et al. 2022): learned tokens in every window. Shallow, they enter at the first block and go
//! on through the backbone; deep, every block has its own, and what it makes of them is dropped.
use nerve_core::graph::{Init, Result, Tensor, bail};

use super::{Adapted, Entry, Method, Passes, Site};
use crate::backbones::{Part, Prompts};

pub(super) const SHALLOW: Entry = Entry {
    name: "vpt-shallow",
    about: "prompt tokens before the first block",
    passes: Passes::PerTask,
    shareable: true,
    build: |site| build(site, false),
};

pub(super) const DEEP: Entry = Entry {
    name: "vpt-deep",
    about: "prompt tokens in every block",
    passes: Passes::PerTask,
    shareable: true,
    build: |site| build(site, true),
};

/// The published number of tokens.
const TOKENS: usize = 50;
const DEVIATION: f32 = 0.02;

#[derive(Clone, Debug)]
struct Tokens(Vec<(u32, Tensor)>);

#[derive(Debug)]
struct Vpt(Vec<Tokens>);

fn build(site: &Site<'_>, deep: bool) -> Result<Box<dyn Method>> {
    if !site.backbone.takes_prompts() {
        bail!("this backbone takes no prompt tokens; Swin, ViT and TinyViT do");
    }
    let branches = site.backbone.branches();
    let blocks: Vec<_> = branches.iter().filter(|branch| branch.part == Part::Attention).collect();
    let used = if deep { blocks.len() } else { 1 };
    let count = site.settings.prompts.unwrap_or(TOKENS);
    let tokens = |task| {
        let scope = site.task(task).at("prompts");
        let of = |(block, channels): (u32, usize)| {
            let name = block.to_string();
            Ok((block, scope.weight(&name, &[count, channels], Init::Normal(DEVIATION))?))
        };
        let places = blocks.iter().take(used).map(|branch| (branch.block, branch.channels));
        Ok(Tokens(places.map(of).collect::<Result<_>>()?))
    };
    Ok(Box::new(Vpt((0..site.tasks).map(tokens).collect::<Result<_>>()?)))
}

impl Prompts for Tokens {
    fn fresh(&self, block: u32) -> Option<Tensor> {
        self.0.iter().find(|(at, _)| *at == block).map(|(_, tokens)| tokens.clone())
    }
}

impl Method for Vpt {
    fn adapted(&self, task: usize) -> Result<Adapted> {
        let prompts = self.0.get(task).cloned();
        Ok(Adapted { prompts: prompts.map(|prompts| Box::new(prompts) as _), ..Adapted::default() })
    }
}
