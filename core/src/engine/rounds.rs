//! Marching in rounds: a few samples of every ray, then more of those that are not opaque yet.
//!
//! Two thirds of the samples along a ray that meets a surface lie behind it. They cannot be told from the others
//! before their densities are known, so rays are marched, encoded and probed a stretch at a time; what no ray
//! reaches is never encoded. Training then gathers the samples that count into tiles of whole rays.

use super::batch::{BatchEngine, RAY_BLOCK, lock};
use super::layout::FieldLayout;
use super::sampler::{Live, Marcher, Staged};
use super::tile::{CAPACITY, Tile};
use super::{Pool, Workspace};
use crate::ops::composite::Carry;
use crate::ops::hash_grid;
use rayon::prelude::*;
use std::ops::Range;

/// Samples per ray and round of training. Fewer find the surface sooner, more need fewer phases.
const ROUND: usize = 8;

/// Samples that a round should have at least, all rays together.
const ROUND_SAMPLES: usize = 8192;

/// A stretch of a ray's samples that counts, in one of the rounds' tiles.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    ray: u32,
    /// Where it is: the tile and its first sample there.
    pub tile: u32,
    pub start: u32,
    pub len: u32,
    /// The final tile it goes to.
    to: u32,
}

/// Where the samples of one ray go in the tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    tile: u32,
    /// Position in the list of rays being marched.
    live: u32,
    /// First sample in the ray block's staged samples.
    start: u32,
}

impl BatchEngine {
    /// All rays that meet the box, at its near side; nothing has been seen along any. The list goes back to
    /// `self.live`, for its memory.
    pub(super) fn set_out(&mut self) -> Vec<Live> {
        self.through.clear();
        self.through.resize(self.rays.len(), 1.0);
        let mut live = std::mem::take(&mut self.live);
        live.clear();
        let hits = (0..).zip(&self.rays).filter(|(_, r)| r.near < r.far);
        live.extend(hits.map(|(ray, r)| Live { ray, from: r.near }));
        live
    }

    /// Marches up to `limit` samples of every ray in `live` and packs them into tiles behind those in use.
    /// Spans refer to rays. Returns the new tiles.
    pub(super) fn march_round(
        &mut self,
        live: &mut [Live],
        marcher: &dyn Marcher,
        limit: usize,
    ) -> Range<usize> {
        let blocks = live.len().div_ceil(RAY_BLOCK);
        if self.staged.len() < blocks {
            self.staged.resize_with(blocks, Staged::default);
        }
        let rays = &self.rays;
        live.par_chunks_mut(RAY_BLOCK).zip(&mut self.staged).for_each(|(live, staged)| {
            staged.clear();
            marcher.march(rays, live, limit, staged);
        });
        self.pack(live)
    }

    /// Packs the staged samples into tiles. Which ray goes where follows from the counts alone.
    fn pack(&mut self, live: &[Live]) -> Range<usize> {
        self.places.clear();
        let (mut tile, mut fill) = (0, 0);
        for (block, staged) in self.staged[..live.len().div_ceil(RAY_BLOCK)].iter().enumerate() {
            let mut start = 0;
            for (i, count) in staged.counts.iter().enumerate().filter(|(_, c)| **c > 0) {
                if fill + *count as usize > CAPACITY {
                    (tile, fill) = (tile + 1, 0);
                }
                fill += *count as usize;
                self.places.push(Place { tile, live: (block * RAY_BLOCK + i) as u32, start });
                start += count;
            }
        }
        let new = self.used..self.used + self.places.last().map_or(0, |p| p.tile as usize + 1);
        self.reserve(new.end);
        self.used = new.end;
        let (rays, staged, shrink, places) = (&self.rays, &self.staged, self.field.shrink, &self.places);
        self.tiles[new.clone()].par_iter_mut().enumerate().for_each(|(t, tile)| {
            tile.clear();
            let first = places.partition_point(|p| (p.tile as usize) < t);
            for place in places[first..].iter().take_while(|p| p.tile as usize == t) {
                let at = place.live as usize;
                let Staged { samples, counts, .. } = &staged[at / RAY_BLOCK];
                let range = place.start as usize..(place.start + counts[at % RAY_BLOCK]) as usize;
                let ray = live[at].ray;
                tile.push(ray, &rays[ray as usize], &samples.t[range.clone()], &samples.dt[range], shrink);
            }
        });
        new
    }

    /// Fills the encodings of some tiles, level by level.
    pub(super) fn encode(&mut self, tiles: Range<usize>) {
        let (isa, params, FieldLayout { grid, saliency, .. }) = (self.isa, &self.params, &self.field);
        let share = tiles.len().div_ceil(self.pool.threads()).max(1);
        self.tiles[tiles].par_chunks_mut(share).for_each(|tiles| {
            for (l, (level, block)) in grid.levels.iter().zip(grid.blocks.clone()).enumerate() {
                for tile in tiles.iter_mut() {
                    let (points, out) = tile.points_and_level(l);
                    hash_grid::forward_level(isa, level, params.weight(block), points, out);
                }
            }
            if let Some(saliency) = saliency {
                let grid = params.weight(saliency.block);
                for tile in tiles.iter_mut() {
                    let (points, out) = tile.points_and_logits();
                    crate::ops::saliency::forward(isa, saliency.side, grid, points, out);
                }
            }
        });
    }

    /// Marches all of `live` to where less than `cut` gets through, and leaves the samples that count, whole rays
    /// together, in `self.finals`. Returns the number of samples encoded.
    pub(super) fn march_to_surface(
        &mut self,
        live: &mut Vec<Live>,
        marcher: &dyn Marcher,
        cut: f32,
    ) -> usize {
        self.stretches.clear();
        let (mut budget, mut samples) = (CAPACITY, 0);
        while !live.is_empty() && budget > 0 {
            // A few rays that are left take longer steps: a phase should be worth its start.
            let limit = ROUND.max(ROUND_SAMPLES / live.len()).min(budget);
            let tiles = self.march_round(live, marcher, limit);
            samples += self.tiles[tiles.clone()].iter().map(|t| t.len).sum::<usize>();
            self.encode(tiles.clone());
            self.probe(tiles);
            let through = &self.through;
            live.retain(|l| l.from.is_finite() && through[l.ray as usize] >= cut);
            budget -= limit;
        }
        self.gather();
        samples
    }

    /// Computes densities of some tiles: notes which samples count, and what gets through behind them.
    fn probe(&mut self, tiles: Range<usize>) {
        let (field, workspaces, through) = (&self.field, &self.workspaces, &self.through);
        self.tiles[tiles.clone()].par_iter_mut().for_each(|tile| {
            let ws = &mut *lock(&workspaces[Pool::worker()]);
            field.probe(ws, tile, through);
            ws.leave_rows(tile, field.input);
            tile.kept.clear();
            tile.kept.extend(ws.spans.iter().zip(&ws.behind).map(|(s, b)| (s.len, b.transmittance)));
        });
        for index in tiles {
            let tile = &self.tiles[index];
            for (span, (len, behind)) in tile.spans.iter().zip(&tile.kept) {
                self.through[span.ray as usize] = *behind;
                self.stretches.push(Stretch {
                    ray: span.ray,
                    tile: index as u32,
                    start: span.start,
                    len: *len,
                    to: 0,
                });
            }
        }
    }

    /// Puts the stretches in the order of their rays, those of a ray in the order of the rounds: counts, then places.
    fn sort_stretches(&mut self) {
        self.starts.clear();
        self.starts.resize(self.rays.len() + 1, 0);
        for s in &self.stretches {
            self.starts[s.ray as usize + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut self.starts {
            sum += *start;
            *start = sum;
        }
        self.sorted.clear();
        self.sorted.resize(self.stretches.len(), Stretch::default());
        for s in &self.stretches {
            let start = &mut self.starts[s.ray as usize];
            self.sorted[*start as usize] = *s;
            *start += 1;
        }
        std::mem::swap(&mut self.stretches, &mut self.sorted);
    }

    /// Lists the samples that count, ray by ray, in `self.finals`.
    fn gather(&mut self) {
        self.sort_stretches();
        let (mut tile, mut fill) = (0, 0);
        for ray in self.stretches.chunk_by_mut(|a, b| a.ray == b.ray) {
            let count: usize = ray.iter().map(|s| s.len as usize).sum();
            if fill + count > CAPACITY {
                (tile, fill) = (tile + 1, 0);
            }
            fill += count;
            ray.iter_mut().for_each(|s| s.to = tile);
        }
        let used = if self.stretches.is_empty() { 0 } else { tile as usize + 1 };
        let grid = &self.field.grid;
        if self.finals.len() < used {
            self.finals.resize_with(used, || Tile::new(grid.levels.len(), grid.features));
        }
        let (tiles, stretches) = (&self.tiles, &self.stretches);
        self.finals[..used].par_iter_mut().enumerate().for_each(|(t, tile)| {
            tile.clear();
            let first = stretches.partition_point(|s| (s.to as usize) < t);
            let end = stretches.partition_point(|s| s.to as usize <= t);
            tile.stretches = Some(first..end);
            for s in &stretches[first..end] {
                tile.append(&tiles[s.tile as usize], s.ray, s.start as usize..(s.start + s.len) as usize);
            }
        });
        self.used = used;
    }
}

impl FieldLayout {
    /// The stages of a tile up to the densities; nothing is dropped. `through`: per ray, what gets to the tile.
    pub(super) fn probe(&self, ws: &mut Workspace, tile: &Tile, through: &[f32]) {
        ws.load(tile, self.input);
        ws.carry.clear();
        ws.carry.extend(ws.spans.iter().map(|s| Carry { transmittance: through[s.ray as usize] }));
        ws.probing = true;
        for stage in &self.stages {
            stage.forward(ws);
            if stage.decides_density() {
                break;
            }
        }
        ws.probing = false;
    }
}
