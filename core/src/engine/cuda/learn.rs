//! The way forward and back for the samples that count, and the update.

use super::{CudaEngine, blocks};
use crate::engine::EngineError;
use crate::engine::step::Step;
use crate::gpu::params::{
    self, AdamParams, BackwardParams, ClampParams, CompositeParams, EncodeBackwardParams, FinishParams,
    LookUpBackwardParams, PenalizeParams, ShadeParams,
};
use crate::gpu::{Address, launch};

impl CudaEngine<'_> {
    /// The way forward and back for the samples that count, and the update.
    pub(super) fn learn(&mut self, step: &Step<'_>, rays: usize) -> Result<(), EngineError> {
        let poses = self.store.poses.clone();
        self.go_through(rays, true, poses.is_some())?;
        if let Some(poses) = &poses {
            self.learn_poses(poses, step.pose_levels, rays)?;
        }
        self.scatter(self.arena.capacity)?;
        self.update(step)
    }

    /// The way forward and back for the samples that count, through the cameras' colors or not, to the features and, where
    /// rays are traced, to the directions.
    pub(super) fn go_through(&mut self, rays: usize, colored: bool, traced: bool) -> Result<(), EngineError> {
        let most = self.arena.capacity;
        let shared = self.plan.shared_memory();
        let net = self.network(self.arena.kept(), self.arena.source);
        let given = ShadeParams { net, out: self.arena.shaded };
        self.run_network([params::SHADE_F16, params::SHADE_F32], most, shared.shade, &given)?;
        let (spread, colors) = (self.plan.spread, self.store.colors.as_ref().filter(|_| colored));
        let (knee, factor) = spread.scale.parts();
        let given = CompositeParams {
            rays: self.arena.rays,
            states: self.arena.states,
            step: self.arena.state(),
            samples: self.arena.samples(),
            source: self.arena.source,
            shaded: self.arena.shaded,
            targets: self.arena.targets,
            target_columns: self.plan.target_columns,
            has_distance: self.plan.has_distance.into(),
            penalty: self.plan.penalty,
            weight: self.plan.weight,
            distortion: spread.distortion,
            deviation: spread.depth,
            knee,
            factor,
            codes: colors.map_or(Address::default(), |piece| piece.weights),
            d_codes: colors.map_or(Address::default(), |piece| piece.grads),
            scale: self.arena.scale,
            d_shaded: self.arena.d_shaded,
            counters: self.arena.counters(),
        };
        self.run(params::COMPOSITE, rays, &given)?;
        let given = BackwardParams {
            net,
            d_out: self.arena.d_shaded,
            d_features: self.arena.d_features,
            d_logits: self.arena.d_logits,
            d_directions: if traced { self.arena.d_directions() } else { Address::default() },
            grads: self.store.networks.grads,
            counters: self.arena.counters(),
        };
        self.run_network([params::BACKWARD_F16, params::BACKWARD_F32], most, shared.backward, &given)
    }

    /// Sums of the tables' gradients.
    fn scatter(&mut self, most: usize) -> Result<(), EngineError> {
        let shape = &self.plan.shape;
        let kernel = match (self.plan.half, self.store.tables.half_grads) {
            (true, true) => params::ENCODE_BACKWARD_F16,
            (true, false) => params::ENCODE_BACKWARD_F16_TO_F32,
            _ => params::ENCODE_BACKWARD_F32,
        };
        let each = blocks(most, kernel.threads, self.gpu.processors());
        let given = EncodeBackwardParams {
            levels: self.levels,
            level_count: shape.levels,
            features: shape.level_features,
            blocks: each,
            pad: 0,
            positions: self.arena.positions(),
            capacity: self.arena.capacity as u64,
            range: self.arena.kept(),
            source: self.arena.source,
            d_features: self.arena.d_features,
            grads: self.store.tables.grads,
        };
        Ok(launch(&mut *self.gpu, kernel, each * shape.levels, 0, &given)?)
    }

    /// The optimiser's step of every piece.
    fn update(&mut self, step: &Step<'_>) -> Result<(), EngineError> {
        if let (Some(saliency), Some(grid), Some(_)) =
            (self.store.saliency.clone(), self.spec.saliency, step.pruning)
        {
            let given = LookUpBackwardParams {
                side: grid.side as u32,
                pad: 0,
                positions: self.arena.positions(),
                capacity: self.arena.capacity as u64,
                range: self.arena.kept(),
                source: self.arena.source,
                d_logits: self.arena.d_logits,
                grads: saliency.grads,
            };
            self.run(params::SALIENCY_BACKWARD, self.arena.capacity, &given)?;
            let given = PenalizeParams {
                grid: saliency.weights,
                grads: saliency.grads,
                count: saliency.count as u64,
                step: self.arena.state(),
                scale: self.arena.scale,
                counters: self.arena.counters(),
            };
            self.run(params::PENALIZE_SALIENCY, saliency.count, &given)?;
        }
        let still = self.store.saliency.as_ref().filter(|_| step.pruning.is_none()).map(|piece| piece.group);
        let pieces: Vec<_> =
            self.store.pieces().filter(|piece| Some(piece.group) != still).cloned().collect();
        for piece in pieces {
            let given = AdamParams {
                weights: piece.weights,
                copies: piece.copies,
                grads: piece.grads,
                half_grads: piece.half_grads.into(),
                scaled: piece.scaled.into(),
                packed: piece.packed,
                m: piece.m,
                v: piece.v,
                count: piece.count as u64,
                sparse: piece.sparse.into(),
                pad: 0,
                state: self.arena.group(piece.group.index()),
                average: piece.average,
                average_decay: self.store.decay.unwrap_or(0.0),
                pad2: 0,
                step: self.arena.state(),
                scale: self.arena.scale,
                counters: self.arena.counters(),
            };
            self.run(params::ADAM, piece.count, &given)?;
        }
        if let (Some(saliency), Some(grid)) = (self.store.saliency.clone(), self.spec.saliency) {
            let given = ClampParams {
                grid: saliency.weights,
                count: saliency.count as u64,
                limit: grid.limit,
                pad: 0,
                step: self.arena.state(),
                counters: self.arena.counters(),
            };
            self.run(params::CLAMP_SALIENCY, saliency.count, &given)?;
        }
        if self.plan.half {
            let given = FinishParams { scale: self.arena.scale, counters: self.arena.counters() };
            self.run(params::FINISH, 1, &given)?;
        }
        Ok(())
    }
}
