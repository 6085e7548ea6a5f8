//! A published model's folder: `config.json`, and behind the first zero byte `model.safetensors`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_core::graph::Device;
use nerve_fuzz::{place, put};
use nerve_vision::load::WeightSource;
use nerve_vision::zoo;

fuzz_target!(|data: &[u8]| {
    let zero = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (config, weights) = data.split_at(zero);
    put("config.json", config);
    put("model.safetensors", weights.get(1..).unwrap_or_default());
    if let Ok(mut source) = WeightSource::open(place()) {
        let _ = zoo::open(&mut source, Device::Cpu);
    }
});
