//! NACLIP (Hajimiri et al. 2025, "Pay Attention to Your Neighbours"): `out(softmax(s k k^T + w) v)`, without the residual sum and
//! without the MLP. `w` favors what is near: `exp(-r^2 / (2 sigma^2))` for patches `r` apart, sigma 5, and 0 for the class
//! token; it is added to the scores as it is.
use nerve_core::graph::{Device, Result, Tensor};
use nerve_core::ops::softmax::softmax;

use super::scores;
use crate::backbones::vit::{LastBlock, Parts};

/// In patches.
const SIGMA: f32 = 5.0;

pub(super) fn forward(block: LastBlock<'_>, x: &Tensor, grid: [usize; 2]) -> Result<Tensor> {
    let Parts { k, v, .. } = block.parts(x)?;
    let near = nearness(grid, x.device())?;
    let scores = scores(&k, &k, block.scale(x)?)?.broadcast_add(&near)?;
    block.out(&softmax(&scores)?.matmul(&v)?)
}

/// `w`, `(1 + patches, 1 + patches)`.
pub(super) fn nearness([rows, columns]: [usize; 2], device: &Device) -> Result<Tensor> {
    let tokens = 1 + rows * columns;
    let place = |token: usize| ((token - 1) / columns, (token - 1) % columns);
    let weight = |at: usize| {
        let (a, b) = (at / tokens, at % tokens);
        if a == 0 || b == 0 {
            return 0.0;
        }
        let ((y, x), (v, u)) = (place(a), place(b));
        let square = y.abs_diff(v).pow(2) + x.abs_diff(u).pow(2);
        (-(square as f32) / (2.0 * SIGMA * SIGMA)).exp()
    };
    Tensor::from_vec((0..tokens * tokens).map(weight).collect::<Vec<f32>>(), (tokens, tokens), device)
}
