//! Which format a path holds, and with it which reader lists its frames.

use std::path::{Path, PathBuf};

use super::below::files_below;
use super::error::SceneError;
use super::files::existing;
use super::listing::Listing;
use super::order::natural;
use super::photo_files::{is_photo, photos_in};
use super::splits::Split;
use super::{blender, colmap, llff, ngp};
use crate::image::FileKind;

/// A recognized scene: what to read, and with which reader.
#[derive(Debug, PartialEq)]
pub(super) enum Detected {
    /// A folder.
    Blender(PathBuf),
    /// A file, Instant-NGP's or Nerfstudio's.
    Transforms(PathBuf),
    /// A folder in or below which there is a model.
    Colmap(PathBuf),
    /// The file.
    Llff(PathBuf),
}

impl Detected {
    /// Lists the frames, with the reader of the format.
    pub fn read(&self) -> Result<Listing, SceneError> {
        match self {
            Self::Blender(folder) => blender::read(folder),
            Self::Transforms(file) => ngp::read(file),
            Self::Colmap(folder) => model_or_llff(folder),
            Self::Llff(file) => llff::read(file),
        }
    }
}

/// A COLMAP model, or the LLFF file beside it where none of the model's images is left: only smaller ones under other
/// names, as LLFF's scenes have them.
fn model_or_llff(folder: &Path) -> Result<Listing, SceneError> {
    let file = folder.join(llff::FILE);
    let model = match colmap::read(folder) {
        Err(model) if file.is_file() => {
            return Err(SceneError::Instead { model: Box::new(model), other: file });
        }
        model => model?,
    };
    let absent = || model.frames.iter().all(|frame| existing(&frame.image).is_none());
    if file.is_file() && absent() { llff::read(&file) } else { Ok(model) }
}

/// How many levels below a folder that is not a scene are searched for photos.
const LEVELS: usize = 3;

const LOOKED_FOR: [&str; 6] = [
    blender::TRAIN_FILE,
    ngp::FILE,
    "a COLMAP model (sparse/0/cameras.bin or .txt)",
    llff::FILE,
    "transforms_val.json",
    "transforms_test.json",
];

/// Recognizes a folder by the files in it, and a JSON file by its name: a `transforms_{split}.json` means its whole
/// folder, any other is read as Instant-NGP's.
pub(super) fn detect(path: &Path) -> Result<Detected, SceneError> {
    if path.is_dir() {
        let has_split = |split: Split| path.join(blender::file_name(split)).is_file();
        if has_split(Split::Train) {
            return Ok(Detected::Blender(path.to_owned()));
        }
        if path.join(ngp::FILE).is_file() {
            return Ok(Detected::Transforms(path.join(ngp::FILE)));
        }
        // A model says more (the lens, points) than the LLFF file that was made of it.
        if !colmap::models(path).is_empty() {
            return Ok(Detected::Colmap(path.to_owned()));
        }
        if path.join(llff::FILE).is_file() {
            return Ok(Detected::Llff(path.join(llff::FILE)));
        }
        // Without the training split the reader's error names the missing file.
        if has_split(Split::Val) || has_split(Split::Test) {
            return Ok(Detected::Blender(path.to_owned()));
        }
        return Err(match bare_photos(path) {
            Some(error) => error,
            None => unrecognised(path),
        });
    }
    if !path.exists() {
        return Err(SceneError::NotFound { path: path.to_owned() });
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if Split::ALL.iter().any(|&split| name == blender::file_name(split)) {
        return Ok(Detected::Blender(path.parent().unwrap_or(Path::new(".")).to_owned()));
    }
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return Ok(Detected::Transforms(path.to_owned()));
    }
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy")) {
        return Ok(Detected::Llff(path.to_owned()));
    }
    // One of a model's files stands for the model.
    if ["cameras", "images", "points3D"].iter().any(|stem| path.file_stem().is_some_and(|name| name == *stem))
        && let Some(folder) = path.parent()
        && !colmap::models(folder).is_empty()
    {
        return Ok(Detected::Colmap(folder.to_owned()));
    }
    Err(unrecognised(path))
}

/// The error for a folder that contains photos without poses, itself or in `images/`.
fn bare_photos(path: &Path) -> Option<SceneError> {
    let folders = [path.to_owned(), path.join("images")];
    folders
        .into_iter()
        .map(|folder| (photos_in(&folder), folder))
        .find(|(images, _)| !images.is_empty())
        .map(|(images, folder)| SceneError::BarePhotos { path: path.to_owned(), folder, images })
}

fn unrecognised(path: &Path) -> SceneError {
    let below = scenes_below(path);
    let hint = if !below.is_empty() {
        let names: Vec<String> = below.iter().map(|scene| scene.display().to_string()).collect();
        let them = if names.len() == 1 { "it" } else { "one of them" };
        return SceneError::Unrecognised {
            path: path.to_owned(),
            looked_for: LOOKED_FOR.to_vec(),
            hint: format!("; below it there is {}: give {them}", names.join(", ")),
        };
    } else if path.join("database.db").is_file() || path.join("sparse").is_dir() {
        "; COLMAP was run here, but left no model: run its mapper again, with more or larger photos"
    } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ply")) {
        "; points alone cannot be trained on: give the folder with the photos"
    } else if inside(path, &|entry| matches!(FileKind::of(entry), Ok(FileKind::Video(_)))) {
        "; it contains a video: give the video itself, and nerve prints the commands that extract frames from it"
    } else if files_below(path, LEVELS).iter().any(|file| is_photo(file)) {
        "; folders in it contain photos: give one of them, or put all photos into one folder"
    } else {
        ""
    };
    SceneError::Unrecognised { path: path.to_owned(), looked_for: LOOKED_FOR.to_vec(), hint: hint.to_owned() }
}

/// The scenes in the folders below a folder, in natural order.
pub fn scenes_below(path: &Path) -> Vec<PathBuf> {
    let files = files_below(path, LEVELS);
    let of = |file: &PathBuf| {
        let (folder, name) = (file.parent()?, file.file_name()?.to_str()?);
        let is_list = [blender::TRAIN_FILE, ngp::FILE, llff::FILE].contains(&name);
        if !is_list && !["cameras.bin", "cameras.txt"].contains(&name) {
            return None;
        }
        // A model in `scene/sparse/0` or `scene/sparse` is the scene's.
        let sparse = folder.ancestors().take(2).find(|above| above.ends_with("sparse"));
        Some(sparse.and_then(Path::parent).unwrap_or(folder).to_owned())
    };
    let mut scenes: Vec<PathBuf> = files.iter().filter_map(of).filter(|scene| scene != path).collect();
    scenes.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    scenes.dedup();
    scenes
}

/// Whether a folder contains such an entry.
fn inside(folder: &Path, is_such: &dyn Fn(&Path) -> bool) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| is_such(&entry.path())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn photos_without_poses_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let bare = |path: &Path| match detect(path) {
            Err(SceneError::BarePhotos { path: given, folder, images }) => {
                assert_eq!(given, path);
                (folder, images)
            }
            other => panic!("{other:?}"),
        };
        fs::create_dir(root.join("images")).unwrap();
        fs::write(root.join("readme.md"), "").unwrap();
        assert!(matches!(detect(root), Err(SceneError::Unrecognised { .. })));
        let images = [root.join("images/img_2.JPG"), root.join("images/img_10.png")];
        images.iter().for_each(|image| fs::write(image, "").unwrap());
        assert_eq!(bare(root), (root.join("images"), images.to_vec()));
        assert_eq!(bare(&root.join("images")), (root.join("images"), images.to_vec()));
        fs::write(root.join("a.jpeg"), "").unwrap();
        assert_eq!(bare(root), (root.to_owned(), vec![root.join("a.jpeg")]));
        // By content whatever the name, and never what is hidden.
        fs::write(root.join("frame"), b"\xff\xd8\xff\xe0").unwrap();
        fs::write(root.join("._a.jpeg"), b"\xff\xd8\xff\xe0").unwrap();
        assert_eq!(bare(root), (root.to_owned(), vec![root.join("a.jpeg"), root.join("frame")]));
        fs::write(root.join("transforms.json"), "").unwrap();
        assert!(detect(root).is_ok());
    }

    #[test]
    fn what_is_almost_a_scene_is_told_how_to_become_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let hint = |path: &Path| match detect(path) {
            Err(SceneError::Unrecognised { hint, .. }) => hint,
            other => panic!("{other:?}"),
        };
        assert_eq!(hint(root), "");
        fs::create_dir_all(root.join("left")).unwrap();
        fs::write(root.join("left/1.jpg"), "").unwrap();
        assert!(hint(root).contains("folders in it contain photos"));
        fs::create_dir_all(root.join("trips/2024/june/first")).unwrap();
        fs::rename(root.join("left/1.jpg"), root.join("trips/2024/june/first/1.jpg")).unwrap();
        assert_eq!(hint(root), "", "too far down");
        fs::rename(root.join("trips/2024/june/first/1.jpg"), root.join("trips/2024/june/1.jpg")).unwrap();
        assert!(hint(root).contains("folders in it contain photos"));
        fs::write(root.join("clip"), b"\0\0\0\x18ftypisom\0\0\0\0").unwrap();
        assert!(hint(root).contains("it contains a video"));
        fs::write(root.join("points.ply"), "").unwrap();
        assert!(hint(&root.join("points.ply")).contains("points alone"));
    }

    #[test]
    fn scenes_in_folders_below_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(scenes_below(root), Vec::<PathBuf>::new());
        let files = ["b/sparse/0/cameras.bin", "synthetic/lego/transforms_train.json", "a/poses_bounds.npy"];
        for file in files.iter().chain(&["a/sparse/cameras.txt", "runs/1/transforms.json"]) {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        assert_eq!(scenes_below(root), ["a", "b", "synthetic/lego"].map(|scene| root.join(scene)));
        let error = detect(root).unwrap_err().to_string();
        assert!(error.contains("synthetic/lego: give one of them"), "{error}");
        let error = detect(&root.join("synthetic")).unwrap_err().to_string();
        assert!(error.contains("lego: give it"), "{error}");
    }

    #[test]
    fn recognises_folders_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let error = detect(root).unwrap_err().to_string();
        for name in LOOKED_FOR {
            assert!(error.contains(name), "{error}");
        }
        fs::create_dir(root.join("sparse")).unwrap();
        assert!(detect(root).unwrap_err().to_string().contains("COLMAP"));
        assert!(matches!(detect(&root.join("absent")), Err(SceneError::NotFound { .. })));

        fs::write(root.join("poses_bounds.npy"), "").unwrap();
        let llff = Detected::Llff(root.join("poses_bounds.npy"));
        assert_eq!(detect(root).unwrap(), llff);
        assert_eq!(detect(&root.join("poses_bounds.npy")).unwrap(), llff);
        fs::create_dir(root.join("sparse/0")).unwrap();
        fs::write(root.join("sparse/0/cameras.bin"), "").unwrap();
        for below in ["", "sparse", "sparse/0"] {
            let below = root.join(below);
            assert_eq!(detect(&below).unwrap(), Detected::Colmap(below));
        }
        let model = Detected::Colmap(root.join("sparse/0"));
        assert_eq!(detect(&root.join("sparse/0/cameras.bin")).unwrap(), model);

        fs::write(root.join("transforms.json"), "{}").unwrap();
        let file = Detected::Transforms(root.join("transforms.json"));
        assert_eq!(detect(root).unwrap(), file);
        fs::write(root.join("transforms_train.json"), "{}").unwrap();
        let blender = Detected::Blender(root.to_owned());
        assert_eq!(detect(root).unwrap(), blender);
        assert_eq!(detect(&root.join("transforms_train.json")).unwrap(), blender);
        assert_eq!(detect(&root.join("transforms.json")).unwrap(), file);
        fs::write(root.join("notes.txt"), "").unwrap();
        assert!(matches!(detect(&root.join("notes.txt")), Err(SceneError::Unrecognised { .. })));
    }
}
