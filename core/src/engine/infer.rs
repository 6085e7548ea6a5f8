//! Forward passes: densities for the occupancy grid, and whole rays for pictures.

use super::batch::{BatchEngine, RAY_BLOCK, enter, lock};
use super::tile::{Staged, Tile};
use super::{CAPACITY, Marcher, Pool, Ray};
use crate::ops::composite::{Carry, EXTRA};
use rayon::prelude::*;

/// Points whose densities are computed at a time.
const DENSITY_BATCH: usize = 256 * CAPACITY;

/// Rays that are rendered together.
const RENDER_BATCH: usize = 16_384;

/// Samples per ray in the first round of rendering; doubled in each later one. A surface ends most rays early.
const FIRST_ROUND: usize = 8;

/// A ray that is being rendered.
#[derive(Clone, Copy, Debug)]
struct Live {
    ray: u32,
    from: f32,
    carry: Carry,
}

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
            self.encode();
            let (field, workspaces) = (&self.field, &self.workspaces);
            let out = out[at..at + n].par_chunks_mut(CAPACITY);
            self.tiles[..count].par_iter().zip(out).for_each(|(tile, out)| {
                let mut ws = lock(&workspaces[Pool::worker()]);
                ws.load(tile, field.input, field.grid.features);
                enter(&mut ws, &[]);
                for stage in &field.stages {
                    stage.forward(&mut ws);
                    if stage.decides_density() {
                        break;
                    }
                }
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
            let mut live: Vec<Live> = (0..)
                .zip(rays)
                .filter(|(_, r)| r.near < r.far)
                .map(|(ray, r)| Live { ray, from: r.near, carry: Carry::default() })
                .collect();
            let mut limit = FIRST_ROUND;
            while !live.is_empty() {
                self.round(&mut live, marcher, limit, out);
                live.retain(|l| l.from.is_finite() && l.carry.transmittance >= cut);
                limit = (2 * limit).min(64);
            }
        }
    }

    /// The next `limit` samples of every live ray.
    fn round(&mut self, live: &mut [Live], marcher: &dyn Marcher, limit: usize, out: &mut [f32]) {
        let blocks = live.len().div_ceil(RAY_BLOCK);
        if self.staged.len() < blocks {
            self.staged.resize_with(blocks, Staged::default);
        }
        let rays = &self.rays;
        live.par_chunks_mut(RAY_BLOCK).zip(&mut self.staged).for_each(|(live, staged)| {
            staged.samples.clear();
            staged.counts.clear();
            for l in live {
                let before = staged.samples.t.len();
                l.from = marcher.march(&rays[l.ray as usize], l.from, limit, &mut staged.samples);
                staged.counts.push((staged.samples.t.len() - before) as u32);
            }
        });
        // Spans refer to places in `live`, and through them to rays.
        let places: &[Live] = live;
        self.pack(blocks, |place| places[place].ray as usize);
        self.encode();
        let (field, workspaces, rays) = (&self.field, &self.workspaces, &self.rays);
        let width = field.channels + EXTRA;
        let state: Vec<Carry> = {
            let mut by_ray = vec![Carry::default(); rays.len()];
            live.iter().for_each(|l| by_ray[l.ray as usize] = l.carry);
            by_ray
        };
        let results: Vec<Vec<(u32, Carry, [f32; 16])>> = self.tiles[..self.used]
            .par_iter()
            .map(|tile: &Tile| {
                let mut ws = lock(&workspaces[Pool::worker()]);
                ws.load(tile, field.input, field.grid.features);
                enter(&mut ws, rays);
                for i in 0..ws.spans.len() {
                    ws.carry[i] = state[ws.spans[i].ray as usize];
                }
                field.stages.iter().for_each(|s| s.forward(&mut ws));
                let result = |(i, (span, carry)): (usize, (&super::Span, &Carry))| {
                    let mut row = [0.0; 16];
                    row[..width].copy_from_slice(&ws.out[i * width..(i + 1) * width]);
                    (span.ray, *carry, row)
                };
                ws.spans.iter().zip(&ws.carry).enumerate().map(result).collect()
            })
            .collect();
        let mut carry = state;
        for (ray, c, row) in results.into_iter().flatten() {
            carry[ray as usize] = c;
            let out = &mut out[ray as usize * width..(ray as usize + 1) * width];
            out.iter_mut().zip(row).for_each(|(o, v)| *o += v);
        }
        live.iter_mut().for_each(|l| l.carry = carry[l.ray as usize]);
    }

    /// Hands the current parameters to the stages.
    pub(super) fn prepare(&mut self) {
        for stage in &mut self.field.stages {
            stage.prepare(&self.params);
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
