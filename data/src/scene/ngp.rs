//! Instant-NGP's `transforms.json`: one file, intrinsics for all frames or each, OpenCV distortion, and the
//! scene's placement. Nerfstudio's files are the same with lists of which frame is for what, and with what
//! `nerfstudio.rs` reads, instead of the placement.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::error::{SceneError, field_error};
use super::listing::{Listing, SceneFormat, plain_name};
use super::splits::Split;
use super::transforms;

/// The file's usual name.
pub(super) const FILE: &str = "transforms.json";

/// Lists a file's frames, in its order.
pub(super) fn read(path: &Path) -> Result<Listing, SceneError> {
    let file = transforms::read(path)?;
    let mut warnings = Vec::new();
    let splits = split_names(&file.split_lists);
    if let Some(splits) = &splits {
        let listed: HashSet<_> = file.frames.iter().map(|frame| plain_name(&frame.file_path)).collect();
        let unknown = splits.keys().filter(|name| !listed.contains(*name)).count();
        if unknown > 0 {
            warnings.push(format!("{unknown} file names in the split lists are not among the frames"));
        }
        let named = file.split_lists.iter().flatten().flatten().map(|name| plain_name(name));
        let twice = named.count() - splits.len();
        if twice > 0 {
            warnings.push(format!(
                "{twice} file names are in the split lists more than once; those for training are not held out"
            ));
        }
    }
    let lists_training = file.split_lists[0].as_ref().is_some_and(|list| !list.is_empty());
    warnings.extend(file.warnings);
    let mut unused = 0;
    let mut frames = Vec::new();
    for (index, frame) in file.frames.into_iter().enumerate() {
        let split = match &splits {
            None => None,
            Some(splits) => match splits.get(plain_name(&frame.file_path)) {
                Some(&split) => Some(split),
                // Without a list for training, all frames that are not held out are trained on.
                None if !lists_training => Some(Split::Train),
                None => {
                    unused += 1;
                    continue;
                }
            },
        };
        frames.push(frame.listed(index, split, path, &file.lens, file.clear));
    }
    if frames.is_empty() {
        let problem = format!("name none of the {unused} frames; write the names as in file_path");
        return Err(field_error(path, "the split lists", &problem));
    }
    if unused > 0 {
        warnings.push(format!("{unused} frames are in none of the split lists and were left out"));
    }
    let Some(origin) = file.origin else {
        return Ok(Listing {
            source: path.to_owned(),
            format: SceneFormat::InstantNgp,
            placement: Some(file.placement),
            frames,
            points: Vec::new(),
            warnings,
        });
    };
    if origin.is_cropped() {
        warnings.push(CROPPED.to_owned());
    }
    let (points, warning) = origin.points()?;
    warnings.extend(warning);
    Ok(Listing {
        source: path.to_owned(),
        format: SceneFormat::Nerfstudio,
        placement: None,
        frames,
        points,
        warnings,
    })
}

const CROPPED: &str = "fisheye_crop_radius is not applied: pixels beyond it are trained on too, unless masks (mask_path) \
    leave them out";

/// The split of each named frame; `None` if the file has no lists, or empty ones.
fn split_names(lists: &[Option<Vec<String>>; 3]) -> Option<HashMap<&str, Split>> {
    lists.iter().flatten().any(|list| !list.is_empty()).then_some(())?;
    let pairs = lists
        .iter()
        .zip(Split::ALL)
        .flat_map(|(list, split)| list.iter().flatten().map(move |name| (plain_name(name), split)));
    // Training first: a frame named twice stays out of evaluation.
    let mut names = HashMap::new();
    for (name, split) in pairs {
        names.entry(name).or_insert(split);
    }
    Some(names)
}
