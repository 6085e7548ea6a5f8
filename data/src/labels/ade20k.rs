//! Format: ADE20K's scene parsing benchmark of 150 classes (Zhou et al. 2017).
//!
//! ```text
//! images/training/ADE_train_00000001.jpg          annotations/training/ADE_train_00000001.png
//! images/validation/ADE_val_00000001.jpg          annotations/validation/ADE_val_00000001.png
//! ```
//!
//! In the files 1 to 150 are classes and 0 is everything else: 0 is ignored, and classes count from 0.

use std::path::Path;

use super::coding::Coding;
use super::files::images_in;
use super::{Class, Contents, IGNORE, LabelError, LabelSplit, color_map};

/// The benchmark's first name of each class, from `objectInfo150.txt`.
const NAMES: &str = include_str!("ade20k.txt");

pub(super) const SPLITS: [(&str, &str); 2] = [("train", "training"), ("val", "validation")];

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let any = |name: &str| Some(name.to_owned());
    let mut splits = Vec::new();
    for (name, folder) in SPLITS {
        let (images, masks) = (root.join("images").join(folder), root.join("annotations").join(folder));
        if images.is_dir() && masks.is_dir() {
            splits.push(LabelSplit::by_name(name, &images_in(&images, any)?, &images_in(&masks, any)?));
        }
    }
    let class = |(number, name): (u8, &str)| Class { name: name.to_owned(), color: color_map(number) };
    let classes: Vec<Class> = (1..).zip(NAMES.lines()).map(class).collect();
    let ids = (1..=classes.len() as u16).map(|id| (id, (id - 1) as u8));
    let coding = Coding::ids(ids.chain([(0, IGNORE), (255, IGNORE)]));
    Ok(Contents { classes, coding, splits, warnings: Vec::new() })
}
