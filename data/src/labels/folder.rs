//! Format: a plain folder of images and masks of the same names, and a class file.
//!
//! ```text
//! images/a.jpg  masks/a.png               or labels/, or annotations/
//! images/train/a.jpg  masks/train/a.png   with splits, or train/images/a.jpg  train/masks/a.png
//! train.txt  val.txt  test.txt            which images, by name, where there are no such folders
//! classes.txt                             a name a line, in the order of the ids; or
//! classes.json                            [{"name": "road", "id": 0, "color": [128, 64, 128]}, ...]
//! ```
//!
//! In `classes.json` ids (from 0 in order), colors and `"ignore": true` may be left out. Gray and palette masks hold
//! ids, color masks the classes' colors. Other tools' class files are read too: `class_dict.csv`,
//! `label_colors.txt`, `codes.txt`. A mask may be called `a_mask`, `a_label`, `a_L` or `a_P`.

use std::path::{Path, PathBuf};

use super::files::{Named, held_out, images_in, stem, unlisted};
use super::{Contents, LabelError, LabelSplit, classes};

pub(super) const IMAGES: &str = "images";
pub(super) const MASKS: [&str; 3] = ["masks", "labels", "annotations"];

/// Names of splits, and their usual variants.
const SPLITS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("val", &["val", "valid", "validation"]),
    ("test", &["test", "testing"]),
];

/// The folder of masks beside `images/`.
pub(super) fn masks_in(folder: &Path) -> Option<PathBuf> {
    let masks = MASKS.iter().map(|name| folder.join(name)).find(|path| path.is_dir());
    masks.filter(|_| folder.join(IMAGES).is_dir())
}

/// The splits that have their own folders: name, images, masks.
pub(super) fn split_folders(root: &Path) -> Vec<(&'static str, PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for (name, aliases) in SPLITS {
        for alias in aliases {
            let inside = masks_in(root).map(|masks| (root.join(IMAGES).join(alias), masks.join(alias)));
            let around = root.join(alias);
            let around = masks_in(&around).map(|masks| (around.join(IMAGES), masks));
            let folders = inside.filter(|(images, masks)| images.is_dir() && masks.is_dir()).or(around);
            found.extend(folders.map(|(images, masks)| (name, images, masks)));
        }
    }
    found
}

fn mask_name(images: &Named) -> impl Fn(&str) -> Option<String> + '_ {
    |stem| {
        let bare =
            ["_mask", "_label", "_labels", "_L", "_P"].iter().find_map(|suffix| stem.strip_suffix(suffix));
        // The image's own name may end like this.
        let bare = bare.filter(|bare| images.contains_key(*bare) && !images.contains_key(stem));
        Some(bare.unwrap_or(stem).to_owned())
    }
}

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let Some(file) = classes::find(root) else {
        return Err(LabelError::Empty {
            path: root.to_owned(),
            what: "there is no class file".to_owned(),
            remedy: "write classes.txt with one name per line in the order of the ids, or classes.json with names, ids and \
                     colors",
        });
    };
    let (classes, coding) = classes::coded(&file, &classes::read(&file)?)?;
    let any = |name: &str| Some(name.to_owned());
    let pair = |images: &Path, masks: &Path| -> Result<(Named, Named), LabelError> {
        let images = images_in(images, any)?;
        let masks = images_in(masks, mask_name(&images))?;
        Ok((images, masks))
    };
    let (mut splits, mut warnings) = (Vec::new(), Vec::new());
    for (name, images, masks) in split_folders(root) {
        let (images, masks) = pair(&images, &masks)?;
        splits.push(LabelSplit::by_name(name, &images, &masks));
    }
    if splits.is_empty()
        && let Some(masks) = masks_in(root)
    {
        let (images, masks) = pair(&root.join(IMAGES), &masks)?;
        for (name, aliases) in SPLITS {
            let lists = aliases.iter().map(|alias| root.join(format!("{alias}.txt")));
            if let Some(list) = lists.into_iter().find(|path| path.is_file()) {
                splits.push(LabelSplit::by_list(name, &list, &images, &masks)?);
            }
        }
        splits = match splits.len() {
            0 => held_out(LabelSplit::by_name("train", &images, &masks), &mut warnings),
            // Only held-out images are listed: the others train.
            1 if splits[0].name == "val" => {
                let held = &splits[0];
                let of_val = |path: &Path| held.pairs.iter().any(|pair| pair.image == path);
                let rest: Named = images.iter().filter(|(_, path)| !of_val(path)).map(clone).collect();
                let mut train = LabelSplit::by_name("train", &rest, &masks);
                train.unpictured.retain(|mask| !images.contains_key(&stem(mask)));
                vec![train, splits.remove(0)]
            }
            _ => splits,
        };
        let left = unlisted(&images, &splits);
        if left > 0 {
            warnings.push(format!("{left} images are in no list and were left out"));
        }
    }
    Ok(Contents { classes, coding, splits, warnings })
}

fn clone((name, path): (&String, &PathBuf)) -> (String, PathBuf) {
    (name.clone(), path.clone())
}
