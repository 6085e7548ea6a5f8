//! Forward passes: densities for the occupancy grid, and whole rays for pictures.

use super::batch::{BatchEngine, enter, lock};
use super::tile::Tile;
use super::{CAPACITY, Marcher, Pool, Prepare, Ray};
use crate::ops::composite::EXTRA;
use rayon::prelude::*;

/// Points whose densities are computed at a time.
const DENSITY_BATCH: usize = 256 * CAPACITY;

/// Rays that are rendered together.
const RENDER_BATCH: usize = 16_384;

/// Samples per ray in the first round of a picture; doubled in each later one.
const FIRST_ROUND: usize = 8;

impl BatchEngine {
    /// Densities at positions of the unit cube.
    pub(super) fn densities(&mut self, positions: [&[f32]; 3], out: &mut [f32]) {
        self.prepare();
        let mut at = 0;
        while at < out.len() {
            let n = DENSITY_BATCH.min(out.len() - at);
            let count = n.div_ceil(CAPACITY);
            self.reserve(count);
            self.used = count;
            self.tiles[..count].par_iter_mut().enumerate().for_each(|(i, tile)| {
                let from = at + i * CAPACITY;
                let range = from..(from + CAPACITY).min(at + n);
                tile.set_positions(positions.map(|axis| &axis[range.clone()]));
            });
            self.encode(0..count);
            let (field, workspaces) = (&self.field, &self.workspaces);
            let out = out[at..at + n].par_chunks_mut(CAPACITY);
            self.tiles[..count].par_iter().zip(out).for_each(|(tile, out)| {
                let mut ws = lock(&workspaces[Pool::worker()]);
                field.probe(&mut ws, tile, &[]);
                out.copy_from_slice(&ws.sigma[..out.len()]);
            });
            at += n;
        }
    }

    /// Renders rays in rounds of samples, so that what a surface hides is never encoded.
    pub(super) fn rounds(&mut self, rays: &[Ray], marcher: &dyn Marcher, cut: f32, out: &mut [f32]) {
        self.prepare();
        let width = self.field.channels + EXTRA;
        out.fill(0.0);
        for (rays, out) in rays.chunks(RENDER_BATCH).zip(out.chunks_mut(RENDER_BATCH * width)) {
            self.rays.clear();
            self.rays.extend_from_slice(rays);
            let mut live = self.set_out();
            let mut limit = FIRST_ROUND;
            while !live.is_empty() {
                self.used = 0;
                let tiles = self.march_round(&mut live, marcher, limit);
                self.encode(tiles);
                self.shade(out);
                let through = &self.through;
                live.retain(|l| l.from.is_finite() && through[l.ray as usize] >= cut);
                limit = (2 * limit).min(64);
            }
            self.live = live;
        }
    }

    /// Takes the tiles through all stages and adds what they show to the rays' outputs.
    fn shade(&mut self, out: &mut [f32]) {
        let (field, workspaces, rays, through) = (&self.field, &self.workspaces, &self.rays, &self.through);
        let width = field.channels + EXTRA;
        self.tiles[..self.used].par_iter_mut().for_each(|tile| {
            let ws = &mut *lock(&workspaces[Pool::worker()]);
            ws.load(tile, field.input);
            enter(ws, rays);
            for (carry, span) in ws.carry.iter_mut().zip(&ws.spans) {
                carry.transmittance = through[span.ray as usize];
            }
            field.stages.iter().for_each(|s| s.forward(ws));
            tile.shown.clear();
            tile.shown.extend_from_slice(&ws.out[..ws.spans.len() * width]);
            tile.kept.clear();
            tile.kept.extend(ws.carry.iter().map(|carry| (0, carry.transmittance)));
        });
        for tile in &self.tiles[..self.used] {
            let shown = tile.spans.iter().zip(&tile.kept).zip(tile.shown.chunks_exact(width));
            for ((span, (_, through)), shown) in shown {
                self.through[span.ray as usize] = *through;
                let out = &mut out[span.ray as usize * width..(span.ray as usize + 1) * width];
                out.iter_mut().zip(shown).for_each(|(o, v)| *o += v);
            }
        }
    }

    /// Hands the current parameters to the stages.
    pub(super) fn prepare(&mut self) {
        let Self { params, precision, progress, .. } = self;
        for stage in &mut self.field.stages {
            stage.prepare(Prepare { params, precision: *precision, progress: *progress });
        }
    }

    /// Makes room for `tiles` tiles.
    pub(super) fn reserve(&mut self, tiles: usize) {
        if self.tiles.len() < tiles {
            let grid = &self.field.grid;
            self.tiles.resize_with(tiles, || Tile::new(grid.levels.len(), grid.features));
        }
    }
}
