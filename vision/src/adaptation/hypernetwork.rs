//! What hypernetworks share (Karimi Mahabadi et al. 2021, Hyperformer; Polyhistor): an embedding of what weights are for,
//! and linear maps from it to the weights.
//!
//! ```text
//! u = LN(W2 relu(W1 v + b1) + b2)        128 hidden values, 64 of u
//! full:        vec(W) = G u + g
//! decomposed:  [vec L ; vec R] = G u + g,  W = L R
//! ```
//!
//! Biases and norms of adapters are generated, too, linearly of u. Weights begin normal with deviation 0.01, so that what
//! is generated begins near zero, and adapters at the identity.
//!
//! **Magnitude Invariant Parametrization** (Ortiz et al. 2023, arXiv 2304.07645): the output of a plain hypernetwork grows
//! with its input, which makes training unstable. Here v, brought to 0..1 by a sigmoid because embeddings have no bounds
//! (ours), becomes `(cos(pi v / 2), sin(pi v / 2))`, whose norm is constant; and what is generated is added to weights
//! that are learned as well, one set for all tasks, which begin as an adapter's do.
use std::f64::consts::FRAC_PI_2;

use nerve_core::graph::{Init, Result, Scope, Tensor, cat, narrow, reshape};
use nerve_core::layers::LayerNorm;
use nerve_core::ops::linear::linear;
use nerve_core::ops::relu::relu;

use super::bottleneck::{DEVIATION, Weights};

/// Values of a task's embedding.
pub(super) const EMBEDDING: usize = 512;
const HIDDEN: usize = 128;
const OUTPUTS: usize = 64;
const EPS: f64 = 1e-5;

/// A linear map that begins near zero.
#[derive(Debug)]
struct Map {
    weight: Tensor,
    bias: Tensor,
}

impl Map {
    fn new(scope: &Scope, inputs: usize, outputs: usize) -> Result<Self> {
        Ok(Self {
            weight: scope.weight("weight", &[outputs, inputs], Init::Normal(DEVIATION))?,
            bias: scope.weight("bias", &[outputs], Init::Constant(0.0))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, Some(&self.bias))
    }
}

/// From v to u; keys `fc1`, `fc2` and `norm`.
#[derive(Debug)]
pub(super) struct Embedder {
    maps: [Map; 2],
    norm: LayerNorm,
    mip: bool,
}

impl Embedder {
    /// Of `inputs` values of v; with `mip` they are encoded.
    pub(super) fn new(scope: &Scope, inputs: usize, mip: bool) -> Result<Self> {
        let inputs = if mip { 2 * inputs } else { inputs };
        Ok(Self {
            maps: [Map::new(&scope.at("fc1"), inputs, HIDDEN)?, Map::new(&scope.at("fc2"), HIDDEN, OUTPUTS)?],
            norm: LayerNorm::new(&scope.at("norm"), OUTPUTS, EPS)?,
            mip,
        })
    }

    /// v is `(rows, inputs)`; u is `(rows, 64)`.
    pub(super) fn forward(&self, v: &Tensor) -> Result<Tensor> {
        let encoded = if self.mip { encoded(v)? } else { v.clone() };
        let [first, second] = &self.maps;
        self.norm.forward(&second.forward(&relu(&first.forward(&encoded)?)?)?)
    }
}

/// `(cos(pi s / 2), sin(pi s / 2))` of `s = sigmoid(v)`.
fn encoded(v: &Tensor) -> Result<Tensor> {
    // The sigmoid by its hyperbolic tangent, which candle has a gradient of.
    let s = (((v * 0.5)?.tanh()? + 1.0)? * (0.5 * FRAC_PI_2))?;
    cat(&[&s.cos()?, &s.sin()?], 1)
}

/// Makes the weights of adapters of one size; keys `weight` and `bias` of one linear map.
#[derive(Debug)]
pub(super) struct Generator {
    map: Map,
    channels: usize,
    hidden: usize,
    rank: Option<usize>,
}

impl Generator {
    /// For adapters of so many channels and hidden ones, whose matrices are products of this rank if one is given.
    pub(super) fn new(scope: &Scope, channels: usize, hidden: usize, rank: Option<usize>) -> Result<Self> {
        let matrices = match rank {
            None => 2 * channels * hidden,
            Some(rank) => 2 * (channels + hidden) * rank,
        };
        let map = Map::new(scope, OUTPUTS, matrices + hidden + 3 * channels)?;
        Ok(Self { map, channels, hidden, rank })
    }

    /// Of `u (1, 64)`.
    pub(super) fn weights(&self, u: &Tensor) -> Result<Weights> {
        let all = self.map.forward(u)?;
        let all = reshape(&all, all.elem_count())?;
        let mut at = 0;
        let mut take = |n: usize| {
            at += n;
            narrow(&all, 0, at - n, n)
        };
        let (channels, hidden) = (self.channels, self.hidden);
        let mut matrix = |rows: usize, columns: usize| match self.rank {
            None => reshape(&take(rows * columns)?, (rows, columns)),
            Some(rank) => {
                let left = reshape(&take(rows * rank)?, (rows, rank))?;
                left.matmul(&reshape(&take(rank * columns)?, (rank, columns))?)
            }
        };
        let (down, up) = (matrix(hidden, channels)?, matrix(channels, hidden)?);
        Ok(Weights {
            down,
            up,
            down_bias: take(hidden)?,
            up_bias: take(channels)?,
            norm_weight: take(channels)?,
            norm_bias: take(channels)?,
        })
    }
}
