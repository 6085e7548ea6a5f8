//! Images with a class for every pixel: label sets and their formats, one file a format.
//!
//! [`LabelSet::open`] recognizes a folder by what is in it and lists its images with their masks;
//! [`LabelSet::load`] decodes a pair. However a mask's file stores its labels (class numbers of 8 or 16 bits, palette
//! indices, colors), its pixels become class numbers from 0, in the order of [`LabelSet::classes`], or [`IGNORE`].
//!
//! ```no_run
//! use nerve_data::labels::{LabelSet, inspect};
//!
//! # fn main() -> Result<(), nerve_data::labels::LabelError> {
//! let set = LabelSet::open("data/camvid".as_ref())?;
//! println!("{}", inspect(&set, &|_, _| ()));
//! for pair in &set.split("train")?.pairs {
//!     let labeled = set.load(pair)?;
//!     assert_eq!(labeled.image.dim().0, labeled.mask.dim().0);
//! }
//! # Ok(())
//! # }
//! ```

mod ade20k;
mod camvid;
mod camvid_colors;
mod cityscapes;
mod classes;
mod coding;
mod detect;
mod error;
mod files;
mod folder;
mod inspect;
mod load;
mod mask;
pub mod matrix;
pub mod picture;
mod scene;
#[cfg(test)]
mod tests;
mod text;
mod voc;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use coding::Coding;
pub use detect::LabelFormat;
pub use error::LabelError;
pub use inspect::{
    ClassShare, LabelReport, LabelResolution, SplitReport, UnknownValue, inspect, inspect_split,
};
pub use load::{Labelled, rgb};
pub(crate) use mask::{MaskPixels, RawMask, read as read_mask};
pub(crate) use voc::classes as voc_classes;
pub use voc::color_map;

/// The label of pixels that belong to no class: they are left out of training and evaluation.
pub const IGNORE: u8 = 255;

/// The largest number of classes, [`IGNORE`] not counted.
pub const MAX_CLASSES: usize = 255;

/// A class; its number is its place in [`LabelSet::classes`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Its name in the format or the class file.
    pub name: String,
    /// Red, green, blue, for pictures.
    #[serde(alias = "colour")]
    pub color: [u8; 3],
}

/// An image and its mask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The image.
    pub image: PathBuf,
    /// Its labels.
    pub mask: PathBuf,
}

/// The images of one split, in the order of the list file, or of the numbers in their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LabelSplit {
    /// `train`, `val`, `test`, or as the format's list is called.
    pub name: String,
    /// Images with their masks.
    pub pairs: Vec<Pair>,
    /// Names in the list that have no file.
    pub missing: Vec<PathBuf>,
    /// Images without a mask.
    pub unlabelled: Vec<PathBuf>,
    /// Masks without an image.
    pub unpictured: Vec<PathBuf>,
}

/// A folder of images with labels.
#[derive(Clone, Debug)]
pub struct LabelSet {
    /// The folder's name.
    pub name: String,
    /// The folder that was read: the one asked for, or one below it.
    pub source: PathBuf,
    /// How it is stored.
    pub format: LabelFormat,
    /// The classes, 1 to 255, in the order of their numbers.
    pub classes: Vec<Class>,
    /// The splits; each has at least one pair.
    pub splits: Vec<LabelSplit>,
    /// What the user should know but need not act on.
    pub warnings: Vec<String>,
    /// Which class each stored value is.
    coding: Coding,
}

impl LabelSet {
    /// Recognizes the format and lists images and masks. No pixels are read.
    ///
    /// # Errors
    /// If there is nothing there, no format fits (the error lists what was looked for), a class file or list cannot
    /// be understood, or no image has a mask.
    pub fn open(path: &Path) -> Result<Self, LabelError> {
        let (format, source) = detect::detect(path)?;
        let read = match format {
            LabelFormat::CamVid => camvid::read,
            LabelFormat::CamVidColors => camvid_colors::read,
            LabelFormat::Ade20k => ade20k::read,
            LabelFormat::Voc => voc::read,
            LabelFormat::Cityscapes => cityscapes::read,
            LabelFormat::Folder => folder::read,
            LabelFormat::Scene => scene::read,
        };
        let Contents { classes, coding, mut splits, warnings } = read(&source)?;
        // A split without masks is left out, unless there is no other: then the error names it.
        let (full, empty): (Vec<_>, Vec<_>) = splits.drain(..).partition(|split| !split.pairs.is_empty());
        if full.is_empty() {
            return Err(error::no_pairs(&source, &empty));
        }
        let mut warnings = warnings;
        for split in empty {
            let name = split.name.clone();
            let (what, remedy) = error::why_empty(&[split]);
            warnings.push(format!("split {name}: no image has a mask: {what}; {remedy}"));
        }
        let name = source.file_name().or(path.file_name()).unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, source, format, classes, splits: full, warnings, coding })
    }

    /// The split of that name.
    ///
    /// # Errors
    /// [`LabelError::NoSplit`] lists those there are.
    pub fn split(&self, name: &str) -> Result<&LabelSplit, LabelError> {
        self.splits.iter().find(|split| split.name == name).ok_or_else(|| LabelError::NoSplit {
            path: self.source.clone(),
            name: name.to_owned(),
            there: self.splits.iter().map(|split| split.name.clone()).collect(),
        })
    }

    /// The split to evaluate on: `val`, or `test` where there is no `val`.
    #[must_use]
    pub fn held_out(&self) -> Option<&LabelSplit> {
        ["val", "test"].iter().find_map(|name| self.splits.iter().find(|split| split.name == *name))
    }

    /// The class names, in the order of their numbers.
    #[must_use]
    pub fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }
}

/// What a format's reader returns.
struct Contents {
    classes: Vec<Class>,
    coding: Coding,
    splits: Vec<LabelSplit>,
    warnings: Vec<String>,
}
