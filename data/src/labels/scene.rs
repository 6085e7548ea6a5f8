//! Format: the views of the procedural scene with their labels, as [`demo::write`](crate::demo::write) leaves them.
//!
//! ```text
//! train/r_0.png  train/r_0_label.png      test/ likewise
//! labels.json                             names and colors, the index is the label
//! ```

use std::path::Path;

use super::files::images_in;
use super::{Contents, LabelError, LabelSplit, classes};

pub(super) const CLASS_FILE: &str = "labels.json";
pub(super) const MASK: &str = "_label";

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let file = root.join(CLASS_FILE);
    let (classes, coding) = classes::coded(&file, &classes::read(&file)?)?;
    let mut splits = Vec::new();
    for name in ["train", "test"] {
        let folder = root.join(name);
        if folder.is_dir() {
            let view = |stem: &str| {
                let number = stem.strip_prefix("r_")?;
                number.bytes().all(|byte| byte.is_ascii_digit()).then(|| stem.to_owned())
            };
            let mask = |stem: &str| stem.strip_suffix(MASK).map(str::to_owned);
            splits.push(LabelSplit::by_name(name, &images_in(&folder, view)?, &images_in(&folder, mask)?));
        }
    }
    Ok(Contents { classes, coding, splits, warnings: Vec::new() })
}
