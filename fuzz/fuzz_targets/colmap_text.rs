//! COLMAP's models as text: the first byte says which of the three files the rest is.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nerve_data::scene::{LoadOptions, load};
use nerve_fuzz::{once, picture, place, put, seed};

static FILES: LazyLock<[(String, Vec<u8>); 3]> = LazyLock::new(|| {
    ["cameras.txt", "images.txt", "points3D.txt"]
        .map(|name| (format!("sparse/0/{name}"), seed(&format!("colmap_model/{name}"))))
});

fuzz_target!(|data: &[u8]| {
    let Some((which, data)) = data.split_first() else { return };
    once(|| ["images/0.png", "images/1.png"].into_iter().for_each(|name| _ = put(name, &picture())));
    for (i, (name, valid)) in FILES.iter().enumerate() {
        put(name, if i == usize::from(*which) % 3 { data } else { valid });
    }
    let _ = load(place(), &LoadOptions::default());
});
