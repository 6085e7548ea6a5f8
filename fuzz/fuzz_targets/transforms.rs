//! Blender's, Instant-NGP's and Nerfstudio's JSON, with pictures, masks and depth to name.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_data::scene::{LoadOptions, load, outline};
use nerve_fuzz::{once, picture, place, put, seed};

fuzz_target!(|data: &[u8]| {
    once(|| {
        for name in ["a.png", "b.png", "m.png", "images/a.png"] {
            put(name, &picture());
        }
        put("d.npy", &seed("npy/depth.npy"));
    });
    put("transforms.json", data);
    let options = LoadOptions::default();
    if outline(place(), &options).is_ok() {
        let _ = load(place(), &options);
    }
});
