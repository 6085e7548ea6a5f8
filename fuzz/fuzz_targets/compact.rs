//! Compact files, opened as models; fields of the seed's size only: what a configuration may ask for is checked elsewhere.
#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nerve_fuzz::put;
use nerve_nerf::{Model, NerfConfig, OpenOptions, compact};

fn seed() -> NerfConfig {
    let seed = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/compact/field.compact"));
    compact::configuration(seed).expect("the seed is whole")
}

thread_local! {
    static SEED: NerfConfig = seed();
}

fuzz_target!(|data: &[u8]| {
    let path = put("field.compact", data);
    let size = |config: &NerfConfig| (config.grid.clone(), config.hollow.saliency_side);
    let asked = compact::configuration(&path);
    if asked.is_ok_and(|asked| SEED.with(|seed| size(seed) == size(&asked))) {
        let _ = Model::open(&path, &OpenOptions { threads: 1, ..OpenOptions::default() });
    }
});
