//! NumPy's arrays.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(array) = nerve_data::fuzzing::npy(data) {
        assert_eq!(array.shape.iter().product::<usize>(), array.values.len());
    }
});
