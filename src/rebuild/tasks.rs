//! What a run on several tasks has left: the model and its data, of which the held-out split is shown.

use super::Remains;
use crate::context::Context;
use crate::given::Given;
use crate::tasks;
use crate::viewers::LABELS;
use nerve_core::run::{Cancel, Events};
use nerve_data::tasks::TaskSet;
use nerve_vision::tasks::{MultiTask, TasksConfig, reached, show};
use std::time::Duration;

/// A model, what it was trained on, and how far.
pub struct TasksRemains {
    config: TasksConfig,
    set: TaskSet,
    model: MultiTask,
    reached: (u64, Duration),
}

impl Remains for TasksRemains {
    const LAYOUT: &'static str = LABELS;

    fn open(context: &Context, given: &Given) -> anyhow::Result<Self> {
        let Given::Run(run) = given else { anyhow::bail!("{}: it is no run", given.file().display()) };
        let (config, set, model) = tasks::with_data(context, run)?;
        Ok(Self { config, set, model, reached: reached(&run.checkpoint_path())? })
    }

    fn introduce(&self, _: &Events) {}

    fn show(&mut self, events: &Events, cancel: &Cancel) -> anyhow::Result<()> {
        let Self { config, set, model, reached } = self;
        if let Some(split) = config.data.held_out(set) {
            show(model, set, &split, *reached, events, cancel)?;
        }
        Ok(())
    }
}
