//! Recognizing the format of a folder by the files and folders in it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files::{any_image, folders_in};
use super::{LabelError, ade20k, camvid, camvid_colors, cityscapes, folder, scene, voc};

/// How a label set is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelFormat {
    /// CamVid as SegNet gave it: `train/`, `trainannot/`.
    CamVid,
    /// CamVid's own colors: `train_labels/`, or `LabeledApproved_full/`.
    CamVidColors,
    /// ADE20K: `images/training`, `annotations/training`.
    Ade20k,
    /// PASCAL VOC: `JPEGImages/`, `SegmentationClass/`.
    Voc,
    /// Cityscapes: `leftImg8bit/`, `gtFine/`.
    Cityscapes,
    /// `images/`, `masks/` and a class file.
    Folder,
    /// The procedural scene: `labels.json`, `train/r_0_label.png`.
    Scene,
}

impl fmt::Display for LabelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CamVid => "CamVid by SegNet (train/, trainannot/)",
            Self::CamVidColors => "CamVid in colors (train/, train_labels/)",
            Self::Ade20k => "ADE20K (images/training, annotations/training)",
            Self::Voc => "PASCAL VOC (JPEGImages, SegmentationClass)",
            Self::Cityscapes => "Cityscapes (leftImg8bit, gtFine)",
            Self::Folder => "a folder (images/, masks/, classes)",
            Self::Scene => "the procedural scene (labels.json)",
        })
    }
}

/// What each format is recognized by, for errors.
const LOOKED_FOR: [&str; 7] = [
    "train/ with trainannot/ (CamVid by SegNet)",
    "train/ with train_labels/, or 701_StillsRaw_full/ with LabeledApproved_full/ (CamVid in colors)",
    "images/training/ with annotations/training/ (ADE20K)",
    "JPEGImages/ with SegmentationClass/ and ImageSets/Segmentation/ (PASCAL VOC)",
    "leftImg8bit/ with gtFine/ (Cityscapes)",
    "images/ with masks/, labels/ or annotations/ and classes.txt or classes.json (a plain folder)",
    "labels.json with train/r_0_label.png (the procedural scene)",
];

/// How many levels below the given folder are searched: archives often unpack to a folder in a folder.
const DEPTH: usize = 2;
/// The largest number of folders searched on one level.
const WIDTH: usize = 256;

/// The format of a folder and the folder that has it: the given one, or the only one below it that has any.
pub(super) fn detect(path: &Path) -> Result<(LabelFormat, PathBuf), LabelError> {
    if !path.is_dir() {
        return Err(if path.exists() {
            unrecognised(path)
        } else {
            LabelError::NotFound { path: path.to_owned() }
        });
    }
    let mut level = vec![path.to_owned()];
    for _ in 0..=DEPTH {
        let found: Vec<(LabelFormat, PathBuf)> =
            level.iter().filter_map(|folder| Some((format(folder)?, folder.clone()))).collect();
        match found.len() {
            0 => level = level.iter().flat_map(|folder| folders_in(folder)).take(WIDTH).collect(),
            1 => return found.into_iter().next().ok_or_else(|| unrecognised(path)),
            _ => {
                let sets = found.into_iter().map(|(_, folder)| folder).collect();
                return Err(LabelError::Several { path: path.to_owned(), sets });
            }
        }
    }
    Err(unrecognised(path))
}

fn format(root: &Path) -> Option<LabelFormat> {
    let both = |a: &str, b: &str| root.join(a).is_dir() && root.join(b).is_dir();
    let split = |suffix: &str| camvid::SPLITS.iter().any(|name| both(name, &format!("{name}{suffix}")));
    let training = |split: &str| both(&format!("images/{split}"), &format!("annotations/{split}"));
    // The most specific layouts first.
    if both(cityscapes::IMAGES, cityscapes::MASKS) {
        Some(LabelFormat::Cityscapes)
    } else if both(voc::IMAGES, voc::MASKS) && root.join(voc::LISTS).is_dir() {
        Some(LabelFormat::Voc)
    } else if split("annot") {
        Some(LabelFormat::CamVid)
    } else if split("_labels") || both(camvid_colors::RAW, camvid_colors::APPROVED) {
        Some(LabelFormat::CamVidColors)
    } else if ade20k::SPLITS.iter().any(|(_, split)| training(split)) && super::classes::find(root).is_none()
    {
        // With a class file it is another set of the same layout.
        Some(LabelFormat::Ade20k)
    } else if folder::masks_in(root).is_some() || !folder::split_folders(root).is_empty() {
        Some(LabelFormat::Folder)
    } else if root.join(scene::CLASS_FILE).is_file()
        && ["train", "test"].iter().any(|split| {
            any_image(&root.join(split), |stem| stem.starts_with("r_") && stem.ends_with(scene::MASK))
        })
    {
        Some(LabelFormat::Scene)
    } else {
        None
    }
}

fn unrecognised(path: &Path) -> LabelError {
    let has = |name: &str| path.join(name).is_dir();
    let hint = if has("images") || any_image(path, |_| true) {
        "; there are images but no masks: put a PNG of class numbers for each image into masks/, and the class names into \
         classes.txt"
    } else if has("leftImg8bit") {
        "; the masks of Cityscapes are missing: unpack gtFine beside leftImg8bit"
    } else if has("JPEGImages") {
        "; PASCAL VOC's folder SegmentationClass or its lists in ImageSets/Segmentation are missing"
    } else {
        ""
    };
    LabelError::Unrecognised { path: path.to_owned(), looked_for: LOOKED_FOR.to_vec(), hint: hint.to_owned() }
}
