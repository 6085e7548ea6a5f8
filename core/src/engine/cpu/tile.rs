//! The unit of work of the batch engine: up to [`CAPACITY`] samples of whole rays, with their encodings.

use super::transpose::Layout;
use crate::ops::hash_grid::{BLOCK, GridLevel, Points, backward_positions};
use crate::ops::march::{MOST_SAMPLES, Ray};
use crate::ops::{affine_color, frequency};
use crate::params::{Values, zeros};
use crate::simd::Isa;
use std::ops::Range;

/// Samples per tile. Its activations (about a megabyte for 64-wide networks) stay in the L2 cache.
pub const CAPACITY: usize = 512;

/// A ray's samples of one march fit a tile.
const _: () = assert!(CAPACITY <= MOST_SAMPLES);

/// Added to the distance between two levels of a tile's encoding, in values: a power of two would map all levels
/// of a sample to one cache set.
const PAD: usize = 16;

/// A stretch of one ray's samples inside a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index of the ray in the batch.
    pub ray: u32,
    /// First sample in the tile.
    pub start: u32,
    /// Number of samples.
    pub len: u32,
}

impl Span {
    /// The samples of the span.
    pub fn range(self) -> Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
}

/// A stretch of a ray's samples that counts, in one of the rounds' tiles.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    pub ray: u32,
    /// Where it is: the tile and its first sample there.
    pub tile: u32,
    pub start: u32,
    pub len: u32,
    /// The final tile it goes to.
    pub to: u32,
}

/// What is known of a span's samples once their densities are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probed {
    /// Leading samples that light gets to.
    pub visible: u32,
    /// What gets through behind them.
    pub transmittance: f32,
}

/// Samples of whole rays and their encodings, one level after the other.
#[derive(Debug)]
pub struct Tile {
    /// Rays, in order; spans are contiguous from 0.
    pub spans: Vec<Span>,
    /// Per span, once it has been probed or rendered.
    pub(super) probed: Vec<Probed>,
    /// Per span, once it has been rendered: channels, depth, opacity.
    pub(super) output: Vec<f32>,
    /// Samples in use.
    pub len: usize,
    /// Positions in the encoding's unit cube, `[axis][CAPACITY]`.
    pub position: [Values; 3],
    /// Distance of each sample from its ray's origin.
    pub t: Values,
    /// Length of each sample.
    pub dt: Values,
    /// Of a field with a saliency grid: the logit of each sample on the way forward, its gradient on the way back.
    pub(super) logit: Values,
    /// After the stages, where it is asked for: per span, the gradient of the direction as the networks see it, and of
    /// its camera's colors.
    pub(super) d_direction: Vec<[f32; 3]>,
    /// See `d_direction`.
    pub(super) d_color: Vec<[f32; affine_color::VALUES]>,
    /// The gradient of the positions, where it is asked for.
    pub(super) d_position: [Values; 3],
    /// Of a tile of whole rays that come from several rounds: the stretches it consists of, whose features are in
    /// the rounds' `rows`.
    pub(super) stretches: Option<Range<usize>>,
    /// After a probe of training: the features of every sample, as the networks read them. On the way back, where an
    /// encoding has no tables and rays are traced: their gradient.
    pub(super) rows: Values,
    /// `[level][sample][F]`: features on the way forward, their gradients on the way back.
    encoded: Values,
    level_stride: usize,
}

impl Tile {
    /// An empty tile for `levels` encoding levels of `features` each.
    pub fn new(levels: usize, features: usize) -> Self {
        let level_stride = CAPACITY * features + PAD;
        Self {
            spans: Vec::with_capacity(CAPACITY),
            probed: Vec::with_capacity(CAPACITY),
            output: Vec::new(),
            len: 0,
            position: std::array::from_fn(|_| zeros(CAPACITY)),
            t: zeros(CAPACITY),
            dt: zeros(CAPACITY),
            logit: zeros(CAPACITY),
            d_direction: Vec::new(),
            d_color: Vec::new(),
            d_position: std::array::from_fn(|_| zeros(0)),
            stretches: None,
            rows: zeros(0),
            encoded: zeros(levels * level_stride),
            level_stride,
        }
    }

    /// Positions, padded to whole blocks.
    pub fn points(&self) -> Points<'_> {
        let n = self.len.next_multiple_of(BLOCK);
        let [x, y, z] = &self.position;
        Points { x: &x[..n], y: &y[..n], z: &z[..n] }
    }

    /// Positions and the features of one level, to be written.
    pub fn points_and_level(&mut self, level: usize) -> (Points<'_>, &mut [f32]) {
        let n = self.len.next_multiple_of(BLOCK);
        let [x, y, z] = &self.position;
        let out = &mut self.encoded[level * self.level_stride..(level + 1) * self.level_stride];
        (Points { x: &x[..n], y: &y[..n], z: &z[..n] }, out)
    }

    /// Zeroes the gradient of the positions.
    pub(super) fn trace_points(&mut self) {
        for d in &mut self.d_position {
            if d.is_empty() {
                *d = zeros(CAPACITY);
            }
            d.fill(0.0);
        }
    }

    /// Adds a level's share to the gradient of the positions.
    pub(super) fn trace_level(&mut self, isa: Isa, l: usize, level: &GridLevel, table: &[f32]) {
        let n = self.len.next_multiple_of(BLOCK);
        let [x, y, z] = &self.position;
        let points = Points { x: &x[..n], y: &y[..n], z: &z[..n] };
        let d_out = &self.encoded[l * self.level_stride..(l + 1) * self.level_stride];
        let [x, y, z] = &mut self.d_position;
        backward_positions(isa, level, table, points, self.len, d_out, [x, y, z]);
    }

    /// Adds what the rows of the encoding's gradient, left in `rows`, say to the gradient of the positions: of the
    /// coordinates and of the coarsest `octaves`.
    pub fn trace_rows(&mut self, isa: Isa, octaves: usize, stride: usize) {
        let n = self.len.next_multiple_of(BLOCK);
        let [x, y, z] = &self.position;
        let points = Points { x: &x[..n], y: &y[..n], z: &z[..n] };
        let [dx, dy, dz] = &mut self.d_position;
        frequency::backward_positions(isa, octaves, points, self.len, &self.rows, stride, [dx, dy, dz]);
    }

    /// Positions and the saliency logits, to be written.
    pub(super) fn points_and_logits(&mut self) -> (Points<'_>, &mut [f32]) {
        let n = self.len.next_multiple_of(BLOCK);
        let [x, y, z] = &self.position;
        (Points { x: &x[..n], y: &y[..n], z: &z[..n] }, &mut self.logit)
    }

    /// Features (or their gradients) of one level.
    pub fn level(&self, level: usize) -> &[f32] {
        &self.encoded[level * self.level_stride..(level + 1) * self.level_stride]
    }

    /// Features (or their gradients) of all levels, as [`Self::layout`] says.
    pub(super) fn encoded(&self) -> &[f32] {
        &self.encoded
    }

    /// Features (or their gradients) of all levels, to be written.
    pub(super) fn encoded_mut(&mut self) -> &mut [f32] {
        &mut self.encoded
    }

    /// How its levels lie, and rows of `row_stride`.
    pub(super) fn layout(&self, row_stride: usize) -> Layout {
        let features = (self.level_stride - PAD) / CAPACITY;
        let levels = self.encoded.len() / self.level_stride;
        Layout { levels, features, level_stride: self.level_stride, row_stride }
    }

    /// Starts over with no ray.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.stretches = None;
        self.len = 0;
    }

    /// Appends a stretch of `ray`'s samples. Positions are mapped from the render box of side `1 / shrink`
    /// centered at 0.5 to the unit cube.
    pub fn push(&mut self, index: u32, ray: &Ray, t: &[f32], dt: &[f32], shrink: f32) {
        let range = self.len..self.len + t.len();
        self.t[range.clone()].copy_from_slice(t);
        self.dt[range.clone()].copy_from_slice(dt);
        for axis in 0..3 {
            let o = (ray.origin[axis] - 0.5) * shrink + 0.5;
            let d = ray.direction[axis] * shrink;
            for (p, t) in self.position[axis][range.clone()].iter_mut().zip(t) {
                *p = (o + t * d).clamp(0.0, 1.0);
            }
        }
        self.spans.push(Span { ray: index, start: self.len as u32, len: t.len() as u32 });
        self.len = range.end;
    }

    /// Appends a stretch of another tile's samples, of the ray `index`, without their encodings.
    pub(super) fn append(&mut self, from: &Self, index: u32, range: Range<usize>) {
        let to = self.len..self.len + range.len();
        for (to_axis, from_axis) in self.position.iter_mut().zip(&from.position) {
            to_axis[to.clone()].copy_from_slice(&from_axis[range.clone()]);
        }
        self.t[to.clone()].copy_from_slice(&from.t[range.clone()]);
        self.dt[to.clone()].copy_from_slice(&from.dt[range.clone()]);
        self.logit[to.clone()].copy_from_slice(&from.logit[range.clone()]);
        match self.spans.last_mut() {
            Some(last) if last.ray == index => last.len += range.len() as u32,
            _ => self.spans.push(Span { ray: index, start: to.start as u32, len: range.len() as u32 }),
        }
        self.len = to.end;
    }

    /// Holds `positions` (of the unit cube) that belong to no ray.
    pub fn set_positions(&mut self, positions: [&[f32]; 3]) {
        self.clear();
        self.len = positions[0].len();
        for (to, from) in self.position.iter_mut().zip(positions) {
            to[..from.len()].copy_from_slice(from);
        }
        self.t[..self.len].fill(0.0);
        self.dt[..self.len].fill(0.0);
    }

    /// Keeps the samples that `keep` lists in ascending order, in front.
    pub fn compact(&mut self, keep: &[u32]) {
        let [x, y, z] = &mut self.position;
        for column in [x, y, z, &mut self.t, &mut self.dt] {
            for (to, from) in keep.iter().enumerate() {
                column[to] = column[*from as usize];
            }
        }
        self.len = keep.len();
    }
}
