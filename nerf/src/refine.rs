//! Learning about the training cameras, step by step: their rates, and what all have in common.

use crate::cameras::{COLOR_GROUP, centre};
use crate::trainer::Trainer;
use nerve_core::engine::EngineError;
use nerve_core::ops::affine_color;

impl Trainer {
    /// Sets the cameras' learning rates for a step.
    pub(crate) fn prepare_cameras(&mut self, progress: f64) {
        let config = self.config();
        let rate = f64::from(config.train.lr) * config.schedule.factor(progress);
        let poses = config.cameras.pose_group_at(progress, rate);
        let engine = &mut self.model.engine;
        let (layout, handles) = (&engine.layout().params, &engine.layout().handles);
        let group = |block: Option<_>| block.map(|block| layout.group_of(block));
        for (group, settings) in [(group(handles.poses), poses), (group(handles.colors), COLOR_GROUP)] {
            if let Some(group) = group {
                engine.set_group(group, settings);
            }
        }
    }

    /// Takes out of what a step has learned about cameras what all of them have in common.
    pub(crate) fn anchor_cameras(&mut self) -> Result<(), EngineError> {
        let model = &mut self.model;
        model.read_cameras()?;
        let handles = &model.engine.layout().handles;
        let (poses, colors) = (handles.poses, handles.colors);
        if let Some((block, values)) = poses.zip(model.learnt.poses.as_mut()) {
            self.gauge.remove(values);
            model.engine.write(block, values)?;
        }
        if let Some((block, values)) = colors.zip(model.learnt.colors.as_mut()) {
            centre(values, affine_color::VALUES);
            model.engine.write(block, values)?;
        }
        Ok(())
    }
}
