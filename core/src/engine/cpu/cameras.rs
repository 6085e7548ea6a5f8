//! What rays say about the cameras they come from.

use super::CpuEngine;
use super::encoder::{ENCODING, Encoder};
use super::workspace::SlotPlan;
use crate::ops::rigid::{cross, turn_gradient};
use rayon::prelude::*;

impl CpuEngine {
    /// Adds to the gradients of what is learnt about cameras: after the stages, before the tables move. Sums run over
    /// the rays in the order of the tiles, in f64. Poses hear of the `levels` coarsest levels or octaves of the encoding.
    pub(super) fn update_cameras(&mut self, levels: usize) {
        if let Some(block) = self.field.poses {
            let count = self.params.weight(block).len() / 6;
            let mut sums = std::mem::take(&mut self.poses);
            sums.clear();
            sums.resize(count, [0.0; 6]);
            self.trace_poses(levels, &mut sums);
            let rows = sums.iter().zip(self.params.weight(block).as_chunks::<6>().0);
            self.gradient.clear();
            for ([x, y, z, shift @ ..], row) in rows {
                self.gradient.extend(turn_gradient(row, [*x, *y, *z]).iter().chain(shift).map(|g| *g as f32));
            }
            self.params.grad(block).copy_from_slice(&self.gradient);
            self.poses = sums;
        }
        if let Some(block) = self.field.colors {
            self.colors.clear();
            self.colors.resize(self.params.weight(block).len(), 0.0);
            for tile in self.finals.iter() {
                for (span, d) in tile.spans.iter().zip(&tile.d_color) {
                    let camera = self.rays[span.ray as usize].camera as usize;
                    let sums = &mut self.colors[camera * d.len()..(camera + 1) * d.len()];
                    sums.iter_mut().zip(d).for_each(|(sum, d)| *sum += f64::from(*d));
                }
            }
            let grad = self.params.grad(block);
            grad.iter_mut().zip(&self.colors).for_each(|(grad, sum)| *grad = *sum as f32);
        }
    }

    /// Adds the rays' gradients to the sums of their cameras: `d' x d_d'` and `d_o'`.
    pub(super) fn trace_poses(&mut self, levels: usize, sums: &mut [[f64; 6]]) {
        let (isa, params, field) = (self.isa, &self.params, &self.field);
        let stride = SlotPlan::stride(field.plan.columns(ENCODING));
        let share = self.finals.len().div_ceil(self.pool.threads()).max(1);
        self.finals.par_chunks_mut(share).for_each(|tiles| {
            tiles.iter_mut().for_each(|tile| tile.trace_points());
            match &field.encoder {
                Encoder::Grid { levels: all, blocks, .. } => {
                    let tables = all.iter().zip(&params.blocks()[blocks.clone()]).enumerate();
                    for (l, (level, block)) in tables.take(levels) {
                        for tile in tiles.iter_mut().filter(|tile| tile.len > 0) {
                            tile.trace_level(isa, l, level, &block.weight);
                        }
                    }
                }
                Encoder::Frequency { octaves } => {
                    for tile in tiles.iter_mut().filter(|tile| tile.len > 0) {
                        tile.trace_rows(isa, levels.min(*octaves), stride);
                    }
                }
            }
        });
        let shrink = self.field.shrink;
        for tile in self.finals.iter() {
            let [x, y, z] = &tile.d_position;
            for (span, d_direction) in tile.spans.iter().zip(&tile.d_direction) {
                let ray = &self.rays[span.ray as usize];
                let (mut origin, mut along) = ([0.0f32; 3], [0.0f32; 3]);
                for i in span.range() {
                    for (axis, d) in [x[i], y[i], z[i]].into_iter().enumerate() {
                        origin[axis] += d;
                        along[axis] += tile.t[i] * d;
                    }
                }
                let direction = std::array::from_fn(|a| shrink * along[a] + d_direction[a]);
                let moment = cross(ray.direction, direction);
                let sums = &mut sums[ray.camera as usize];
                for axis in 0..3 {
                    sums[axis] += f64::from(moment[axis]);
                    sums[3 + axis] += f64::from(shrink * origin[axis]);
                }
            }
        }
    }
}
