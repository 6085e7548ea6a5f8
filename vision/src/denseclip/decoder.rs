//! The context decoder (section 3.3): texts look at an image.
//!
//! Both are brought to a common width; in each layer texts attend to one another, then to the image's vectors, then go
//! through an MLP, every branch normed before it. As in the authors' program, queries, keys and values have no bias, and the
//! image's vectors are normed before and after their projection. Keys: `memory.{norm1,proj,norm2}`, `text.{norm,proj}`,
//! `layers.I.{norm1,attn.qkv,attn.proj,norm2,cross.q,cross.kv,cross.proj,norm3,mlp.fc1,mlp.fc2}`, `out.{norm,proj}`.
use nerve_core::graph::{Mode, Result, Scope, Tensor, bail};
use nerve_core::layers::{LayerNorm, Linear};
use nerve_core::ops::add::add;
use nerve_core::ops::attention::{cross_attention, self_attention};
use nerve_core::ops::drop_path::dropout;
use nerve_core::ops::gelu::Form;
use serde::{Deserialize, Serialize};

const EPS: f64 = 1e-5;
/// Numbers of the layers' dropout, apart from those of heads and blocks.
const DROPOUT: u32 = 10_000;

/// How large a context decoder is inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoderSize {
    /// Channels.
    pub width: usize,
    /// Number of heads.
    pub heads: usize,
    /// Number of layers.
    pub layers: usize,
    /// Dropout in training.
    pub dropout: f32,
}

impl Default for DecoderSize {
    /// As published.
    fn default() -> Self {
        Self { width: 256, heads: 4, layers: 3, dropout: 0.1 }
    }
}

#[derive(Clone, Debug)]
struct Layer {
    norms: [LayerNorm; 3],
    qkv: Linear,
    proj: Linear,
    q: Linear,
    kv: Linear,
    cross: Linear,
    fc1: Linear,
    fc2: Linear,
}

/// A context decoder.
#[derive(Clone, Debug)]
pub struct ContextDecoder {
    size: DecoderSize,
    memory: (LayerNorm, Linear, LayerNorm),
    text: (LayerNorm, Linear),
    layers: Vec<Layer>,
    out: (LayerNorm, Linear),
}

impl Layer {
    fn new(scope: &Scope, width: usize) -> Result<Self> {
        let (attn, cross, mlp) = (scope.at("attn"), scope.at("cross"), scope.at("mlp"));
        let norm = |name: &str| LayerNorm::new(&scope.at(name), width, EPS);
        Ok(Self {
            norms: [norm("norm1")?, norm("norm2")?, norm("norm3")?],
            qkv: Linear::without_bias(&attn.at("qkv"), width, 3 * width)?,
            proj: Linear::new(&attn.at("proj"), width, width)?,
            q: Linear::without_bias(&cross.at("q"), width, width)?,
            kv: Linear::without_bias(&cross.at("kv"), width, 2 * width)?,
            cross: Linear::new(&cross.at("proj"), width, width)?,
            fc1: Linear::new(&mlp.at("fc1"), width, 4 * width)?,
            fc2: Linear::new(&mlp.at("fc2"), 4 * width, width)?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        memory: &Tensor,
        config: &DecoderSize,
        mode: Mode,
        at: u32,
    ) -> Result<Tensor> {
        let scale = ((config.width / config.heads) as f32).powf(-0.5);
        let drop = |y: Tensor, number: u32| dropout(&y, config.dropout, mode, DROPOUT + 3 * at + number);
        let [first, second, third] = &self.norms;
        let own = self_attention(&self.qkv.forward(&first.forward(x)?)?, config.heads, scale, None)?;
        let x = add(x, &drop(self.proj.forward(&own)?, 0)?)?;
        let (q, kv) = (self.q.forward(&second.forward(&x)?)?, self.kv.forward(memory)?);
        let seen = cross_attention(&q, &kv, config.heads, scale)?;
        let x = add(&x, &drop(self.cross.forward(&seen)?, 1)?)?;
        let hidden = self.fc1.forward(&third.forward(&x)?)?;
        add(&x, &drop(self.fc2.forward_gelu(&hidden, Form::Exact)?, 2)?)
    }
}

impl ContextDecoder {
    /// Builds it over the variables of `scope`, for texts and an image's vectors of so many channels.
    ///
    /// # Errors
    /// If the size is not possible, or variables exist with other shapes.
    pub fn new(scope: &Scope, size: &DecoderSize, text: usize, image: usize) -> Result<Self> {
        let DecoderSize { width, heads, layers, .. } = *size;
        if [text, image, width, heads].contains(&0) || !width.is_multiple_of(heads) {
            bail!("context decoder: {heads} heads and {width} channels are not possible");
        }
        let norm = |at: &Scope, name: &str, channels: usize| LayerNorm::new(&at.at(name), channels, EPS);
        let proj = |at: &Scope, from: usize, to: usize| Linear::new(&at.at("proj"), from, to);
        let (memory, words, out) = (scope.at("memory"), scope.at("text"), scope.at("out"));
        Ok(Self {
            memory: (
                norm(&memory, "norm1", image)?,
                proj(&memory, image, width)?,
                norm(&memory, "norm2", width)?,
            ),
            text: (norm(&words, "norm", text)?, proj(&words, text, width)?),
            layers: (0..layers)
                .map(|i| Layer::new(&scope.at("layers").at(i), width))
                .collect::<Result<_>>()?,
            out: (norm(&out, "norm", width)?, proj(&out, width, text)?),
            size: size.clone(),
        })
    }

    /// `text` is `(batch, texts, text channels)`, `image` `(batch, places, image channels)`; the result is shaped as `text`.
    ///
    /// # Errors
    /// If they have other channels.
    pub fn forward(&self, text: &Tensor, image: &Tensor, mode: Mode) -> Result<Tensor> {
        let (before, projection, after) = &self.memory;
        let memory = after.forward(&projection.forward(&before.forward(image)?)?)?;
        let mut x = self.text.1.forward(&self.text.0.forward(text)?)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, &memory, &self.size, mode, i as u32)?;
        }
        self.out.1.forward(&self.out.0.forward(&x)?)
    }
}
