//! A side branch (Sung et al. 2022, "LST: Ladder Side-Tuning"), by stages: a narrow network beside the trunk that reads the
//! trunk's maps and never sends a gradient through it, so that one pass without a tape serves all tasks.
//!
//! ```text
//! z_0 = D_0 h_0,   z_i = Side_i(g_i P_i z_{i-1} + (1 - g_i) D_i h_i),   h'_i = h_i + U_i z_i,   g = sigmoid(a / 0.1), a = 0
//! ```
//!
//! h are the maps; D, bias-free, reduces their channels by 8 and U brings them back. Ours, where LST has blocks of one
//! width: P brings z to the next map's size and width, Side is a 3x3 depthwise convolution and an MLP, each residual after a
//! norm, and U begins at zero, so that training begins at the plain maps.
use nerve_core::graph::{Init, Mode, Result, Scope, Tensor};
use nerve_core::layers::{Conv2d, ConvConfig, LayerNorm, Linear};
use nerve_core::ops::add::add;
use nerve_core::ops::gelu::Form;
use nerve_core::ops::linear::linear;
use nerve_core::ops::resize::bilinear;

use super::{Adapted, Entry, Method, Passes, Site};

pub(super) const ENTRY: Entry = Entry {
    name: "side",
    about: "a narrow network beside the trunk; one pass for all tasks, without gradients in the trunk",
    passes: Passes::One,
    shareable: false,
    build,
};

const REDUCTION: usize = 8;
const EPS: f64 = 1e-5;
const TEMPERATURE: f64 = 0.1;

#[derive(Debug)]
struct Side(Vec<Vec<Stage>>);

#[derive(Debug)]
struct Stage {
    down: Tensor,
    up: Tensor,
    /// From the stage before, and the gate between both.
    before: Option<(Tensor, Tensor)>,
    norms: [LayerNorm; 2],
    convolution: Conv2d,
    mlp: [Linear; 2],
}

impl Stage {
    fn new(scope: &Scope, channels: usize, width: usize, before: Option<usize>) -> Result<Self> {
        let before = match before {
            None => None,
            Some(before) => Some((
                scope.weight("before.weight", &[width, before], Init::FanIn)?,
                scope.weight("gate", &[1], Init::Constant(0.0))?,
            )),
        };
        let same = ConvConfig { depthwise: true, ..ConvConfig::same(width, width, 3) };
        let norm = |name| LayerNorm::new(&scope.at(name), width, EPS);
        Ok(Self {
            down: scope.weight("down.weight", &[width, channels], Init::FanIn)?,
            up: scope.weight("up.weight", &[channels, width], Init::Constant(0.0))?,
            before,
            norms: [norm("norm1")?, norm("norm2")?],
            convolution: Conv2d::new(&scope.at("convolution"), same)?,
            mlp: [
                Linear::new(&scope.at("mlp").at("fc1"), width, 2 * width)?,
                Linear::new(&scope.at("mlp").at("fc2"), 2 * width, width)?,
            ],
        })
    }

    /// z of this stage, of its map and of z before.
    fn forward(&self, map: &Tensor, z: Option<&Tensor>) -> Result<Tensor> {
        let mut x = linear(map, &self.down, None)?;
        if let (Some((weight, gate)), Some(z)) = (&self.before, z) {
            let (_, height, width, _) = map.dims4()?;
            let z = linear(&bilinear(z, [height, width], false)?, weight, None)?;
            // The sigmoid by its hyperbolic tangent, which candle has a gradient of.
            let gate = (((gate * (0.5 / TEMPERATURE))?.tanh()? + 1.0)? * 0.5)?;
            x = add(&x, &(z - &x)?.broadcast_mul(&gate)?)?;
        }
        let x = add(&x, &self.convolution.forward(&self.norms[0].forward(&x)?)?)?;
        let hidden = self.mlp[0].forward(&self.norms[1].forward(&x)?)?;
        add(&x, &self.mlp[1].forward_gelu(&hidden, Form::Exact)?)
    }
}

fn build(site: &Site<'_>) -> Result<Box<dyn Method>> {
    let levels = site.backbone.levels();
    let task = |task| {
        let mut stages = Vec::new();
        let mut before = None;
        for (i, level) in levels.iter().enumerate() {
            let width = site.hidden(level.channels, REDUCTION)?;
            let scope = site.task(task).at("stages").at(i);
            stages.push(Stage::new(&scope, level.channels, width, before)?);
            before = Some(width);
        }
        Ok(stages)
    };
    Ok(Box::new(Side((0..site.heads).map(task).collect::<Result<_>>()?)))
}

impl Method for Side {
    fn adapted(&self, _: usize) -> Result<Adapted> {
        Ok(Adapted::default())
    }

    fn maps(&self, task: usize, maps: Vec<Tensor>, _: Mode) -> Result<Vec<Tensor>> {
        let mut z: Option<Tensor> = None;
        let mut adapted = Vec::new();
        for (map, stage) in maps.iter().zip(self.0.get(task).into_iter().flatten()) {
            let next = stage.forward(map, z.as_ref())?;
            adapted.push(add(map, &linear(&next, &stage.up, None)?)?);
            z = Some(next);
        }
        Ok(adapted)
    }
}
