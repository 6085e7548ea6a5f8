//! A run's `config.toml`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_core::run::RunFolder;
use nerve_fuzz::{place, put};
use nerve_nerf::NerfConfig;

fuzz_target!(|data: &[u8]| {
    put("run/config.toml", data);
    let Ok(run) = RunFolder::open(place().join("run")) else { return };
    let Ok(config) = run.config::<NerfConfig>() else { return };
    let _ = (config.validate(), config.schedule.validate(), config.grid.levels());
});
