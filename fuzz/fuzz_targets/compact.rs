//! Compact files, read into the field of the seed.
#![no_main]
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use nerve_data::demo::{self, DemoConfig};
use nerve_data::scene::LoadOptions;
use nerve_fuzz::put;
use nerve_nerf::{Trainer, compact};

fn trainer(seed: &Path) -> Trainer {
    let config = compact::configuration(seed).expect("the seed is whole");
    let demo = DemoConfig { resolution: 8, train: 2, test: 1, ..DemoConfig::default() };
    let scene = demo::load(&demo, &LoadOptions::default(), &|_, _| {}).expect("the demo");
    Trainer::new(config, Arc::new(scene), 1).expect("a trainer")
}

thread_local! {
    static TRAINER: RefCell<Trainer> =
        RefCell::new(trainer(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/compact/field.compact"))));
}

fuzz_target!(|data: &[u8]| {
    let path = put("field.compact", data);
    let _ = compact::configuration(&path);
    TRAINER.with_borrow_mut(|trainer| {
        let _ = trainer.read_compact(&path);
    });
});
