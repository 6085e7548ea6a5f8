//! Pictures and masks: headers, EXIF, decoding.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_data::Image8;
use nerve_data::image::{ImageHeader, Mask};
use nerve_fuzz::{MOST_PIXELS, put};

fuzz_target!(|data: &[u8]| {
    let path = put("picture", data);
    let Ok(header) = ImageHeader::read(&path) else { return };
    if u64::from(header.width) * u64::from(header.height) > MOST_PIXELS {
        return;
    }
    if let Ok(image) = Image8::open(&path) {
        assert_eq!((image.width(), image.height()), (header.width, header.height));
    }
    let _ = Mask::open(&path);
});
