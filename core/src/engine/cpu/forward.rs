//! From positions to densities: tiles are encoded level by level, and probed.

use super::CpuEngine;
use super::encoder::Encoder;
use super::field::Field;
use super::pool::{Pool, lock};
use super::stage::Prepare;
use super::tile::{Probed, Tile};
use super::workspace::Workspace;
use crate::ops::composite::Carry;
use crate::ops::march::Ray;
use crate::ops::{hash_grid, saliency};
use rayon::prelude::*;
use std::ops::Range;

impl CpuEngine {
    /// Hands the current parameters to the stages.
    pub(super) fn prepare(&mut self) {
        let Self { params, spec, progress, field, .. } = self;
        for stage in &mut field.stages {
            stage.prepare(Prepare { params, precision: spec.precision, progress: *progress });
        }
    }

    /// Fills the encodings of some of the rounds' tiles, level by level. What has no tables is encoded where it is needed.
    pub(super) fn encode(&mut self, tiles: Range<usize>) {
        let (isa, params, field) = (self.isa, &self.params, &self.field);
        let share = tiles.len().div_ceil(self.pool.threads()).max(1);
        self.rounds.tiles[tiles].par_chunks_mut(share).for_each(|tiles| {
            if let Encoder::Grid { levels, blocks, .. } = &field.encoder {
                for (l, (level, block)) in levels.iter().zip(&params.blocks()[blocks.clone()]).enumerate() {
                    for tile in tiles.iter_mut() {
                        let (points, out) = tile.points_and_level(l);
                        hash_grid::forward_level(isa, level, &block.weight, points, out);
                    }
                }
            }
            if let Some(grid) = &field.saliency {
                let logits = params.weight(grid.block);
                for tile in tiles.iter_mut() {
                    let (points, out) = tile.points_and_logits();
                    saliency::forward(isa, grid.side, logits, points, out);
                }
            }
        });
    }

    /// Computes the densities of some of the rounds' tiles: which samples count, and what gets through behind them. Leaves
    /// their rows to the tiles.
    pub(super) fn probe(&mut self, tiles: Range<usize>) {
        let (field, workspaces) = (&self.field, &self.workspaces);
        let transmittance = &self.rounds.transmittance;
        self.rounds.tiles[tiles.clone()].par_iter_mut().for_each(|tile| {
            let ws = &mut *lock(&workspaces[Pool::worker()]);
            field.probe(ws, tile, transmittance);
            ws.leave_rows(tile);
            tile.probed.clear();
            tile.probed.extend(
                ws.spans
                    .iter()
                    .zip(&ws.behind)
                    .map(|(span, behind)| Probed { visible: span.len, transmittance: behind.transmittance }),
            );
        });
        self.rounds.note_probed(tiles);
    }
}

impl Field {
    /// The stages of a tile up to the densities; nothing is dropped. `transmittance`: per ray, what gets to the tile.
    pub(super) fn probe(&self, ws: &mut Workspace, tile: &Tile, transmittance: &[f32]) {
        ws.load(tile, &self.encoder);
        ws.carry.clear();
        ws.carry.extend(ws.spans.iter().map(|s| Carry { transmittance: transmittance[s.ray as usize] }));
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

impl Workspace {
    /// Looks up the tile's rays in the batch; nothing has been seen along them yet.
    pub(super) fn start_rays(&mut self, rays: &[Ray]) {
        self.direction.clear();
        self.direction.extend(self.spans.iter().map(|s| rays[s.ray as usize].direction));
        self.d_direction.clear();
        self.d_direction.resize(self.spans.len(), [0.0; 3]);
        self.carry.clear();
        self.carry.resize(self.spans.len(), Carry::default());
    }
}
