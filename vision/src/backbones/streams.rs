//! Task streams beside the shared one, in the last block of each stage (Agiza et al. 2024, MTLoRA): only the shared stream
//! goes on to the next stage.
//!
//! ```text
//! a = attention(x),  h = x + proj(a),  n = LN2(h),  g = act(fc1(n))                    the shared stream
//! h_t = x + proj(a) + U(a, a),  f_t = fc1(n) + U(n, LN2(h_t)),  y_t = h_t + fc2(g) + U(g, act(f_t))
//! ```
//!
//! The products of the frozen weights are those of the shared stream; an update U of the shared input and of the stream's
//! is all that is computed a task. TinyViT's local convolution, between both halves of a block, works on each stream.
use nerve_core::graph::{Result, Tensor};
use nerve_core::layers::Linear;
use nerve_core::ops::add::add;

use crate::activation::Activation;

/// A linear layer of a block that streams differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamLayer {
    /// The projection behind the attention.
    Projection,
    /// The first layer of the MLP.
    First,
    /// The second.
    Second,
}

/// How a task's stream differs from the shared one.
pub trait StreamUpdates {
    /// What is added to the output of a block's layer for the shared stream's `input`, of that and of the stream's own.
    ///
    /// # Errors
    /// If an input has another number of channels.
    fn update(&self, block: u32, layer: StreamLayer, input: &Tensor, own: &Tensor) -> Result<Tensor>;
}

/// What a pass leaves for streams.
#[derive(Clone, Debug)]
pub struct Stages {
    /// The maps, as [`super::Backbone::features`] returns them.
    pub maps: Vec<Tensor>,
    /// What the last block of each stage was given.
    pub ends: Vec<Tensor>,
}

/// A block that can have streams.
pub(super) trait Streamed {
    /// Its number.
    fn number(&self) -> u32;

    /// What its projection is given.
    fn attended(&self, x: &Tensor) -> Result<Tensor>;

    /// What is between its halves.
    fn between(&self, h: &Tensor) -> Result<Tensor>;

    /// What its MLP is given.
    fn normed(&self, h: &Tensor) -> Result<Tensor>;

    /// Its projection, and the layers of its MLP with their activation.
    fn layers(&self) -> Result<(&Linear, &Linear, &Linear, Activation)>;
}

/// The output of a task's stream in a block that is given `x`.
pub(super) fn stream(block: &impl Streamed, x: &Tensor, updates: &dyn StreamUpdates) -> Result<Tensor> {
    let (projection, first, second, activation) = block.layers()?;
    let update = |layer, input: &Tensor, own: &Tensor| updates.update(block.number(), layer, input, own);
    let a = block.attended(x)?;
    let projected = projection.forward(&a)?;
    let h = block.between(&add(x, &projected)?)?;
    let n = block.normed(&h)?;
    let f = first.forward(&n)?;
    let g = activation.forward(&f)?;

    let own = add(&projected, &update(StreamLayer::Projection, &a, &a)?)?;
    let h = block.between(&add(x, &own)?)?;
    let f = add(&f, &update(StreamLayer::First, &n, &block.normed(&h)?)?)?;
    let y = add(&second.forward(&g)?, &update(StreamLayer::Second, &g, &activation.forward(&f)?)?)?;
    add(&h, &y)
}
