//! Finding the image files that a scene lists: other paths, repeats, missing files.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::error::{SceneError, field_error};
use super::listing::{ListedFrame, plain_name};
use super::splits::Split;
use crate::image::{EXTENSIONS, has_extension};

/// How many last components of a path from another machine are looked for beside the file that lists it.
const PARTS: usize = 4;

/// A frame whose image exists.
pub(super) struct FoundFrame {
    pub frame: ListedFrame,
    /// Its place in the list.
    pub listed: u32,
    pub path: PathBuf,
    /// A picture whose red is the image's alpha.
    pub alpha: Option<PathBuf>,
    pub split: Split,
}

/// The result of looking for the images of all frames.
pub(super) struct Files {
    pub found: Vec<FoundFrame>,
    pub missing: Vec<PathBuf>,
    pub warnings: Vec<String>,
}

/// Looks for each frame's image: at the listed path, with an extension added, or by the last components of a path from
/// another machine. Images that are listed twice are used once.
pub(super) fn find(source: &Path, frames: Vec<ListedFrame>) -> Result<Files, SceneError> {
    let mut files = Files { found: Vec::new(), missing: Vec::new(), warnings: Vec::new() };
    let mut elsewhere = Elsewhere::default();
    let paths = |elsewhere: &mut Elsewhere| -> Vec<Option<PathBuf>> {
        frames.iter().map(|frame| existing(&frame.image).or_else(|| elsewhere.find(frame))).collect()
    };
    let mut paths = paths(&mut elsewhere);
    if paths.iter().all(Option::is_none)
        && let Some((suffix, copies)) = downscaled(&frames)
    {
        paths = copies;
        files.warnings.push(format!(
            "none of the listed images exists, but downscaled copies do: those in folders named ...{suffix} are used"
        ));
    }
    for ((frame, listed), path) in frames.into_iter().zip(0..).zip(paths) {
        match path {
            Some(path) => {
                let split = frame.split.unwrap_or(Split::Train);
                files.found.push(FoundFrame { path, alpha: None, split, frame, listed });
            }
            None => files.missing.push(frame.image),
        }
    }
    if files.found.is_empty() {
        let first = files.missing.first().cloned().unwrap_or_default();
        return Err(SceneError::AllMissing { path: source.to_owned(), count: files.missing.len(), first });
    }
    if let Some((listed, path)) = &elsewhere.first {
        files.warnings.push(format!(
            "{} images were found under other paths than listed, such as {} for {listed}",
            elsewhere.count,
            path.display()
        ));
    }
    once(&mut files)?;
    Ok(files)
}

/// Where a scene has no image at full size: the downscaled copies that Nerfstudio makes, such as `images_4/a.png` of
/// `images/a.png`, the largest that there are.
fn downscaled(frames: &[ListedFrame]) -> Option<(&'static str, Vec<Option<PathBuf>>)> {
    let copy = |frame: &ListedFrame, suffix: &str| {
        let (folder, name) = (frame.image.parent()?, frame.image.file_name()?);
        let mut beside = folder.file_name()?.to_owned();
        beside.push(suffix);
        existing(&folder.with_file_name(beside).join(name))
    };
    let copies = ["_2", "_4", "_8"].into_iter().map(|suffix| {
        (suffix, frames.iter().map(|frame| copy(frame, suffix)).collect::<Vec<Option<PathBuf>>>())
    });
    copies.into_iter().find(|(_, paths)| paths.iter().any(Option::is_some))
}

/// Removes repeated frames, and warns of images that are both trained on and held out.
fn once(files: &mut Files) -> Result<(), SceneError> {
    let mut seen: HashMap<(PathBuf, Option<Split>), (String, nalgebra::Isometry3<f64>)> = HashMap::new();
    let mut repeated = 0;
    let mut kept = Vec::with_capacity(files.found.len());
    for found in files.found.drain(..) {
        let frame = &found.frame;
        match seen.get(&(found.path.clone(), frame.split)) {
            None => {
                seen.insert((found.path.clone(), frame.split), (frame.place.clone(), frame.pose));
                kept.push(found);
            }
            Some((_, pose)) if *pose == frame.pose => repeated += 1,
            Some((first, _)) => {
                let problem = format!(
                    "lists {} again, which {first} lists with another pose; remove the wrong one",
                    found.path.display()
                );
                return Err(field_error(&frame.listed_in, &frame.place, &problem));
            }
        }
    }
    files.found = kept;
    if repeated > 0 {
        files.warnings.push(format!("{repeated} images are listed more than once; each is used once"));
    }
    let of = |trains: bool| {
        let chosen = files.found.iter().filter(move |f| (f.split == Split::Train) == trains);
        chosen.map(|f| &f.path).collect::<HashSet<_>>()
    };
    let both = of(true).intersection(&of(false)).count();
    if both > 0 {
        files.warnings.push(format!(
            "{both} images are both trained on and held out, which makes the evaluation too good; list them once"
        ));
    }
    Ok(())
}

/// The image's file: the listed path, or that with one of the extensions of images.
pub(super) fn existing(listed: &Path) -> Option<PathBuf> {
    let with_extension = |extension: &str| {
        let mut path = listed.as_os_str().to_owned();
        path.push(".");
        path.push(extension);
        PathBuf::from(path)
    };
    let mut candidates = std::iter::once(listed.to_owned()).chain(EXTENSIONS.into_iter().map(with_extension));
    candidates.find(|path| path.is_file())
}

/// Images under other paths than listed: with backslashes, from another machine, in another case or with another
/// extension.
#[derive(Default)]
struct Elsewhere {
    count: usize,
    first: Option<(String, PathBuf)>,
    /// The pictures of each folder that was looked into, by their names without extension, in lower case.
    folders: HashMap<PathBuf, HashMap<String, Vec<PathBuf>>>,
}

impl Elsewhere {
    fn find(&mut self, frame: &ListedFrame) -> Option<PathBuf> {
        let listed = frame.image.to_str()?.replace('\\', "/");
        let folder = frame.listed_in.parent().unwrap_or(Path::new(""));
        let name = frame.name.replace('\\', "/");
        let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
        let ends = (1..=parts.len().min(PARTS)).rev();
        let ends = ends.map(|n| folder.join(parts[parts.len() - n..].join("/")));
        let candidates: Vec<PathBuf> = std::iter::once(PathBuf::from(listed)).chain(ends).collect();
        let path = candidates.iter().find_map(|path| existing(path));
        let path = path.or_else(|| candidates.iter().find_map(|path| self.namesake(path)))?;
        self.count += 1;
        self.first.get_or_insert_with(|| (plain_name(&frame.name).to_owned(), path.clone()));
        Some(path)
    }

    /// The one picture of a folder whose name differs in case or extension only.
    fn namesake(&mut self, path: &Path) -> Option<PathBuf> {
        let folder = path.parent()?;
        let stem = stem(path)?;
        if !self.folders.contains_key(folder) {
            self.folders.insert(folder.to_owned(), pictures(folder));
        }
        match self.folders[folder].get(&stem)?.as_slice() {
            [one] => Some(one.clone()),
            several => {
                let same = |found: &&PathBuf| {
                    found.file_name().zip(path.file_name()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
                };
                several.iter().find(same).cloned()
            }
        }
    }
}

fn pictures(folder: &Path) -> HashMap<String, Vec<PathBuf>> {
    let mut pictures: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if has_extension(&path)
            && let Some(stem) = stem(&path)
        {
            pictures.entry(stem).or_default().push(path);
        }
    }
    pictures.values_mut().for_each(|paths| paths.sort());
    pictures
}

/// A file's name without a picture's extension, in lower case.
fn stem(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let picture = name.rsplit_once('.').filter(|(_, extension)| EXTENSIONS.contains(extension));
    Some(picture.map_or(name.as_str(), |(stem, _)| stem).to_owned())
}
