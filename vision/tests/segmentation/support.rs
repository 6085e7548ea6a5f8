//! A small label set, and short runs on it.
use std::path::Path;
use std::sync::Arc;

use nerve_data::demo::labels::LabelDemo;
use nerve_data::labels::{LabelSet, inspect_split};
use nerve_vision::segmentation::{HeadKind, SegConfig, Trainer};

pub const CPU: nerve_core::device::Device = nerve_core::device::Device::Cpu;

pub fn set(folder: &Path) -> Arc<LabelSet> {
    let demo = LabelDemo { height: 64, width: 96, train: 12, val: 4, ..LabelDemo::default() };
    demo.write(folder, &|_, _| ()).expect("written");
    Arc::new(LabelSet::open(folder).expect("a label set"))
}

pub fn counts(set: &LabelSet) -> Vec<u64> {
    let split = set.split("train").expect("a split");
    inspect_split(set, split, &|_, _| ()).classes.iter().map(|class| class.pixels).collect()
}

pub fn config(steps: u64) -> SegConfig {
    let mut config = SegConfig::default();
    config.augment.crop = [64, 64];
    config.train.run.steps = Some(steps);
    config.train.batch = 2;
    config.train.warmup_steps = 2;
    config.model.head_width = Some(16);
    config.model.drop_path = 0.1;
    config.train.ema = 0.9;
    config
}

/// All variables, and what the optimiser keeps, as a checkpoint has them. (No clock runs in these tests.)
pub fn state(trainer: &Trainer, folder: &Path) -> Vec<u8> {
    let path = folder.join("state.safetensors");
    trainer.save(&path).expect("saved");
    std::fs::read(&path).expect("read")
}

/// A short run of this backbone and head.
pub fn chosen(backbone: &str, head: HeadKind, steps: u64) -> SegConfig {
    let mut config = config(steps);
    config.model.backbone = backbone.parse().expect("a backbone");
    config.model.head = head;
    config.train.ema = 0.0;
    config
}
