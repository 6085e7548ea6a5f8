//! safetensors and PyTorch's files.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_core::weights::WeightFile;
use nerve_fuzz::put;

fuzz_target!(|data: &[u8]| {
    let Ok(mut file) = WeightFile::open(put("weights.pth", data)) else { return };
    let names: Vec<String> = file.shapes().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let _ = file.read(&name);
    }
});
