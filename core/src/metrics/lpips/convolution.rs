//! Convolutions and pooling over maps with interleaved channels.
//!
//! With channels innermost and the padding stored, the values that a pixel sees in one row of the kernel lie together,
//! and those of the next pixel begin `stride * channels` later: a row of the kernel is a product of a matrix that need
//! not be written down (its rows overlap) with the weights. A convolution is as many such products as its kernel has
//! rows, summed in place; with a stride of 1 they run over several rows of the map at once, padding included.
use rayon::prelude::*;

use crate::ops::small_gemm::{Epilogue, Left, Shape, small_gemm};
use crate::simd::Isa;

/// Pixels that are worked on at a time: their sums stay in the cache.
const PIXELS: usize = 256;

/// A map of features: `height * width` pixels of `channels` values, with `pad` pixels of zeros on every side.
#[derive(Clone, Debug)]
pub(super) struct Map {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: usize,
    pad: usize,
    values: Vec<f32>,
}

impl Map {
    pub(super) fn new(width: usize, height: usize, channels: usize, pad: usize) -> Self {
        let values = vec![0.0; (width + 2 * pad) * (height + 2 * pad) * channels];
        Self { width, height, channels, pad, values }
    }

    /// Values of a row, padding included.
    fn pitch(&self) -> usize {
        (self.width + 2 * self.pad) * self.channels
    }

    /// The values of a row, without padding.
    pub(super) fn row(&self, y: usize) -> &[f32] {
        let at = (y + self.pad) * self.pitch() + self.pad * self.channels;
        &self.values[at..at + self.width * self.channels]
    }

    /// See [`Map::row`].
    pub(super) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let at = (y + self.pad) * self.pitch() + self.pad * self.channels;
        &mut self.values[at..at + self.width * self.channels]
    }

    /// All rows, in groups of `rows`, without padding above and below but with that at the sides.
    fn groups(&mut self, rows: usize) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        let pitch = self.pitch();
        let inside = self.pad * pitch..(self.pad + self.height) * pitch;
        self.values[inside].par_chunks_mut(rows * pitch)
    }

    /// The same with another padding.
    pub(super) fn padded(&self, pad: usize) -> Self {
        let mut map = Self::new(self.width, self.height, self.channels, pad);
        for y in 0..self.height {
            map.row_mut(y).copy_from_slice(self.row(y));
        }
        map
    }
}

/// A convolution, and the ReLU after it.
#[derive(Debug)]
pub(super) struct Convolution {
    side: usize,
    stride: usize,
    inputs: usize,
    outputs: usize,
    /// `side` matrices of `side * inputs` rows and `outputs` columns.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Convolution {
    /// From weights in PyTorch's order: outputs, inputs, rows, columns.
    pub(super) fn new(side: usize, stride: usize, inputs: usize, weights: &[f32], bias: Vec<f32>) -> Self {
        let outputs = bias.len();
        let mut ours = vec![0.0; weights.len()];
        for (at, weight) in weights.iter().enumerate() {
            let (column, row) = (at % side, at / side % side);
            let (input, output) = (at / (side * side) % inputs, at / (side * side * inputs));
            ours[((row * side + column) * inputs + input) * outputs + output] = *weight;
        }
        Self { side, stride, inputs, outputs, weights: ours, bias }
    }

    /// The map after it, padded for what follows. `map` holds the padding that this convolution needs.
    pub(super) fn apply(&self, map: &Map, pad: usize) -> Map {
        let size = |side: usize| (side + 2 * map.pad - self.side) / self.stride + 1;
        let mut out = Map::new(size(map.width), size(map.height), self.outputs, pad);
        let (width, height, pitch) = (out.width, out.height, out.pitch());
        // Pixels from one row of the map to the next, as the products see them.
        let across = if self.stride == 1 { map.width + 2 * map.pad } else { width };
        let rows = PIXELS.div_ceil(across);
        out.groups(rows).enumerate().for_each_init(Vec::new, |sums, (group, out)| {
            let (first, last) = (group * rows, ((group + 1) * rows).min(height));
            sums.resize(rows * across * self.outputs, 0.0);
            self.sum(map, first, last, width, across, sums);
            for (row, out) in out.chunks_exact_mut(pitch).enumerate() {
                let from = row * across * self.outputs;
                out[pad * self.outputs..][..width * self.outputs]
                    .copy_from_slice(&sums[from..from + width * self.outputs]);
            }
        });
        out
    }

    /// Rows `first .. last` of the output; with a stride of 1 the pixels between two rows hold nothing of use.
    fn sum(&self, map: &Map, first: usize, last: usize, width: usize, across: usize, sums: &mut [f32]) {
        let (isa, n) = (Isa::best(), self.outputs);
        for pixel in sums.chunks_exact_mut(n) {
            pixel.copy_from_slice(&self.bias);
        }
        let k = self.side * self.inputs;
        let bands: Vec<(usize, usize)> = if self.stride == 1 {
            vec![(first, (last - first - 1) * across + width)]
        } else {
            (first..last).map(|y| (y, width)).collect()
        };
        for (y, m) in bands {
            let sums = &mut sums[(y - first) * across * n..];
            for row in 0..self.side {
                let values = &map.values[(y * self.stride + row) * map.pitch()..];
                let left = Left { values, row: self.stride * self.inputs, col: 1 };
                let weights = &self.weights[row * k * n..(row + 1) * k * n];
                let epilogue = if row + 1 == self.side { Epilogue::Relu } else { Epilogue::None };
                small_gemm(isa, Shape { m, n, k }, left, weights, n, sums, n, true, epilogue);
            }
        }
    }
}

/// The largest value of every square, padded for what follows. What does not fill a square is left out.
pub(super) fn pool(map: &Map, side: usize, stride: usize, pad: usize) -> Map {
    let size = |n: usize| (n - side) / stride + 1;
    let channels = map.channels;
    let mut out = Map::new(size(map.width), size(map.height), channels, pad);
    let width = out.width;
    out.groups(1).enumerate().for_each(|(y, out)| {
        let out = &mut out[pad * channels..][..width * channels];
        out.fill(f32::NEG_INFINITY);
        for row in 0..side {
            let values = map.row(y * stride + row);
            for (x, out) in out.chunks_exact_mut(channels).enumerate() {
                for column in 0..side {
                    let pixel = &values[(x * stride + column) * channels..][..channels];
                    for (out, value) in out.iter_mut().zip(pixel) {
                        *out = out.max(*value);
                    }
                }
            }
        }
    });
    out
}
