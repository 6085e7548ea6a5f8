//! Masks and alpha that no list names: Instant-NGP's files beside the images, folders of masks that nobody uses.

use std::path::{Path, PathBuf};

use super::files::FoundFrame;
use super::listing::{MaskFile, SceneFormat, plain_name};

/// Gives each image what Instant-NGP finds beside it: `dynamic_mask_NAME.png`, white where pixels are left out, and
/// `NAME.EXT.alpha.EXT`, whose red is the alpha. Returns what there is to say about them.
pub(super) fn beside(found: &mut [FoundFrame]) -> Vec<String> {
    let (mut dynamic, mut alphas, mut unused) = (0, 0, 0);
    for found in found {
        found.alpha = alpha_beside(&found.path);
        alphas += usize::from(found.alpha.is_some());
        let Some(path) = dynamic_mask_beside(&found.path) else { continue };
        if found.frame.mask.is_some() {
            unused += 1;
        } else {
            found.frame.mask = Some(MaskFile { path, inverted: true });
            dynamic += 1;
        }
    }
    let mut said = Vec::new();
    if dynamic > 0 {
        said.push(format!("{dynamic} images have a dynamic_mask_*.png: what is white in it is left out"));
    }
    if alphas > 0 {
        said.push(format!("{alphas} images have their alpha in a file of its own (*.alpha.*)"));
    }
    if unused > 0 {
        said.push(format!("{unused} dynamic_mask_*.png are ignored: their images have a mask_path, too"));
    }
    said
}

fn dynamic_mask_beside(image: &Path) -> Option<PathBuf> {
    let name = format!("dynamic_mask_{}.png", image.file_stem()?.to_str()?);
    Some(image.with_file_name(name)).filter(|path| path.is_file())
}

/// Where the image is listed without its extension, so is the name of its alpha.
fn alpha_beside(image: &Path) -> Option<PathBuf> {
    let (name, stem) = (image.file_name()?.to_str()?, image.file_stem()?.to_str()?);
    let extension = image.extension()?.to_str()?;
    let named = |listed: &str| image.with_file_name(format!("{listed}.alpha.{extension}"));
    [named(name), named(stem)].into_iter().find(|path| path.is_file())
}

/// A warning if there is a folder of masks beside the images and some images have no mask.
pub(super) fn without_images(source: &Path, format: SceneFormat, found: &[FoundFrame]) -> Option<String> {
    let root = if source.is_dir() { source } else { source.parent()? };
    let folder = ["masks", "mask"].into_iter().find(|name| root.join(name).is_dir())?;
    let without: Vec<&FoundFrame> = found.iter().filter(|f| f.frame.mask.is_none()).collect();
    let name = plain_name(&without.first()?.frame.name);
    let remedy = match format {
        SceneFormat::Colmap => format!("name that of {name} masks/{name}.png"),
        SceneFormat::Llff => {
            let name = name.rsplit('/').next().unwrap_or(name);
            format!("name that of {name} masks/{name}.png")
        }
        _ => "list each as its frame's mask_path".to_owned(),
    };
    Some(format!(
        "{} exists, but {} of {} images have no mask: {remedy}",
        root.join(folder).display(),
        without.len(),
        found.len()
    ))
}
