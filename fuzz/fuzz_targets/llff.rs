//! `poses_bounds.npy` beside two pictures.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_data::scene::{LoadOptions, load};
use nerve_fuzz::{once, picture, place, put};

fuzz_target!(|data: &[u8]| {
    once(|| ["images/0.png", "images/1.png"].into_iter().for_each(|name| _ = put(name, &picture())));
    put("poses_bounds.npy", data);
    let _ = load(place(), &LoadOptions::default());
});
