//! The viewing direction of every ray, as spherical harmonics or by frequencies.

use crate::engine::cpu::stage::Stage;
use crate::engine::cpu::tile::CAPACITY;
use crate::engine::cpu::workspace::Workspace;
use crate::ops::hash_grid::Points;
use crate::ops::{frequency, sh};

/// Writes each ray's direction, encoded, into a slot with one row per ray.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Directions {
    /// The slot; of harmonics, its columns (1, 4, 9 or 16) set the degree.
    pub output: usize,
    /// The octaves of frequencies; none for harmonics.
    pub octaves: Option<usize>,
    /// Whether the directions' gradient is asked for; the networks that read the slot give its gradient then.
    pub gradient: bool,
}

/// Directions as points of the unit cube, an axis after the other: a component from -1 to 1 is one from 0 to 1 there.
fn points(directions: &[[f32; 3]]) -> [[f32; CAPACITY]; 3] {
    let mut points = [[0.5; CAPACITY]; 3];
    for (i, d) in directions.iter().enumerate() {
        (0..3).for_each(|axis| points[axis][i] = 0.5 * d[axis] + 0.5);
    }
    points
}

impl Stage for Directions {
    fn forward(&self, ws: &mut Workspace) {
        let slot = &mut ws.slots[self.output];
        if let Some(octaves) = self.octaves {
            let [x, y, z] = &points(&ws.direction);
            let n = ws.direction.len();
            frequency::forward(ws.isa, octaves, Points { x, y, z }, n, &mut slot.values, slot.stride);
            return;
        }
        for (d, row) in ws.direction.iter().zip(slot.values.chunks_exact_mut(slot.stride)) {
            sh::encode(*d, &mut row[..slot.columns]);
        }
    }

    fn backward(&self, ws: &mut Workspace, _: &mut [f32]) {
        if !self.gradient {
            return;
        }
        let slot = &ws.slots[self.output];
        if let Some(octaves) = self.octaves {
            let [x, y, z] = &points(&ws.direction);
            let mut d = [[0.0; CAPACITY]; 3];
            let [dx, dy, dz] = &mut d;
            let n = ws.direction.len();
            let points = Points { x, y, z };
            frequency::backward_positions(ws.isa, octaves, points, n, &slot.grad, slot.stride, [dx, dy, dz]);
            for (i, sum) in ws.d_direction.iter_mut().enumerate() {
                (0..3).for_each(|axis| sum[axis] += 0.5 * d[axis][i]);
            }
            return;
        }
        let rows = ws.d_direction.iter_mut().zip(&ws.direction).zip(slot.grad.chunks_exact(slot.stride));
        for ((sum, d), row) in rows {
            let d = sh::backward(*d, &row[..slot.columns]);
            *sum = std::array::from_fn(|a| sum[a] + d[a]);
        }
    }
}
