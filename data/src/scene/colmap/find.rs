//! Finding models below a folder, and the images and masks of a model.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::flaw::Flaw;
use super::images::{ModelImage, count_in_text};
use crate::regular;
use crate::scene::error::SceneError;
use crate::scene::order::natural;

/// Folders of models below a scene's folder, as COLMAP, Nerfstudio and 3D Gaussian Splatting have them.
const BELOW: [&str; 4] = ["", "sparse", "colmap/sparse", "colmap"];
/// Folders of images beside a model.
const BESIDE: [&str; 6] = ["images", "input", "image", "photos", "rgb", ""];
/// Folders of downscaled copies, used only if no image is elsewhere: photos that were removed from `images` stay out.
const COPIES: [&str; 3] = ["images_2", "images_4", "images_8"];
/// How far above the model's folder the images may lie: `scene/colmap/sparse/0`.
const ABOVE: usize = 4;
/// How many last components of a path of another machine are looked for.
const PARTS: usize = 4;
/// How many images are looked for in each folder to choose one.
const TRIED: usize = 32;

/// The folders at or below `path` that hold a model, in natural order; from the first place that has any.
pub fn models(path: &Path) -> Vec<PathBuf> {
    let places = BELOW.iter().map(|below| if below.is_empty() { path.to_owned() } else { path.join(below) });
    places.map(|place| models_in(&place)).find(|models| !models.is_empty()).unwrap_or_default()
}

fn models_in(place: &Path) -> Vec<PathBuf> {
    if is_model(place) {
        return vec![place.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut models: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|path| is_model(path)).collect();
    models.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    models
}

/// A model that lacks a file counts too: reading it names the missing file.
fn is_model(folder: &Path) -> bool {
    ["cameras.bin", "cameras.txt", "images.bin"].iter().any(|name| folder.join(name).is_file())
}

/// The model with the most images, and a warning if there are others.
pub(super) fn largest(path: &Path) -> Result<(PathBuf, Vec<String>), SceneError> {
    let mut models = models(path);
    if models.len() < 2 {
        // Without any, reading this one ends in an error that names the file.
        return Ok((models.pop().unwrap_or_else(|| path.to_owned()), Vec::new()));
    }
    let sizes = models.iter().map(|model| size(model)).collect::<Result<Vec<u64>, SceneError>>()?;
    let most = sizes.iter().max().copied().unwrap_or(0);
    let chosen = sizes.iter().position(|&size| size == most).unwrap_or(0);
    let name = |i: usize| models[i].file_name().unwrap_or_default().to_string_lossy().into_owned();
    let others: Vec<String> = (0..models.len())
        .filter(|&i| i != chosen)
        .map(|i| format!("{} with {}", name(i), sizes[i]))
        .collect();
    let warning = format!(
        "COLMAP found {} separate models; model {} with {most} images is used, left out: {}",
        models.len(),
        name(chosen),
        others.join(", "),
    );
    Ok((models.swap_remove(chosen), vec![warning]))
}

/// The number of images that a model states; checked when it is read.
fn size(model: &Path) -> Result<u64, SceneError> {
    let binary = model.join("images.bin");
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| SceneError::Io { path, source }
    };
    if binary.is_file() {
        let mut count = [0; 8];
        let mut file = regular::open(&binary).map_err(io(&binary))?;
        file.read_exact(&mut count).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Flaw::new("the number of images", "the file ends here; remove the model").in_file(&binary)
            }
            _ => io(&binary)(e),
        })?;
        return Ok(u64::from_le_bytes(count));
    }
    let text = model.join("images.txt");
    let bytes = regular::read(&text).map_err(io(&text))?;
    count_in_text(&bytes).map(|count| count as u64).map_err(|flaw| flaw.in_file(&text))
}

/// The folders of a model's images and masks.
pub(super) struct ImageFolder {
    /// The scene's folder.
    pub root: PathBuf,
    /// The folder that image names are relative to.
    pub folder: PathBuf,
    /// Masks, named as COLMAP has it: the image's name and `.png`.
    masks: Option<PathBuf>,
}

impl ImageFolder {
    /// The mask of an image, if it exists.
    pub fn mask(&self, name: &str) -> Option<PathBuf> {
        mask_beside(self.masks.as_ref()?, name)
    }
}

/// In a folder of masks, that of an image: of its name and `.png`, of its name, or with `.png` for its extension.
pub(crate) fn mask_beside(masks: &Path, name: &str) -> Option<PathBuf> {
    let candidates =
        [masks.join(format!("{name}.png")), masks.join(name), masks.join(name).with_extension("png")];
    candidates.into_iter().find(|path| path.is_file())
}

/// Looks for the folder that most images are in: beside the model, or beside a folder above it.
pub(super) fn photos(model: &Path, images: &[ModelImage]) -> ImageFolder {
    let absolute = std::path::absolute(model).unwrap_or_else(|_| model.to_owned());
    // Relative paths stay relative as long as they can be climbed.
    let climb = |levels: usize| match model.ancestors().nth(levels) {
        Some(path) if !path.as_os_str().is_empty() => Some(path.to_owned()),
        Some(_) => Some(PathBuf::from(".")),
        None => absolute.ancestors().nth(levels).map(Path::to_owned),
    };
    let best_of = |names_beside: &[&str]| {
        let mut best: Option<(usize, PathBuf, PathBuf)> = None;
        for root in (0..=ABOVE).filter_map(climb) {
            for beside in names_beside {
                let folder = if beside.is_empty() { root.clone() } else { root.join(beside) };
                let tried = images.iter().take(TRIED);
                let there = || tried.filter(|image| place_of(&folder, &image.name).is_some()).count();
                let found = if folder.is_dir() { there() } else { 0 };
                if found > best.as_ref().map_or(0, |(most, ..)| *most) {
                    best = Some((found, root.clone(), folder));
                }
            }
        }
        best
    };
    let best = best_of(&BESIDE).or_else(|| best_of(&COPIES));
    let (_, root, folder) = best.unwrap_or_else(|| {
        let above = model.parent().filter(|parent| parent.file_name().is_some_and(|name| name == "sparse"));
        let root = above.and_then(Path::parent).unwrap_or(model).to_owned();
        (0, root.clone(), root.join("images"))
    });
    let masks = Some(root.join("masks")).filter(|masks| masks.is_dir());
    ImageFolder { root, folder, masks }
}

/// An image's path below a folder, if it is there: its name or, where that is a path of another machine, what that ends in.
pub(super) fn place_of(folder: &Path, name: &str) -> Option<String> {
    let is_there = |below: &str| folder.join(below).is_file();
    if let Some(name) = inside(name).filter(|name| is_there(name)) {
        return Some(name.to_owned());
    }
    let foreign = name.contains('\\') || name.contains(':') || Path::new(name).is_absolute();
    let parts: Vec<&str> = name.split(['/', '\\']).filter(|part| !matches!(*part, "" | ".")).collect();
    if !foreign || parts.contains(&"..") {
        return None;
    }
    // The longest end first.
    let mut ends = (1..=parts.len().min(PARTS)).rev().map(|n| parts[parts.len() - n..].join("/"));
    ends.find(|end| is_there(end))
}

/// An image's name if it is a path below the image folder.
pub(super) fn inside(name: &str) -> Option<&str> {
    let parts = || Path::new(name).components();
    parts().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)).then_some(name)
}
