//! Class files and lists of every layout of labels: the first byte says which file the rest is.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nerve_data::labels::{LabelSet, inspect};
use nerve_fuzz::{clear, picture, place, put, seed};

/// A file of text, and what else there is: images and masks.
const FILES: [(&str, &[&str], &[&str]); 11] = [
    ("classes.json", FOLDER, FOLDER_MASKS),
    ("classes.txt", FOLDER, FOLDER_MASKS),
    ("labels.json", &["train/r_0.png"], &["train/r_0_label.png"]),
    ("class_dict.csv", CAMVID, &["trainannot/a.png"]),
    ("label_colors.txt", CAMVID, &["train_labels/a_L.png"]),
    ("codes.txt", FOLDER, FOLDER_MASKS),
    ("train.txt", FOLDER, FOLDER_MASKS),
    ("val.txt", FOLDER, FOLDER_MASKS),
    ("train.txt", CAMVID, &["trainannot/a.png"]),
    ("train.txt", &["701_StillsRaw_full/a.png"], &["LabeledApproved_full/a_L.png"]),
    ("ImageSets/Segmentation/train.txt", &["JPEGImages/a.png"], &["SegmentationClass/a.png"]),
];
const FOLDER: &[&str] = &["images/a.png", "images/b c.png"];
const FOLDER_MASKS: &[&str] = &["masks/a.png", "masks/b c_mask.png"];
const CAMVID: &[&str] = &["train/a.png"];

static PICTURE: LazyLock<Vec<u8>> = LazyLock::new(picture);
/// Without the byte that says what is known of the classes.
static MASK: LazyLock<Vec<u8>> = LazyLock::new(|| seed("label_masks/grey8.png").split_off(1));

fuzz_target!(|data: &[u8]| {
    let Some((which, data)) = data.split_first() else { return };
    let (name, images, masks) = FILES[usize::from(*which) % FILES.len()];
    clear();
    images.iter().for_each(|name| _ = put(name, &PICTURE));
    masks.iter().for_each(|name| _ = put(name, &MASK));
    if name.ends_with("train.txt") || name.ends_with("val.txt") {
        put("classes.txt", b"a\nb\n");
    }
    put(name, data);
    if let Ok(set) = LabelSet::open(place()) {
        assert!((1..256).contains(&set.classes.len()));
        let _ = inspect(&set, &|_, _| ()).to_string();
    }
});
