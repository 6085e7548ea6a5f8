//! Format: PASCAL VOC (Everingham et al. 2010).
//!
//! ```text
//! JPEGImages/2007_000032.jpg
//! SegmentationClass/2007_000032.png       palette PNG: the index is the class, 0 the background, 255 the border
//! ImageSets/Segmentation/{train,val,trainval}.txt
//! ```
//!
//! Where there is `SegmentationClassAug` and a list `trainaug.txt` (the masks of Hariharan et al. 2011), that list's
//! masks are looked for there.

use std::path::Path;

use super::coding::Coding;
use super::files::images_in;
use super::{Class, Contents, LabelError, LabelSplit};

/// Names of the classes, in the order of the development kit.
const CLASSES: [&str; 21] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

pub(super) const IMAGES: &str = "JPEGImages";
pub(super) const MASKS: &str = "SegmentationClass";
pub(super) const LISTS: &str = "ImageSets/Segmentation";

/// The color of a class by VOC's formula: the bits of its number, spread over the channels from the highest bit down.
///
/// ```
/// assert_eq!(nerve_data::labels::color_map(15), [192, 128, 128]);
/// ```
#[must_use]
pub fn color_map(class: u8) -> [u8; 3] {
    let mut color = [0; 3];
    for bit in 0..8 {
        let channel = bit % 3;
        color[channel] |= (class >> bit & 1) << (7 - bit / 3);
    }
    color
}

/// The classes with names and colors.
pub(crate) fn classes() -> Vec<Class> {
    let class = |(i, name): (usize, &&str)| Class { name: (*name).to_owned(), color: color_map(i as u8) };
    CLASSES.iter().enumerate().map(class).collect()
}

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let any = |name: &str| Some(name.to_owned());
    let images = images_in(&root.join(IMAGES), any)?;
    let masks = images_in(&root.join(MASKS), any)?;
    let augmented = root.join("SegmentationClassAug");
    let mut splits = Vec::new();
    for name in ["train", "val", "test", "trainval", "trainaug"] {
        let list = root.join(LISTS).join(format!("{name}.txt"));
        if list.is_file() {
            let split = if name == "trainaug" && augmented.is_dir() {
                LabelSplit::by_list(name, &list, &images, &images_in(&augmented, any)?)
            } else {
                LabelSplit::by_list(name, &list, &images, &masks)
            };
            splits.push(split?);
        }
    }
    Ok(Contents { classes: classes(), coding: Coding::numbers(CLASSES.len()), splits, warnings: Vec::new() })
}
