//! The viewing direction of every ray, as spherical harmonics.

use crate::engine::cpu::{Stage, Workspace};
use crate::ops::sh;

/// Writes the harmonics of each ray's direction into a slot with one row per ray.
#[derive(Debug)]
pub struct Directions {
    /// The slot; its columns (1, 4, 9 or 16) set the degree.
    pub output: usize,
    /// Whether the directions' gradient is asked for; the network that reads the slot must give its gradient then (see
    /// [`super::Mlp::with_ray_gradient`]).
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
            let rows = ws.direction.iter().zip(slot.grad.chunks_exact(slot.stride));
            ws.d_direction.extend(rows.map(|(d, row)| sh::backward(*d, &row[..slot.columns])));
        }
    }
}
