//! PLY files' points.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_data::fuzzing;

fuzz_target!(|data: &[u8]| {
    if let Ok(ply) = fuzzing::ply(data) {
        assert!(ply.points.iter().all(|point| point.position.iter().all(|v| v.is_finite())));
    }
});
