//! Format: CamVid as SegNet gave it (Badrinarayanan et al. 2017), and sets of the same layout.
//!
//! ```text
//! train/0001TP_006690.png         images, of any extension
//! trainannot/0001TP_006690.png    class numbers 0 to 10; 11 is void
//! train.txt                       which images, and in which order; may be missing
//! val/ valannot/ val.txt  test/ testannot/ test.txt
//! ```
//!
//! List files contain paths of other machines (`/SegNet/CamVid/train/x.png`): only the file names count. A class
//! file (see [`super::folder`]) beside the folders replaces CamVid's classes.

use std::path::Path;

use super::coding::Coding;
use super::files::{images_in, unlisted};
use super::{Class, Contents, IGNORE, LabelError, LabelSplit, classes};

pub(super) const SPLITS: [&str; 3] = ["train", "val", "test"];

/// Names in SegNet's order, and the color of what each is named after.
pub(super) const CLASSES: [(&str, [u8; 3]); 11] = [
    ("sky", [128, 128, 128]),
    ("building", [128, 0, 0]),
    ("pole", [192, 192, 128]),
    ("road", [128, 64, 128]),
    ("pavement", [0, 0, 192]),
    ("tree", [128, 128, 0]),
    ("sign", [192, 128, 128]),
    ("fence", [64, 64, 128]),
    ("car", [64, 0, 128]),
    ("pedestrian", [64, 64, 0]),
    ("bicyclist", [0, 128, 192]),
];

/// The classes with names and colors.
pub(super) fn named() -> Vec<Class> {
    CLASSES.iter().map(|&(name, color)| Class { name: name.to_owned(), color }).collect()
}

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let (classes, coding) = match classes::find(root) {
        Some(file) => classes::coded(&file, &classes::read(&file)?)?,
        None => {
            let ids = (0..11).map(|id| (id, id as u8)).chain([(11, IGNORE), (255, IGNORE)]);
            (named(), Coding::ids(ids))
        }
    };
    let any = |name: &str| Some(name.to_owned());
    let (mut splits, mut warnings) = (Vec::new(), Vec::new());
    for name in SPLITS {
        let (images, masks) = (root.join(name), root.join(format!("{name}annot")));
        if !images.is_dir() || !masks.is_dir() {
            continue;
        }
        let (images, masks) = (images_in(&images, any)?, images_in(&masks, any)?);
        let list = root.join(format!("{name}.txt"));
        let split = if list.is_file() {
            LabelSplit::by_list(name, &list, &images, &masks)?
        } else {
            LabelSplit::by_name(name, &images, &masks)
        };
        let left = unlisted(&images, std::slice::from_ref(&split));
        if left > 0 {
            warnings.push(format!("{left} images in {name} are not in {name}.txt and were left out"));
        }
        splits.push(split);
    }
    Ok(Contents { classes, coding, splits, warnings })
}
