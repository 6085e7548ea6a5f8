//! Learning about the training cameras, step by step: their rates, where their rays start, what all have in common.

use crate::cameras::{COLOR_RATE, COLORS, POSES, centre};
use crate::trainer::Trainer;
use nerve_core::engine::TrainEngine;
use nerve_core::ops::affine_color;

impl Trainer {
    /// Sets the cameras' learning rates for a step, and casts its rays from where they are now.
    pub(crate) fn prepare_cameras(&mut self, progress: f64) {
        let config = self.config();
        let rate = f64::from(config.train.lr) * config.schedule.factor(progress);
        let [pose, pull] = config.cameras.pose_group_at(progress, rate);
        for group in &mut self.model.engine.params_mut().groups {
            match group.name.as_str() {
                POSES => (group.rate, group.decay) = (pose, pull),
                COLORS => group.rate = COLOR_RATE,
                _ => {}
            }
        }
        if let Some(poses) = self.model.poses() {
            self.views.correct(poses);
        }
    }

    /// Takes out of what a step has learnt about cameras what all of them have in common.
    pub(crate) fn anchor_cameras(&mut self) {
        let gauge = &self.gauge;
        let (blocks, _) = self.model.engine.params_mut().split();
        for block in blocks {
            match block.spec.name.as_str() {
                POSES => gauge.remove(&mut block.weight),
                COLORS => centre(&mut block.weight, affine_color::VALUES),
                _ => {}
            }
        }
    }
}
