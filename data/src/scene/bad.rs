//! Photos that are there and cannot be used: empty, cut, damaged, of a kind that is not read, pointers of Git LFS.
//!
//! One rule for all: the scene is refused with the name of each and what to do, before anything is trained; with
//! [`LoadOptions::skip_bad`](super::LoadOptions) they are left out like photos that are listed and not there.

use std::path::Path;

use rayon::prelude::*;

use super::Scene;
use super::bad_photo::{BadPhoto, left_out};
use super::error::SceneError;
use super::files::FoundFrame;
use super::view::{OutlinedView, View};
use crate::image::{Image8, ImageHeader};

/// Reads the headers of all photos. Where some cannot be used, that is an error, or `skip` takes them out and there is
/// something to say.
pub(super) fn headers(
    source: &Path,
    found: &mut Vec<FoundFrame>,
    skip: bool,
) -> Result<(Vec<ImageHeader>, Option<String>), SceneError> {
    let read: Vec<_> = found.par_iter().map(|found| ImageHeader::read(&found.path)).collect();
    let (mut headers, mut bad) = (Vec::with_capacity(found.len()), Vec::new());
    for (found, header) in found.iter().zip(&read) {
        match header {
            Ok(header) => headers.push(*header),
            Err(error) => bad.push(BadPhoto::new(&found.path, error)),
        }
    }
    if bad.is_empty() {
        return Ok((headers, None));
    }
    if !skip || headers.is_empty() {
        // The pixels of the others, so that all are named at once.
        let whole = found.par_iter().zip(&read).filter(|(_, header)| header.is_ok());
        let damaged = whole.filter_map(|(found, _)| {
            Image8::open(&found.path).err().map(|error| BadPhoto::new(&found.path, &error))
        });
        bad.extend(damaged.collect::<Vec<_>>());
        return Err(SceneError::BadPhotos { path: source.to_owned(), bad });
    }
    let mut read = read.iter();
    found.retain(|_| read.next().is_some_and(Result::is_ok));
    Ok((headers, Some(left_out(&bad))))
}

/// Decodes all views of a scene, in parallel on the current rayon pool.
pub(super) fn load(outline: Scene<OutlinedView>) -> Result<Scene, SceneError> {
    let (source, skip) = (outline.source.clone(), outline.skip_bad);
    let (mut bad, mut kept) = (Vec::new(), Vec::new());
    let mut scene = outline.with_views(|views| {
        let loaded: Vec<Result<Result<View, BadPhoto>, SceneError>> =
            views.into_par_iter().map(OutlinedView::load).collect();
        let mut whole = Vec::with_capacity(loaded.len());
        for (index, view) in loaded.into_iter().enumerate() {
            match view? {
                Ok(view) => {
                    kept.push(index);
                    whole.push(view);
                }
                Err(photo) => bad.push(photo),
            }
        }
        if !bad.is_empty() && (!skip || whole.is_empty()) {
            return Err(SceneError::BadPhotos { path: source, bad: std::mem::take(&mut bad) });
        }
        Ok(whole)
    })?;
    if !bad.is_empty() {
        scene.keep(&kept);
        scene.warnings.push(left_out(&bad));
    }
    Ok(scene)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use nalgebra::Point3;

    use super::*;
    use crate::scene::{LoadOptions, load as load_scene, outline};
    use crate::testing::{ngp_scene, orbit};

    const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";

    /// Ten photographs, of which these are bad in as many ways.
    fn scene(bad: &[usize]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        ngp_scene(folder.path(), &orbit(10, 3.0, Point3::origin()), |_| {});
        for (kind, i) in bad.iter().enumerate() {
            let path = folder.path().join(format!("images/{i:02}.png"));
            let bytes = fs::read(&path).unwrap();
            match kind % 4 {
                0 => fs::write(&path, "").unwrap(),
                1 => fs::write(&path, POINTER).unwrap(),
                2 => fs::write(&path, &bytes[..bytes.len() - 30]).unwrap(),
                _ => fs::write(&path, "text").unwrap(),
            }
        }
        folder
    }

    #[test]
    fn every_bad_photo_is_named_at_once_with_what_to_do() {
        let folder = scene(&[1, 3, 5, 7]);
        let Err(SceneError::BadPhotos { bad, .. }) = outline(folder.path(), &LoadOptions::default()) else {
            panic!("not refused")
        };
        let mut names: Vec<_> = bad.iter().map(|bad| bad.path.file_name().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["01.png", "03.png", "05.png", "07.png"]);
        let error = load_scene(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
        for part in
            ["4 photos cannot be used", "an empty file", "git lfs pull", "07.png: not a PNG", "--skip-bad"]
        {
            assert!(error.contains(part), "{part} in {error}");
        }
        // Cut ones alone: found by decoding, all of them.
        let folder = scene(&[]);
        for i in [2, 4] {
            let path = folder.path().join(format!("images/{i:02}.png"));
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() - 30]).unwrap();
        }
        let error = load_scene(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
        assert!(
            error.contains("2 photos") && error.contains("02.png") && error.contains("04.png"),
            "{error}"
        );
    }

    #[test]
    fn skipped_photos_leave_the_rest_as_it_is() {
        let (whole, folder) = (scene(&[]), scene(&[1, 3, 5, 7]));
        let options = LoadOptions { skip_bad: true, ..LoadOptions::default() };
        let (whole, rest) =
            (load_scene(whole.path(), &options).unwrap(), load_scene(folder.path(), &options).unwrap());
        assert_eq!((whole.views.len(), rest.views.len()), (10, 6));
        let named = |scene: &Scene, views: &[usize]| -> Vec<String> {
            views.iter().map(|view| scene.views[*view].name.clone()).collect()
        };
        assert_eq!(named(&rest, &rest.splits.test), named(&whole, &whole.splits.test));
        let train: Vec<String> = [2, 4, 6, 9].map(|i| format!("images/{i:02}.png")).into();
        assert_eq!(named(&rest, &rest.splits.train), train);
        let said = rest.warnings.join("\n");
        assert!(said.contains("left out 3 photos") && said.contains("left out 1 photo "), "{said}");
        // Not one is left.
        for i in 0..10 {
            fs::write(folder.path().join(format!("images/{i:02}.png")), "").unwrap();
        }
        let Err(SceneError::BadPhotos { bad, .. }) = load_scene(folder.path(), &options) else {
            panic!("not refused")
        };
        assert_eq!(bad.len(), 10);
    }
}
