//! A task's decoder: a norm for each of the backbone's maps and SegFormer's All-MLP head, as Polyhistor has it.
use nerve_core::graph::{Mode, Result, Scope, Tensor};
use nerve_core::layers::LayerNorm;

use crate::heads::Head;
use crate::heads::all_mlp::{AllMlp, AllMlpConfig};

const EPS: f64 = 1e-5;

/// From maps to a task's outputs; keys `norms.I` and `head`.
#[derive(Clone, Debug)]
pub struct Decoder {
    norms: Vec<LayerNorm>,
    head: AllMlp,
}

impl Decoder {
    /// For maps of these channels, with so many channels inside and so many outputs a pixel.
    ///
    /// # Errors
    /// If variables exist with other shapes.
    pub fn new(
        scope: &Scope,
        inputs: &[usize],
        channels: usize,
        outputs: usize,
        dropout: f32,
    ) -> Result<Self> {
        let norms = inputs.iter().enumerate();
        let norms = norms.map(|(i, inputs)| LayerNorm::new(&scope.at("norms").at(i), *inputs, EPS));
        let config = AllMlpConfig { inputs: inputs.to_vec(), channels, classes: outputs, dropout };
        Ok(Self { norms: norms.collect::<Result<_>>()?, head: AllMlp::new(&scope.at("head"), &config)? })
    }

    /// Each map is `(batch, height, width, channels)`, finest first; the result is `(batch, height, width, outputs)` on
    /// the grid of the first.
    ///
    /// # Errors
    /// If the maps are not those that it was built for.
    pub fn forward(&self, maps: &[Tensor], mode: Mode) -> Result<Tensor> {
        let normed = maps.iter().zip(&self.norms).map(|(map, norm)| norm.forward(map));
        self.head.forward(&normed.collect::<Result<Vec<_>>>()?, mode)
    }
}
