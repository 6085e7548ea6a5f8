//! The viewing direction of every ray, as spherical harmonics.

use crate::engine::cpu::stage::Stage;
use crate::engine::cpu::workspace::Workspace;
use crate::ops::sh;

/// Writes the harmonics of each ray's direction into a slot with one row per ray.
#[derive(Debug)]
pub(in crate::engine::cpu) struct Directions {
    /// The slot; its columns (1, 4, 9 or 16) set the degree.
    pub output: usize,
    /// Whether the directions' gradient is asked for; the networks that read the slot give its gradient then.
    pub gradient: bool,
}

impl Stage for Directions {
    fn forward(&self, ws: &mut Workspace) {
        let slot = &mut ws.slots[self.output];
        for (d, row) in ws.direction.iter().zip(slot.values.chunks_exact_mut(slot.stride)) {
            sh::encode(*d, &mut row[..slot.columns]);
        }
    }

    fn backward(&self, ws: &mut Workspace, _: &mut [f32]) {
        if self.gradient {
            let slot = &ws.slots[self.output];
            let rows = ws.d_direction.iter_mut().zip(&ws.direction).zip(slot.grad.chunks_exact(slot.stride));
            for ((sum, d), row) in rows {
                let d = sh::backward(*d, &row[..slot.columns]);
                *sum = std::array::from_fn(|a| sum[a] + d[a]);
            }
        }
    }
}
