//! What a field's run has left: its model, and the photographs where these are there still.

use super::Remains;
use crate::context::Context;
use crate::evaluation::{held_out, trained_on};
use crate::given::Given;
use crate::nerf;
use crate::output::remark;
use crate::progress::Counter;
use crate::viewers::SCENES;
use nerve_core::run::{Cancel, Events};
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

    fn open(context: &Context, given: &Given) -> anyhow::Result<Self> {
        let mut model = given.model(context, false)?;
        let scene = nerf::scene_of(context, &mut model, given, None);
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
        match scene.as_ref().and_then(|scene| Some((scene, held_out(scene)?))) {
            Some((scene, split)) => {
                if let Some(problem) = trained_on(model, scene, split) {
                    remark(format_args!("warning: {problem}"));
                }
                let views = scene.splits.get(split);
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
