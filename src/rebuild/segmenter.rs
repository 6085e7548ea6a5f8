//! What a segmenter's run has left: the segmenter and its data, of which the held-out split is shown.

use super::Remains;
use crate::context::Context;
use crate::given::Given;
use crate::segmentation;
use crate::viewers::LABELS;
use nerve_core::run::{Cancel, Event, Events};
use nerve_data::labels::LabelSet;
use nerve_vision::segmentation::{Inference, SegConfig, Segmenter, class_names, reached, show};
use std::time::Duration;

/// A segmenter, what it was trained on, and how far.
pub struct SegmenterRemains {
    config: SegConfig,
    set: LabelSet,
    segmenter: Segmenter,
    reached: (u64, Duration),
}

impl Remains for SegmenterRemains {
    const LAYOUT: &'static str = LABELS;

    fn open(context: &Context, given: &Given) -> anyhow::Result<Self> {
        let Given::Run(run) = given else { anyhow::bail!("{}: it is no run", given.file().display()) };
        let (config, set, segmenter) = segmentation::restored(context, run)?;
        Ok(Self { config, set, segmenter, reached: reached(&run.checkpoint_path())? })
    }

    fn introduce(&self, events: &Events) {
        events.publish(Event::Classes { classes: class_names(&self.set) });
    }

    fn show(&mut self, events: &Events, cancel: &Cancel) -> anyhow::Result<()> {
        let Self { config, set, segmenter, reached } = self;
        if let Some(split) = config.data.held_out(set) {
            show(segmenter, set, &split, &Inference::default(), *reached, events, cancel)?;
        }
        Ok(())
    }
}
