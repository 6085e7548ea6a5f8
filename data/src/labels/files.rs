//! Which mask belongs to which image: by name, or by a list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{LabelError, LabelSplit, Pair};
use crate::scene::natural;

/// Extensions of images. Files of kinds that cannot be read are refused by name when they are loaded.
const EXTENSIONS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif", "ppm"];

/// Every `HOLD_OUT`-th image is held out where no split is given.
const HOLD_OUT: usize = 8;

/// Files by the name that pairs images with masks.
pub(super) type Named = BTreeMap<String, PathBuf>;

/// A file's name without the extension of an image.
pub(super) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_image(path) {
        path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    } else {
        name.into_owned()
    }
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}

/// The images in a folder, by the name that `name` gives each; files for which it gives none are left out.
pub(super) fn images_in(folder: &Path, name: impl Fn(&str) -> Option<String>) -> Result<Named, LabelError> {
    let io = |source| LabelError::Io { path: folder.to_owned(), source };
    let mut named = Named::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        // Files that systems leave behind, such as `._a.png`.
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden || !is_image(&path) || !path.is_file() {
            continue;
        }
        if let Some(name) = name(&stem(&path))
            && let Some(other) = named.insert(name, path.clone())
        {
            let (a, b) = if other < path { (other, path) } else { (path, other) };
            return Err(LabelError::Twice { a, b });
        }
    }
    Ok(named)
}

/// Whether a folder holds an image whose stem passes.
pub(super) fn any_image(folder: &Path, passes: impl Fn(&str) -> bool) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().map(|entry| entry.path()).any(|path| is_image(&path) && passes(&stem(&path)))
}

/// The folders in a folder, sorted; none if it cannot be read.
pub(super) fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    folders
}

impl LabelSplit {
    /// Images and masks of the same names, in natural order.
    pub(super) fn by_name(name: &str, images: &Named, masks: &Named) -> Self {
        let mut names: Vec<&String> = images.keys().collect();
        names.sort_by(|a, b| natural(a, b));
        let mut split = Self { name: name.to_owned(), ..Self::default() };
        for name in names {
            split.push(&images[name], masks.get(name));
        }
        split.unpictured =
            masks.iter().filter(|(name, _)| !images.contains_key(*name)).map(|(_, m)| m.clone()).collect();
        split
    }

    /// The images that a list names, in its order. A line names an image and, after white space, its mask if that has
    /// another name; only file names count, folders and extensions in the list are ignored.
    pub(super) fn by_list(
        name: &str,
        list: &Path,
        images: &Named,
        masks: &Named,
    ) -> Result<Self, LabelError> {
        let text = read_text(list)?;
        let mut split = Self { name: name.to_owned(), ..Self::default() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let name_of = |entry: &str| stem(Path::new(&entry.replace('\\', "/")));
            let mut words = line.split_whitespace();
            // A name may have spaces.
            let whole = name_of(line);
            let (image, mask) = if images.contains_key(&whole) {
                (whole.clone(), whole)
            } else {
                let image = name_of(words.next().unwrap_or_default());
                let mask = words.next().map(name_of);
                let mask = mask.filter(|mask| masks.contains_key(mask)).unwrap_or_else(|| image.clone());
                (image, mask)
            };
            match images.get(&image) {
                Some(path) => split.push(path, masks.get(&mask)),
                None => split.missing.push(PathBuf::from(line.split_whitespace().next().unwrap_or(line))),
            }
        }
        Ok(split)
    }

    fn push(&mut self, image: &Path, mask: Option<&PathBuf>) {
        match mask {
            Some(mask) => self.pairs.push(Pair { image: image.to_owned(), mask: mask.clone() }),
            None => self.unlabelled.push(image.to_owned()),
        }
    }
}

/// Where no split is given: every 8th image as `val` and the others as `train`, with a warning.
pub(super) fn held_out(all: LabelSplit, warnings: &mut Vec<String>) -> Vec<LabelSplit> {
    if all.pairs.len() < 2 {
        return vec![all];
    }
    warnings.push(format!(
        "no split is given: every {HOLD_OUT}th image is held out; list the splits in train.txt and val.txt, above \
         all if neighboring images are frames of one video"
    ));
    let mut train = all;
    let mut val = LabelSplit { name: "val".to_owned(), ..LabelSplit::default() };
    for (i, pair) in std::mem::take(&mut train.pairs).into_iter().enumerate() {
        let to = if i % HOLD_OUT == 0 { &mut val } else { &mut train };
        to.pairs.push(pair);
    }
    vec![train, val]
}

/// A text file; bytes that are not UTF-8 are replaced.
pub(super) fn read_text(path: &Path) -> Result<String, LabelError> {
    let bytes =
        crate::regular::read(path).map_err(|source| LabelError::Io { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// How many images are in none of the splits.
pub(super) fn unlisted(images: &Named, splits: &[LabelSplit]) -> usize {
    let listed: BTreeSet<&Path> = splits
        .iter()
        .flat_map(|split| {
            split
                .pairs
                .iter()
                .map(|pair| pair.image.as_path())
                .chain(split.unlabelled.iter().map(PathBuf::as_path))
        })
        .collect();
    images.values().filter(|path| !listed.contains(path.as_path())).count()
}
