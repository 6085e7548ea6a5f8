//! Masks of labels: grey of 1 to 16 bits, palettes, colors. The first byte says what is known of the classes.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nerve_data::image::ImageHeader;
use nerve_data::labels::{IGNORE, LabelSet, inspect};
use nerve_fuzz::{MOST_PIXELS, clear, picture, place, put};

/// Names alone; ids of 16 bits; colors alone; both.
const CLASSES: [&str; 4] = [
    r#"["a", "b", "c"]"#,
    r#"[{"name": "a", "id": 300}, {"name": "b", "id": 7}, {"name": "c", "id": 0, "ignore": true}]"#,
    r#"[{"name": "a", "color": [200, 0, 0]}, {"name": "b", "color": [0, 0, 200]}]"#,
    r#"[{"name": "a", "id": 1, "color": [200, 0, 0]}, {"name": "b", "id": 2, "color": [0, 0, 200]}]"#,
];

static PICTURE: LazyLock<Vec<u8>> = LazyLock::new(picture);

fuzz_target!(|data: &[u8]| {
    let Some((which, data)) = data.split_first() else { return };
    clear();
    put("classes.json", CLASSES[usize::from(*which) % CLASSES.len()].as_bytes());
    put("images/a.png", &PICTURE);
    let mask = put("masks/a.png", data);
    if let Ok(header) = ImageHeader::read(&mask)
        && u64::from(header.width) * u64::from(header.height) > MOST_PIXELS
    {
        return;
    }
    let set = LabelSet::open(place()).expect("a label set");
    let classes = set.classes.len();
    let pair = &set.splits[0].pairs[0];
    if let Ok(labels) = set.load_mask(pair) {
        assert!(labels.iter().all(|label| *label == IGNORE || usize::from(*label) < classes));
    }
    let _ = set.load(pair);
    let _ = inspect(&set, &|_, _| ()).to_string();
});
