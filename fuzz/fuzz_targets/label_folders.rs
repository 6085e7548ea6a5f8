//! Which layout of labels a folder has, and which mask belongs to which image: every line names a file to be there.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nerve_data::labels::{LabelSet, inspect};
use nerve_fuzz::{clear, picture, place, put_if_possible, seed};

/// More would only be slow.
const MOST_FILES: usize = 40;

static PICTURE: LazyLock<Vec<u8>> = LazyLock::new(picture);
/// Without the byte that says what is known of the classes.
static MASK: LazyLock<Vec<u8>> = LazyLock::new(|| seed("label_masks/grey8.png").split_off(1));

fuzz_target!(|data: &[u8]| {
    let Ok(names) = std::str::from_utf8(data) else { return };
    clear();
    for name in names.lines().take(MOST_FILES) {
        let text = ["txt", "json", "csv"].iter().any(|ending| name.ends_with(ending));
        let shown = !["mask", "label", "annot", "gt", "Segm", "Label"].iter().any(|part| name.contains(part));
        let bytes = if text {
            &b"a\nb\n"[..]
        } else if shown {
            &PICTURE
        } else {
            &MASK
        };
        put_if_possible(name, bytes);
    }
    if let Ok(set) = LabelSet::open(place()) {
        assert!(set.splits.iter().all(|split| !split.pairs.is_empty()));
        let _ = inspect(&set, &|_, _| ()).to_string();
    }
});
