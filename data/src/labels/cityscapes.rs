//! Format: Cityscapes (Cordts et al. 2016), the 19 classes that are evaluated.
//!
//! ```text
//! leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png
//! gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png          ids of 34 classes, or
//! gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png     0 to 18, 255 is ignored
//! ```
//!
//! `labelIds` are preferred, since they come with the data. In the masks of `test` every pixel is ignored.

use std::path::Path;

use super::coding::Coding;
use super::files::{Named, any_image, folders_in, images_in};
use super::{Class, Contents, IGNORE, LabelError, LabelSplit};

/// Classes in the order of their training numbers: name, id, color.
const CLASSES: [(&str, u16, [u8; 3]); 19] = [
    ("road", 7, [128, 64, 128]),
    ("sidewalk", 8, [244, 35, 232]),
    ("building", 11, [70, 70, 70]),
    ("wall", 12, [102, 102, 156]),
    ("fence", 13, [190, 153, 153]),
    ("pole", 17, [153, 153, 153]),
    ("traffic light", 19, [250, 170, 30]),
    ("traffic sign", 20, [220, 220, 0]),
    ("vegetation", 21, [107, 142, 35]),
    ("terrain", 22, [152, 251, 152]),
    ("sky", 23, [70, 130, 180]),
    ("person", 24, [220, 20, 60]),
    ("rider", 25, [255, 0, 0]),
    ("car", 26, [0, 0, 142]),
    ("truck", 27, [0, 0, 70]),
    ("bus", 28, [0, 60, 100]),
    ("train", 31, [0, 80, 100]),
    ("motorcycle", 32, [0, 0, 230]),
    ("bicycle", 33, [119, 11, 32]),
];

pub(super) const IMAGES: &str = "leftImg8bit";
pub(super) const MASKS: &str = "gtFine";
const IDS: &str = "_gtFine_labelIds";
const TRAIN_IDS: &str = "_gtFine_labelTrainIds";

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let cities = || folders_in(&root.join(MASKS)).into_iter().flat_map(|split| folders_in(&split));
    let suffix =
        if cities().any(|city| any_image(&city, |stem| stem.ends_with(IDS))) { IDS } else { TRAIN_IDS };
    let without = |suffix: &'static str| move |stem: &str| stem.strip_suffix(suffix).map(str::to_owned);
    let mut splits = Vec::new();
    for name in ["train", "val", "test"] {
        // City and frame together are unique.
        let gather = |kind: &str, suffix| -> Result<Named, LabelError> {
            let mut all = Named::new();
            for city in folders_in(&root.join(kind).join(name)) {
                all.extend(images_in(&city, without(suffix))?);
            }
            Ok(all)
        };
        let images = gather(IMAGES, "_leftImg8bit")?;
        if !images.is_empty() {
            splits.push(LabelSplit::by_name(name, &images, &gather(MASKS, suffix)?));
        }
    }
    let coding = if suffix == IDS {
        let ignored = (0..34).chain([255]).map(|id| (id, IGNORE));
        Coding::ids(ignored.chain((0..).zip(CLASSES).map(|(class, (_, id, _))| (id, class))))
    } else {
        Coding::numbers(CLASSES.len())
    };
    let classes = CLASSES.iter().map(|&(name, _, color)| Class { name: name.to_owned(), color }).collect();
    Ok(Contents { classes, coding, splits, warnings: Vec::new() })
}
