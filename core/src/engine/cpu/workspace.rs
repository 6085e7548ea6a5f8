//! What one worker needs to take a tile through the field's stages.

use super::tile::{CAPACITY, Span, Stretch, Tile};
use crate::ops::affine_color;
use crate::ops::composite::Carry;
use crate::ops::small_gemm::{Precision, padded};
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

    /// Row `i` of the values.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.stride..(i + 1) * self.stride]
    }
}

/// Names the slots of a field while its stages are put together.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    columns: Vec<usize>,
}

impl Plan {
    /// Reserves a slot of `columns` columns and returns its index.
    pub fn slot(&mut self, columns: usize) -> usize {
        self.columns.push(columns);
        self.columns.len() - 1
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
    /// Per ray: its gradient, where a stage gives it.
    pub d_direction: Vec<[f32; 3]>,
    /// Per ray: the gradient of its camera's colors, where they are learnt.
    pub d_color: Vec<[f32; affine_color::VALUES]>,
    /// Per ray: the known distance, 0 for none; empty where the objective knows none.
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
    /// Per ray: channels, depth, opacity.
    pub out: Vec<f32>,
    /// Gradient of `out`.
    pub d_out: Vec<f32>,
    /// Samples that survived, as indices into the tile, ascending.
    pub keep: Vec<u32>,
    /// Activations.
    pub slots: Vec<Slot>,
}

impl Workspace {
    /// Buffers for `plan` and rays with `outputs` values each.
    pub fn new(isa: Isa, plan: &Plan, outputs: usize) -> Self {
        let per_sample = || zeros(CAPACITY);
        Self {
            isa,
            precision: Precision::F32,
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
            out: vec![0.0; CAPACITY * outputs],
            d_out: vec![0.0; CAPACITY * outputs],
            keep: Vec::with_capacity(CAPACITY),
            slots: plan.columns.iter().map(|c| Slot::new(*c)).collect(),
        }
    }

    /// Takes over a tile's samples, its encodings as rows of slot `input`.
    pub fn load(&mut self, tile: &Tile, input: usize) {
        self.enter(tile);
        let slot = &mut self.slots[input];
        tile.layout(slot.stride).to_rows(self.isa, tile.len, tile.encoded(), &mut slot.values);
    }

    /// Leaves the rows of slot `input`, which [`Self::load`] has filled, to the tile, in exchange for its old ones.
    pub(super) fn leave_rows(&mut self, tile: &mut Tile, input: usize) {
        let values = &mut self.slots[input].values;
        if tile.rows.is_empty() {
            tile.rows = zeros(values.len());
        }
        std::mem::swap(values, &mut tile.rows);
    }

    /// As [`Self::load`] for a tile that consists of stretches of `tiles`, which hold the rows.
    pub(super) fn collect(&mut self, tile: &Tile, input: usize, stretches: &[Stretch], tiles: &[Tile]) {
        self.enter(tile);
        let Slot { stride, values, .. } = &mut self.slots[input];
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

    /// Writes the gradients of slot `input` and of the saliency back
    /// into the tile, which keeps the surviving samples only.
    pub fn store(&self, tile: &mut Tile, input: usize) {
        if self.len != tile.len {
            tile.compact(&self.keep);
        }
        let slot = &self.slots[input];
        tile.layout(slot.stride).to_levels(self.isa, self.len, &slot.grad, tile.encoded_mut());
        tile.d_direction.clone_from(&self.d_direction);
        tile.d_color.clone_from(&self.d_color);
        if !tile.d_direction.is_empty() {
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
