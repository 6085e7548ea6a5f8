//! What one worker needs to take a tile through the field's stages.

use super::encoder::{ENCODING, Encoder};
use super::tile::{CAPACITY, Span, Stretch, Tile};
use crate::ops::composite::Carry;
use crate::ops::small_gemm::{Precision, padded};
use crate::ops::{affine_color, frequency};
use crate::params::{Values, zeros};
use crate::simd::Isa;

/// Rows beyond the capacity, so that products may work in whole row tiles.
const SPARE: usize = 16;

/// A matrix with one row per sample (or per ray) and its gradient.
#[derive(Debug)]
pub struct Slot {
    /// Columns in use.
    pub columns: usize,
    /// Distance between rows: `columns` rounded up to whole column panels. The rest is zero.
    pub stride: usize,
    /// The values.
    pub values: Values,
    /// Their gradient.
    pub grad: Values,
}

impl Slot {
    fn new(columns: usize) -> Self {
        let stride = padded(columns);
        let n = (CAPACITY + SPARE) * stride;
        Self { columns, stride, values: zeros(n), grad: zeros(n) }
    }

    /// Zeroes the gradient of the first `n` rows, rounded up to whole groups of 8.
    pub fn clear_grad(&mut self, n: usize) {
        self.grad[..n.next_multiple_of(8) * self.stride].fill(0.0);
    }
}

/// Names the slots of a field while its stages are put together.
#[derive(Clone, Debug, Default)]
pub struct SlotPlan {
    columns: Vec<usize>,
}

impl SlotPlan {
    /// Reserves a slot of `columns` columns and returns its index.
    pub fn slot(&mut self, columns: usize) -> usize {
        self.columns.push(columns);
        self.columns.len() - 1
    }

    /// The distance between rows of so many columns: whole column panels.
    pub fn stride(columns: usize) -> usize {
        padded(columns)
    }

    /// The columns of a slot.
    pub fn columns(&self, slot: usize) -> usize {
        self.columns[slot]
    }
}

/// One worker's buffers.
#[derive(Debug)]
pub struct Workspace {
    /// The instruction set.
    pub isa: Isa,
    /// The arithmetic of products.
    pub precision: Precision,
    /// Rays of the tile and their samples; shortened when samples are dropped.
    pub spans: Vec<Span>,
    /// Samples in use.
    pub len: usize,
    /// Per ray: direction.
    pub direction: Vec<[f32; 3]>,
    /// Per ray: its gradient, where rays are traced.
    pub d_direction: Vec<[f32; 3]>,
    /// Per ray: the gradient of its camera's colors, where they are learnt.
    pub d_color: Vec<[f32; affine_color::VALUES]>,
    /// Per ray: the known distance, 0 for none; empty where nothing is learnt from it.
    pub distance: Vec<f32>,
    /// A ray's share in the loss: one by their number.
    pub share: f32,
    /// Sums over the rays: distortion, and deviation from known distances.
    pub spread: [f64; 2],
    /// Per ray: the state in front of its first sample; behind its last one after compositing.
    pub carry: Vec<Carry>,
    /// Per ray: the state behind its last sample that counts, once densities are known.
    pub behind: Vec<Carry>,
    /// Densities are asked for only: no sample is dropped.
    pub probing: bool,
    /// In pictures: samples stand for those in front of them that weigh less together; else 0.
    pub faint: f32,
    /// Per sample: distance, length, density, opacity, gradient of the density.
    pub t: Values,
    /// See `t`.
    pub dt: Values,
    /// See `t`.
    pub sigma: Values,
    /// See `t`.
    pub alpha: Values,
    /// See `t`.
    pub d_sigma: Values,
    /// Per sample: what the saliency grid says, its gradient, the gate on the density, its gradient.
    pub logit: Values,
    /// See `logit`.
    pub d_logit: Values,
    /// See `logit`.
    pub gate: Values,
    /// See `logit`.
    pub d_gate: Values,
    /// Room for a ray's weights, their places, lengths and gradients.
    pub weights: [Values; 4],
    /// The heads' losses, summed over the rays.
    pub losses: Vec<f64>,
    /// Per ray: the heads' channels, depth, opacity.
    pub out: Vec<f32>,
    /// Gradient of `out`.
    pub d_out: Vec<f32>,
    /// Samples that survived, as indices into the tile, ascending.
    pub keep: Vec<u32>,
    /// Activations.
    pub slots: Vec<Slot>,
}

impl Workspace {
    /// Buffers for `plan` and rays with `outputs` values each, of so many heads.
    pub fn new(isa: Isa, precision: Precision, plan: &SlotPlan, outputs: usize, heads: usize) -> Self {
        let per_sample = || zeros(CAPACITY);
        Self {
            isa,
            precision,
            spans: Vec::with_capacity(CAPACITY),
            len: 0,
            direction: Vec::with_capacity(CAPACITY),
            d_direction: Vec::new(),
            d_color: Vec::new(),
            distance: Vec::new(),
            share: 0.0,
            spread: [0.0; 2],
            carry: Vec::with_capacity(CAPACITY),
            behind: Vec::with_capacity(CAPACITY),
            probing: false,
            faint: 0.0,
            t: per_sample(),
            dt: per_sample(),
            sigma: per_sample(),
            alpha: per_sample(),
            d_sigma: per_sample(),
            logit: per_sample(),
            d_logit: per_sample(),
            gate: per_sample(),
            d_gate: per_sample(),
            weights: std::array::from_fn(|_| per_sample()),
            losses: vec![0.0; heads],
            out: vec![0.0; CAPACITY * outputs],
            d_out: vec![0.0; CAPACITY * outputs],
            keep: Vec::with_capacity(CAPACITY),
            slots: plan.columns.iter().map(|c| Slot::new(*c)).collect(),
        }
    }

    /// Takes over a tile's samples, their encodings as rows of the first slot.
    pub fn load(&mut self, tile: &Tile, encoder: &Encoder) {
        self.enter(tile);
        let slot = &mut self.slots[ENCODING];
        match encoder {
            Encoder::Grid { .. } => {
                tile.layout(slot.stride).to_rows(self.isa, tile.len, tile.encoded(), &mut slot.values);
            }
            Encoder::Frequency { octaves } => {
                let (n, rows) = (tile.len, &mut slot.values);
                frequency::forward(self.isa, *octaves, tile.points(), n, rows, slot.stride);
            }
        }
    }

    /// Leaves the encodings' rows, which [`Self::load`] has filled, to the tile, in exchange for its old ones.
    pub fn leave_rows(&mut self, tile: &mut Tile) {
        exchange(&mut self.slots[ENCODING].values, &mut tile.rows);
    }

    /// As [`Self::load`] for a tile that consists of stretches of `tiles`, which hold the rows.
    pub fn gather(&mut self, tile: &Tile, stretches: &[Stretch], tiles: &[Tile]) {
        self.enter(tile);
        let Slot { stride, values, .. } = &mut self.slots[ENCODING];
        let mut at = 0;
        for stretch in stretches {
            let from = &tiles[stretch.tile as usize].rows[stretch.start as usize * *stride..];
            let n = stretch.len as usize * *stride;
            values[at..at + n].copy_from_slice(&from[..n]);
            at += n;
        }
    }

    /// Takes over a tile's samples without their encodings.
    fn enter(&mut self, tile: &Tile) {
        self.len = tile.len;
        self.spans.clear();
        self.spans.extend_from_slice(&tile.spans);
        // Whole vectors are read below, so what lies behind the last sample must be harmless.
        let end = tile.len.next_multiple_of(16).min(CAPACITY);
        self.t[..end].copy_from_slice(&tile.t[..end]);
        self.dt[..end].copy_from_slice(&tile.dt[..end]);
        self.logit[..end].copy_from_slice(&tile.logit[..end]);
    }

    /// Writes the gradients of the encodings, of the saliency and, where rays are traced, of directions back into the tile,
    /// which keeps the surviving samples only.
    pub fn store(&mut self, tile: &mut Tile, encoder: &Encoder, traces_rays: bool) {
        if self.len != tile.len {
            tile.compact(&self.keep);
        }
        let slot = &mut self.slots[ENCODING];
        match encoder {
            Encoder::Grid { .. } => {
                tile.layout(slot.stride).to_levels(self.isa, self.len, &slot.grad, tile.encoded_mut());
            }
            Encoder::Frequency { .. } if traces_rays => exchange(&mut slot.grad, &mut tile.rows),
            Encoder::Frequency { .. } => {}
        }
        tile.d_color.clone_from(&self.d_color);
        if traces_rays {
            tile.d_direction.clone_from(&self.d_direction);
            // Each span's samples are looked at again.
            tile.spans.clone_from(&self.spans);
        }
        tile.logit[..self.len].copy_from_slice(&self.d_logit[..self.len]);
    }

    /// Keeps the samples listed in `self.keep` (ascending), in the columns per sample and the slots `rows`.
    pub fn compact(&mut self, rows: &[usize]) {
        if self.keep.len() == self.len {
            return;
        }
        let (logit, gate) = (&mut self.logit, &mut self.gate);
        for column in [&mut self.t, &mut self.dt, &mut self.sigma, &mut self.alpha, logit, gate] {
            for (to, from) in self.keep.iter().enumerate() {
                column[to] = column[*from as usize];
            }
        }
        for slot in rows {
            let Slot { stride, values, .. } = &mut self.slots[*slot];
            for (to, from) in self.keep.iter().enumerate() {
                let from = *from as usize;
                if from != to {
                    values.copy_within(from * *stride..(from + 1) * *stride, to * *stride);
                }
            }
        }
        self.len = self.keep.len();
    }
}

/// Exchanges rows of a workspace with a tile's, which has none at first.
fn exchange(mine: &mut Values, rows: &mut Values) {
    if rows.is_empty() {
        *rows = zeros(mine.len());
    }
    std::mem::swap(mine, rows);
}
