//! Depth maps: 16-bit PNG and `.npy`; the first byte says which.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_data::image::{DepthMap, ImageHeader};
use nerve_fuzz::{MOST_PIXELS, put};

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let path = put(if kind % 2 == 0 { "depth.npy" } else { "depth.png" }, data);
    let small =
        ImageHeader::read(&path).map_or(true, |h| u64::from(h.width) * u64::from(h.height) <= MOST_PIXELS);
    if small {
        let _ = DepthMap::open(&path, 1e-3);
    }
});
