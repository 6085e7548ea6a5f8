//! The cameras' poses: corrections that move rays, and what rays say about them.

use super::CudaEngine;
use super::store::Piece;
use crate::engine::EngineError;
use crate::engine::step::{Poses, Step, StepStats};
use crate::gpu::params::{
    self, FinishParams, LossScale, PlaceCamerasParams, TracePointsParams, TraceRaysParams, TurnPosesParams,
};
use crate::gpu::{Address, Gpu, GpuError};
use crate::ops::rigid::VALUES;
use std::time::Instant;

/// Bytes of a correction as rays take it, and of a camera's sums.
const CORRECTION: usize = 48;
const SUMS: usize = 8 * VALUES;

/// How often the loss scale may be halved until no gradient of a trace breaks: from the largest scale to the least.
const TRIES: usize = 17;

/// What is kept for so many cameras beside what is learnt.
#[derive(Debug, Default)]
pub(super) struct CameraRoom {
    /// Corrections that are not learnt.
    rows: Address,
    corrections: Address,
    sums: Address,
    count: usize,
}

impl CameraRoom {
    /// Makes room for so many. What was there is gone.
    fn hold(&mut self, gpu: &mut dyn Gpu, count: usize) -> Result<(), GpuError> {
        if count <= self.count {
            return Ok(());
        }
        for (at, bytes) in
            [(&mut self.rows, 4 * VALUES), (&mut self.corrections, CORRECTION), (&mut self.sums, SUMS)]
        {
            gpu.free(std::mem::take(at));
            self.count = 0;
            *at = gpu.alloc(count * bytes)?;
        }
        self.count = count;
        Ok(())
    }
}

impl CudaEngine<'_> {
    /// Makes the corrections that move a draw's cameras: where they are, and how many.
    pub(super) fn move_cameras(&mut self, poses: Poses<'_>) -> Result<(Address, u32), EngineError> {
        let (rows, count) = match (poses, &self.store.poses) {
            (Poses::Given, _) | (Poses::Learnt, None) => return Ok((Address::default(), 0)),
            (Poses::Learnt, Some(learnt)) => (learnt.weights, learnt.count / VALUES),
            (Poses::Corrected(rows), _) => {
                self.cameras.hold(&mut *self.gpu, rows.len())?;
                self.gpu.upload(self.cameras.rows, bytemuck::cast_slice(rows))?;
                (self.cameras.rows, rows.len())
            }
        };
        self.cameras.hold(&mut *self.gpu, count)?;
        let corrections = self.cameras.corrections;
        let given = PlaceCamerasParams { rows, corrections, count: count as u32, pad: 0 };
        self.run(params::PLACE_CAMERAS, count, &given)?;
        Ok((corrections, count as u32))
    }

    /// Follows the loss from the features back to the rays, through the `levels` coarsest levels, and sums over each of
    /// `cameras` cameras' rays `d' x d_d'` and `d_o'`.
    fn trace_rays(&mut self, levels: usize, cameras: usize, rays: usize) -> Result<(), EngineError> {
        self.cameras.hold(&mut *self.gpu, cameras)?;
        self.gpu.clear(self.cameras.sums, cameras * SUMS)?;
        let (tables, shape) = (&self.store.tables, &self.plan.shape);
        let given = TracePointsParams {
            levels: self.levels,
            level_count: levels.min(shape.levels as usize) as u32,
            features: shape.level_features,
            tables: if self.plan.half { tables.copies } else { tables.weights },
            positions: self.arena.positions(),
            capacity: self.arena.capacity as u64,
            range: self.arena.kept(),
            source: self.arena.source,
            d_features: self.arena.d_features,
            out: self.arena.d_positions(),
        };
        let kernel = if self.plan.half { params::TRACE_POINTS_F16 } else { params::TRACE_POINTS_F32 };
        self.run(kernel, self.arena.capacity, &given)?;
        let given = TraceRaysParams {
            rays: self.arena.rays,
            states: self.arena.states,
            step: self.arena.state(),
            samples: self.arena.samples(),
            source: self.arena.source,
            d_positions: self.arena.d_positions(),
            d_directions: self.arena.d_directions(),
            shrink: 1.0 / self.spec.box_side,
            pad: 0,
            sums: self.cameras.sums,
        };
        self.run(params::TRACE_RAYS, rays, &given)
    }

    /// The gradients of the poses that are learnt.
    pub(super) fn learn_poses(
        &mut self,
        poses: &Piece,
        levels: usize,
        rays: usize,
    ) -> Result<(), EngineError> {
        let count = poses.count / VALUES;
        self.trace_rays(levels, count, rays)?;
        let (rows, sums, grads) = (poses.weights, self.cameras.sums, poses.grads);
        let given = TurnPosesParams { rows, sums, grads, count: count as u32, pad: 0 };
        self.run(params::TURN_POSES, count, &given)
    }

    /// The gradients of the poses, and nothing is learnt.
    pub(super) fn run_trace(
        &mut self,
        step: &Step<'_>,
        out: &mut [[f64; 6]],
    ) -> Result<StepStats, EngineError> {
        self.check(&step.batch, out.len())?;
        let (started, rays) = (Instant::now(), step.batch.rays());
        let mut tries = 0..TRIES;
        loop {
            self.enter(step)?;
            self.go_through(rays, false, true)?;
            self.trace_rays(step.pose_levels, out.len(), rays)?;
            let networks = &self.store.networks;
            self.gpu.clear(networks.grads, 4 * networks.count)?;
            let outcome = self.outcome()?;
            if outcome.counters.broken != 0 && self.plan.half && tries.next().is_some() {
                // The scale is halved.
                let given = FinishParams { scale: self.arena.scale, counters: self.arena.counters() };
                self.run(params::FINISH, 1, &given)?;
                continue;
            }
            let mut scale = LossScale::default();
            self.gpu.download(self.arena.scale, bytemuck::bytes_of_mut(&mut scale))?;
            self.gpu.download(self.cameras.sums, bytemuck::cast_slice_mut(out))?;
            let taken = rays.saturating_sub(outcome.counters.crowded_out as usize).max(1);
            let share = 1.0 / (f64::from(scale.scale) * taken as f64);
            out.as_flattened_mut().iter_mut().for_each(|sum| *sum *= share);
            return self.note(step, rays, &outcome, started);
        }
    }
}
