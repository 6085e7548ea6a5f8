//! Checkpoints; checksums are not compared under a fuzzer, so that it gets behind them.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_core::checkpoint::Checkpoint;
use nerve_fuzz::put;

fuzz_target!(|data: &[u8]| {
    let Ok(file) = Checkpoint::load(put("checkpoint.safetensors", data)) else { return };
    let _ = (file.meta("step"), file.f32("weight", &[2, 2]), file.u32("count", &[]));
    for name in file.names() {
        let _ = file.bytes(&name);
    }
});
