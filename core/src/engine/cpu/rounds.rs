//! Marching in rounds: a few samples of every ray, then more of those that are not opaque yet.
//!
//! Two thirds of the samples along a ray that meets a surface lie behind it. They cannot be told from the others
//! before their densities are known, so rays are marched, encoded and probed a stretch at a time; what no ray
//! reaches is never encoded. Training then gathers the samples that count into tiles of whole rays.

use super::samples::Source;
use super::tile::{CAPACITY, Stretch};
use super::tiles::Tiles;
use crate::ops::march::{Live, Ray, Staged};
use rayon::prelude::*;
use std::ops::Range;

/// Rays that are marched by one task.
pub(super) const RAY_BLOCK: usize = 64;

/// Where the samples of one ray go in the tiles.
#[derive(Clone, Copy, Debug)]
struct Place {
    tile: u32,
    /// Position in the list of rays being marched.
    live: u32,
    /// First sample in the ray block's staged samples.
    start: u32,
}

/// Rays on their way, and the tiles of the rounds that they have made.
#[derive(Debug)]
pub(super) struct Rounds {
    /// Samples of the rounds, in the order of the rounds. Spans refer to rays.
    pub tiles: Tiles,
    /// What counts of them, ray by ray once [gathered](Self::gather).
    pub stretches: Vec<Stretch>,
    /// Per ray: the transmittance in front of its next sample.
    pub transmittance: Vec<f32>,
    live: Vec<Live>,
    staged: Vec<Staged>,
    places: Vec<Place>,
    /// Room to sort stretches in.
    sorted: Vec<Stretch>,
    /// Per ray: where its stretches go.
    starts: Vec<u32>,
}

impl Rounds {
    /// No ray, and `tiles` to fill.
    pub fn new(tiles: Tiles) -> Self {
        Self {
            tiles,
            stretches: Vec::new(),
            transmittance: Vec::new(),
            live: Vec::new(),
            staged: Vec::new(),
            places: Vec::new(),
            sorted: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// Starts over: all rays that meet the box, at its near side; nothing has been seen along any.
    pub fn start(&mut self, rays: &[Ray]) {
        self.tiles.clear();
        self.stretches.clear();
        self.transmittance.clear();
        self.transmittance.resize(rays.len(), 1.0);
        self.live.clear();
        let hits = (0..).zip(rays).filter(|(_, r)| r.near < r.far);
        self.live.extend(hits.map(|(ray, r)| Live { ray, from: r.near }));
    }

    /// Rays on their way.
    pub fn live(&self) -> usize {
        self.live.len()
    }

    /// Marches up to `limit` samples of every ray on its way and packs them into tiles behind those in use; positions
    /// are mapped by `shrink` (see [`Tile::push`](super::tile::Tile::push)). Returns the new tiles.
    pub fn march(&mut self, rays: &[Ray], source: &Source<'_>, limit: usize, shrink: f32) -> Range<usize> {
        let blocks = self.live.len().div_ceil(RAY_BLOCK);
        if self.staged.len() < blocks {
            self.staged.resize_with(blocks, Staged::default);
        }
        self.live.par_chunks_mut(RAY_BLOCK).zip(&mut self.staged).for_each(|(live, staged)| {
            staged.clear();
            source.march(rays, live, limit, staged);
        });
        self.pack(rays, shrink)
    }

    /// Packs the staged samples into tiles. Which ray goes where follows from the counts alone.
    fn pack(&mut self, rays: &[Ray], shrink: f32) -> Range<usize> {
        self.places.clear();
        let (mut tile, mut fill) = (0, 0);
        for (block, staged) in self.staged[..self.live.len().div_ceil(RAY_BLOCK)].iter().enumerate() {
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
        let new = self.tiles.extend(self.places.last().map_or(0, |p| p.tile as usize + 1));
        let (live, staged, places) = (&self.live, &self.staged, &self.places);
        self.tiles[new.clone()].par_iter_mut().enumerate().for_each(|(t, tile)| {
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

    /// Takes note of what was probed of the tiles of a round: which samples count, and what gets through behind them.
    pub fn note_probed(&mut self, tiles: Range<usize>) {
        for index in tiles {
            let tile = &self.tiles[index];
            for (span, probed) in tile.spans.iter().zip(&tile.probed) {
                self.transmittance[span.ray as usize] = probed.transmittance;
                let (ray, tile, start) = (span.ray, index as u32, span.start);
                self.stretches.push(Stretch { ray, tile, start, len: probed.visible, to: 0 });
            }
        }
    }

    /// Ends the rays that have left the box, and those of which less than `min_transmittance` gets through.
    pub fn end_rays(&mut self, min_transmittance: f32) {
        let transmittance = &self.transmittance;
        self.live.retain(|l| l.from.is_finite() && transmittance[l.ray as usize] >= min_transmittance);
    }

    /// Puts the stretches in the order of their rays, those of a ray in the order of the rounds: counts, then places.
    fn sort_stretches(&mut self) {
        self.starts.clear();
        self.starts.resize(self.transmittance.len() + 1, 0);
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

    /// Lists the samples that count, ray by ray, in `finals`.
    pub fn gather(&mut self, finals: &mut Tiles) {
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
        finals.clear();
        let used = finals.extend(if self.stretches.is_empty() { 0 } else { tile as usize + 1 });
        let (tiles, stretches) = (&self.tiles, &self.stretches);
        finals[used].par_iter_mut().enumerate().for_each(|(t, tile)| {
            let first = stretches.partition_point(|s| (s.to as usize) < t);
            let end = stretches.partition_point(|s| s.to as usize <= t);
            tile.stretches = Some(first..end);
            for s in &stretches[first..end] {
                tile.append(&tiles[s.tile as usize], s.ray, s.start as usize..(s.start + s.len) as usize);
            }
        });
    }
}
