//! What a field's run has left: its model, and the photographs where these are there still.

use super::Remains;
use crate::context::Context;
use crate::evaluation::held_out;
use crate::nerf;
use crate::output::remark;
use crate::progress::Counter;
use crate::viewers::SCENES;
use nerve_core::run::{Cancel, Events, RunFolder};
use nerve_data::Scene;
use nerve_nerf::eval::{EvalOptions, evaluate};
use nerve_nerf::{Model, publish_cameras, publish_cells, publish_held_out, publish_surface};

/// A model, and its scene.
pub struct FieldRemains {
    model: Model,
    scene: Option<Scene>,
}

impl Remains for FieldRemains {
    const LAYOUT: &'static str = SCENES;

    fn open(context: &Context, run: &RunFolder) -> anyhow::Result<Self> {
        let mut model = Model::open_run(run, &nerf::looking(context, false)?)?;
        let scene = nerf::scene_of(context, &mut model, Some(run), &run.checkpoint_path());
        let scene = scene
            .map_err(|error| remark(format_args!("showing the run without photographs: {error:#}")))
            .ok();
        if model.capture().views.is_empty() {
            remark(
                "showing the run without cameras: it was saved by an earlier nerve, which kept them only in the scene",
            );
        }
        Ok(Self { model, scene })
    }

    fn introduce(&self, events: &Events) {
        publish_cameras(self.model.capture(), self.scene.as_ref(), events);
    }

    fn show(&mut self, events: &Events, cancel: &Cancel) -> anyhow::Result<()> {
        let Self { model, scene } = self;
        publish_cells(model, events);
        publish_surface(model, events);
        let counter = Counter::new("rendering views");
        match scene.as_ref().and_then(|scene| Some((scene, scene.splits.get(held_out(scene)?)))) {
            Some((scene, views)) => {
                let options = EvalOptions { renders: None, lpips: None, events, cancel };
                let mut done = 0;
                evaluate(model, scene, views, &options, &mut |_| {
                    done += 1;
                    counter.set(done, views.len());
                })?;
            }
            None => publish_held_out(model, events, &mut |done, all| {
                counter.set(done, all);
                !cancel.is_cancelled()
            })?,
        }
        Ok(())
    }
}
