//! The forward pass: a head of a set at a time, its rows gathered, its scores in the cache.
use rayon::prelude::*;

pub use super::backward::{Gradients, backward};
use super::gather::{Part, Source, Target};
use super::pattern::{PAD, Pattern};
use super::rows::{Added, Extent, softmax};
use crate::ops::output::written;
use crate::ops::small_gemm::{Epilogue, Left, Shape, padded, small_gemm};
use crate::simd::Isa;

/// How queries, keys and values are packed in the last dimension of their tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// One tensor, `(3, heads, dim)`.
    Parts,
    /// One tensor, `(heads, 3, dim)`.
    Heads,
    /// Queries `(heads, dim)` in one tensor, keys and values `(2, heads, dim)` in another.
    Apart,
}

/// What attends to what, and how.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The sets of tokens.
    pub pattern: &'a Pattern,
    /// Number of heads.
    pub heads: usize,
    /// Values per head.
    pub dim: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// How the tensors are packed.
    pub packed: Packed,
    /// The tensor with the queries.
    pub q: &'a [f32],
    /// The tensor with keys and values (the same unless they are apart).
    pub kv: &'a [f32],
    /// Added to scores: `(heads, queries, keys)`.
    pub bias: Option<&'a [f32]>,
    /// The packed row of a token beyond the map.
    pub pad: Option<&'a [f32]>,
}

/// A head, and a run of sets.
pub(super) type Task = (usize, std::ops::Range<usize>);

/// Queries that are worked on at a time: up to the first number all of them, else the second.
const ALL: usize = 64;
const SOME: usize = 48;
/// Sets are split into at most this many runs, whatever the number of threads.
const RUNS: usize = 8;

impl Call<'_> {
    /// Where queries, keys and values lie.
    pub(super) fn parts(&self) -> [Part; 3] {
        let (d, c) = (self.dim, self.heads * self.dim);
        let part = |at, row, head| Part { at, row, head };
        match self.packed {
            Packed::Parts => [part(0, 3 * c, d), part(c, 3 * c, d), part(2 * c, 3 * c, d)],
            Packed::Heads => [part(0, 3 * c, 3 * d), part(d, 3 * c, 3 * d), part(2 * d, 3 * c, 3 * d)],
            Packed::Apart => [part(0, c, d), part(0, 2 * c, d), part(c, 2 * c, d)],
        }
    }

    pub(super) fn sources(&self) -> [Source<'_>; 3] {
        let source = |values| Source { values, pad: self.pad.unwrap_or(&[]), dim: self.dim };
        [source(self.q), source(self.kv), source(self.kv)]
    }

    /// Heads and runs of sets, in a fixed order: what threads take one by one.
    pub(super) fn tasks(&self) -> Vec<Task> {
        let sets = self.pattern.sets();
        let run = sets.div_ceil(RUNS).max(1);
        let runs = (0..sets).step_by(run).map(move |first| first..(first + run).min(sets));
        (0..self.heads).flat_map(|head| runs.clone().map(move |run| (head, run))).collect()
    }

    pub(super) fn check(&self) {
        let (rows, key_rows) = self.pattern.rows();
        let (n, m) = self.pattern.extents();
        let c = self.heads * self.dim;
        let [q, kv] = if self.packed == Packed::Apart { [c, 2 * c] } else { [3 * c, 3 * c] };
        assert!(self.q.len() == rows * q && self.kv.len() == key_rows * kv, "attention: extents");
        assert!(self.bias.is_none_or(|b| b.len() == self.heads * n * m), "attention: extents of the bias");
        let pad = self.pad.map_or(0, <[f32]>::len);
        assert!(
            !self.pattern.pads() || pad == 3 * c,
            "attention: a map that is padded needs the padding's values"
        );
    }

    /// The multiply-accumulates of the forward pass.
    #[must_use]
    pub fn macs(&self) -> usize {
        let (n, m) = self.pattern.extents();
        2 * self.pattern.sets() * self.heads * n * m * self.dim
    }
}

/// Buffers of one head of one set, and what does not change from set to set.
pub(super) struct Desk {
    pub(super) queries: Vec<u32>,
    pub(super) keys: Vec<u32>,
    regions: Vec<u8>,
    /// Queries and keys of a set; rows of scores (a multiple of 16); values of a head, padded likewise; queries at once.
    pub(super) n: usize,
    pub(super) m: usize,
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) block: usize,
    /// `(n, width)`, scaled; `(width, stride)`; `(m, width)`.
    pub(super) q: Vec<f32>,
    pub(super) kt: Vec<f32>,
    pub(super) v: Vec<f32>,
    /// `(n, stride)`.
    bias: Vec<f32>,
    mask: Vec<f32>,
    masked: bool,
    pub(super) s: Vec<f32>,
    pub(super) inverse: Vec<f32>,
}

impl Desk {
    /// For head `head`.
    pub(super) fn new(call: &Call<'_>, head: usize) -> Self {
        let (n, m) = call.pattern.extents();
        let (stride, width) = (padded(m), padded(call.dim));
        let block = if n <= ALL { n } else { SOME };
        let mut bias = Vec::new();
        if let Some(all) = call.bias {
            bias.resize(n * stride, 0.0);
            let rows = all[head * n * m..(head + 1) * n * m].chunks_exact(m);
            bias.chunks_exact_mut(stride).zip(rows).for_each(|(to, from)| to[..m].copy_from_slice(from));
        }
        Self {
            queries: Vec::new(),
            keys: Vec::new(),
            regions: Vec::new(),
            n,
            m,
            stride,
            width,
            block,
            q: vec![0.0; n * width],
            kt: vec![0.0; width * stride],
            v: vec![0.0; m * width],
            bias,
            mask: Vec::new(),
            masked: false,
            s: vec![0.0; block * stride],
            inverse: vec![0.0; block],
        }
    }

    /// Takes a set's rows.
    pub(super) fn load(&mut self, call: &Call<'_>, head: usize, set: usize) {
        call.pattern.set(set, &mut self.queries, &mut self.keys);
        let ([q, k, v], [from_q, from_k, from_v]) = (call.parts(), call.sources());
        q.rows(&from_q, head, &self.queries, call.scale, self.width, &mut self.q);
        k.columns(&from_k, head, &self.keys, self.stride, &mut self.kt);
        v.rows(&from_v, head, &self.keys, 1.0, self.width, &mut self.v);
        self.masked = call.pattern.regions(set, &mut self.regions);
        if self.masked {
            self.mask.clear();
            self.mask.resize(self.n * self.stride, 0.0);
            for (i, row) in self.mask.chunks_exact_mut(self.stride).enumerate() {
                for (mask, region) in row.iter_mut().zip(&self.regions) {
                    *mask = if *region == self.regions[i] { 0.0 } else { -100.0 };
                }
            }
        }
    }

    /// `exp` of the scores of `rows` queries from `first` on, and the inverse of their sums.
    pub(super) fn scores(&mut self, isa: Isa, dim: usize, first: usize, rows: usize) {
        let q = Left { values: &self.q[first * self.width..], row: self.width, col: 1 };
        let shape = Shape { m: rows, n: self.stride, k: dim };
        small_gemm(isa, shape, q, &self.kt, self.stride, &mut self.s, self.stride, false, Epilogue::None);
        let from = first * self.stride;
        let added = Added {
            bias: if self.bias.is_empty() { None } else { Some(&self.bias[from..]) },
            mask: if self.masked { Some(&self.mask[from..]) } else { None },
        };
        let extent = Extent { rows, keys: self.m, stride: self.stride };
        softmax(isa, extent, &mut self.s, added, &mut self.inverse);
    }

    /// Blocks of queries: first and number.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (n, block) = (self.n, self.block);
        (0..n).step_by(block.max(1)).map(move |first| (first, block.min(n - first)))
    }
}

/// The attention of every query: `(rows of queries, heads * dim)`.
///
/// # Panics
/// If shapes do not fit.
#[must_use]
pub fn forward(isa: Isa, call: &Call<'_>) -> Vec<f32> {
    call.check();
    written(call.pattern.rows().0 * call.heads * call.dim, |out| {
        attend(isa, call, Target::new(out));
        // SAFETY: every query is in a set, and every head of every set in a task.
        unsafe { out.assume_init_mut() }
    })
}

/// All heads of all sets.
fn attend(isa: Isa, call: &Call<'_>, target: Target<'_>) {
    let part = Part { at: 0, row: call.heads * call.dim, head: call.dim };
    call.tasks().into_par_iter().for_each(|(head, sets)| {
        let mut desk = Desk::new(call, head);
        let mut o = vec![0.0; desk.block * desk.width];
        for set in sets {
            desk.load(call, head, set);
            for (first, rows) in desk.blocks() {
                desk.scores(isa, call.dim, first, rows);
                let p = Left { values: &desk.s, row: desk.stride, col: 1 };
                let shape = Shape { m: rows, n: desk.width, k: desk.m };
                small_gemm(isa, shape, p, &desk.v, desk.width, &mut o, desk.width, false, Epilogue::None);
                for (i, o) in o.chunks_exact(desk.width).take(rows).enumerate() {
                    let row = desk.queries[first + i];
                    if row != PAD {
                        // SAFETY: a query is in one set, and a head of a set in one task.
                        unsafe { target.put(part, head, row, &o[..call.dim], desk.inverse[i]) };
                    }
                }
            }
        }
    });
}
