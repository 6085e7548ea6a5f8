//! Forward passes: densities for the occupancy grid, and whole rays for pictures.

use super::CpuEngine;
use super::pool::{Pool, lock};
use super::samples::Source;
use super::tile::{CAPACITY, Probed};
use super::workspace::Workspace;
use crate::engine::SampleSource;
use crate::field::SlotId;
use crate::ops::march::Ray;
use rayon::prelude::*;

/// Points whose densities are computed at a time.
pub(super) const DENSITY_BATCH: usize = 256 * CAPACITY;

/// Rays that are rendered together.
const RENDER_BATCH: usize = 16_384;

/// Samples per ray in the first rounds of a picture, how many rounds have as many, and the most in a round: what is marched
/// at a time and lies behind a surface is for nothing, and rays that go on for long are few. How long a round is depends on
/// nothing else, so that a ray looks the same among any others.
const ROUND: usize = 8;
const EQUAL_ROUNDS: usize = 6;
const LONGEST_ROUND: usize = 64;

/// Samples of a picture that weigh less than this have no color of their own (see [`gather`]): far less than half of
/// what 8 bits resolve.
///
/// [`gather`]: crate::ops::composite::gather
const FAINT: f32 = 2e-4;

impl CpuEngine {
    /// Densities at positions of the unit cube.
    pub(super) fn densities(&mut self, positions: [&[f32]; 3], out: &mut [f32]) {
        self.probes(positions, 1, out, |ws, out| out.copy_from_slice(&ws.sigma[..out.len()]));
    }

    /// The rows of a slot there.
    pub(super) fn rows(&mut self, positions: [&[f32]; 3], slot: SlotId, out: &mut [f32]) {
        let columns = self.spec.columns(slot);
        self.probes(positions, columns, out, |ws, out| {
            let slot = &ws.slots[slot.0];
            for (out, row) in out.chunks_exact_mut(columns).zip(slot.values.chunks_exact(slot.stride)) {
                out.copy_from_slice(&row[..columns]);
            }
        });
    }

    /// Takes positions through the stages up to the densities, and gives what `read` finds there: `width` values each.
    fn probes(
        &mut self,
        positions: [&[f32]; 3],
        width: usize,
        out: &mut [f32],
        read: impl Fn(&Workspace, &mut [f32]) + Sync,
    ) {
        self.prepare();
        let (mut at, all) = (0, out.len() / width);
        while at < all {
            let n = DENSITY_BATCH.min(all - at);
            self.rounds.tiles.clear();
            let tiles = self.rounds.tiles.extend(n.div_ceil(CAPACITY));
            self.rounds.tiles.par_iter_mut().enumerate().for_each(|(i, tile)| {
                let from = at + i * CAPACITY;
                let range = from..(from + CAPACITY).min(at + n);
                tile.set_positions(positions.map(|axis| &axis[range.clone()]));
            });
            self.encode(tiles);
            let (field, workspaces) = (&self.field, &self.workspaces);
            let out = out[at * width..(at + n) * width].par_chunks_mut(CAPACITY * width);
            self.rounds.tiles.par_iter().zip(out).for_each(|(tile, out)| {
                let mut ws = lock(&workspaces[Pool::worker()]);
                field.probe(&mut ws, tile, &[]);
                read(&ws, out);
            });
            at += n;
        }
    }

    /// Renders rays in rounds of samples, so that what a surface hides is never encoded.
    pub(super) fn render_rays(
        &mut self,
        rays: &[Ray],
        samples: SampleSource<'_>,
        min_transmittance: f32,
        out: &mut [f32],
    ) {
        self.prepare();
        let width = self.field.outputs.width();
        out.fill(0.0);
        let batches = rays.chunks(RENDER_BATCH).zip(out.chunks_mut(RENDER_BATCH * width));
        for (batch, (rays, out)) in batches.enumerate() {
            let source = Source { isa: self.isa, samples, first: batch * RENDER_BATCH };
            self.rounds.start(rays);
            let mut round = 0;
            while self.rounds.live() > 0 {
                let limit = LONGEST_ROUND.min(ROUND << (round / EQUAL_ROUNDS).min(16));
                round += 1;
                self.rounds.tiles.clear();
                let tiles = self.rounds.march(rays, &source, limit, self.field.shrink);
                self.encode(tiles);
                self.render_tiles(rays, FAINT.min(0.1 * min_transmittance), out);
                self.rounds.end_rays(min_transmittance);
            }
        }
    }

    /// Takes the rounds' tiles through all stages and adds what they show to the rays' outputs; what weighs less than
    /// `faint` has no color of its own.
    fn render_tiles(&mut self, rays: &[Ray], faint: f32, out: &mut [f32]) {
        let (field, workspaces, transmittance) =
            (&self.field, &self.workspaces, &mut self.rounds.transmittance);
        let width = field.outputs.width();
        self.rounds.tiles.par_iter_mut().for_each(|tile| {
            let ws = &mut *lock(&workspaces[Pool::worker()]);
            ws.load(tile, &field.encoder);
            ws.start_rays(rays);
            ws.faint = faint;
            for (carry, span) in ws.carry.iter_mut().zip(&ws.spans) {
                carry.transmittance = transmittance[span.ray as usize];
            }
            field.stages.iter().for_each(|s| s.forward(ws));
            ws.faint = 0.0;
            tile.output.clear();
            tile.output.extend_from_slice(&ws.out[..ws.spans.len() * width]);
            tile.probed.clear();
            let behind = ws.spans.iter().zip(&ws.carry);
            tile.probed
                .extend(behind.map(|(span, c)| Probed { visible: span.len, transmittance: c.transmittance }));
        });
        for tile in self.rounds.tiles.iter() {
            let spans = tile.spans.iter().zip(&tile.probed).zip(tile.output.chunks_exact(width));
            for ((span, probed), shown) in spans {
                transmittance[span.ray as usize] = probed.transmittance;
                let out = &mut out[span.ray as usize * width..(span.ray as usize + 1) * width];
                out.iter_mut().zip(shown).for_each(|(o, v)| *o += v);
            }
        }
    }
}
