//! Outlines: a scene without its pixels, from its files and the images' headers.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::detect::detect;
use super::error::{SceneError, field_error};
use super::files::{self, Files, FoundFrame};
use super::listing::{ListedFrame, ListedLens, Listing, SceneFormat, plain_name};
use super::memory::MemoryEstimate;
use super::order::natural;
use super::points::ScenePoint;
use super::splits::{Split, Splits, holdout, keeps};
use super::view::OutlinedView;
use super::{LoadOptions, MaskUse, Scene, ViewChoice, bad, masks, placement};
use crate::camera::{Camera, Lens};
use crate::image::{Clear, ImageHeader};

/// A [`Scene`] without its pixels.
pub type Outline = Scene<OutlinedView>;

impl Outline {
    /// What loading it would take, on the current rayon pool.
    pub fn memory(&self) -> MemoryEstimate {
        self.memory_with(|view| (view.camera.intrinsics.width, view.camera.intrinsics.height))
    }

    /// The same with the images' sides divided by `downscale` instead of what was asked for.
    pub fn memory_at(&self, downscale: u32) -> MemoryEstimate {
        let n = downscale.max(1);
        self.memory_with(|view| (view.header.width / n, view.header.height / n))
    }

    fn memory_with(&self, size: impl Fn(&OutlinedView) -> (u32, u32)) -> MemoryEstimate {
        let bytes = || self.views.iter().map(|view| view.bytes(size(view)));
        let largest = bytes().map(|(_, decoding)| decoding).max().unwrap_or(0);
        let at_once = rayon::current_num_threads().min(self.views.len()) as u64;
        MemoryEstimate { images: bytes().map(|(kept, _)| kept).sum(), decoding: at_once * largest }
    }

    /// Keeps some of its views, as if its files had listed no others: where none of these is held out, though some were,
    /// every n-th is; and of each split no more than the allowed number. The unit frame stays.
    pub fn choose(&mut self, used: &[bool], options: &LoadOptions) {
        let held_out = |splits: &Splits| splits.val.len() + splits.test.len();
        let before = held_out(&self.splits);
        self.retain(used);
        if before > 0 && held_out(&self.splits) == 0 {
            let count = self.views.len();
            let mut order: Vec<usize> = (0..count).collect();
            order.sort_by(|&a, &b| natural(&self.views[a].name, &self.views[b].name));
            let mut splits = vec![Split::Train; count];
            for (i, view) in order.into_iter().enumerate() {
                splits[view] = holdout(i, options.holdout_every, count);
            }
            self.splits = Splits::from_views(splits);
        }
        if let Some(limit) = options.max_images {
            let mut used = vec![false; self.views.len()];
            for split in Split::ALL {
                let views = self.splits.get(split);
                let kept = views.iter().enumerate().filter(|(i, _)| keeps(*i, views.len(), limit.max(1)));
                kept.for_each(|(_, &view)| used[view] = true);
            }
            self.retain(&used);
        }
    }

    /// Keeps some of its views; of the points, those that one of these saw, or of which it is not known.
    fn retain(&mut self, used: &[bool]) {
        let is_used = |view: usize| used.get(view).copied().unwrap_or(false);
        let mut next = 0;
        let places: Vec<Option<u32>> = (0..self.views.len())
            .map(|view| {
                let place = is_used(view).then_some(next);
                next += u32::from(place.is_some());
                place
            })
            .collect();
        let splits =
            Split::ALL.into_iter().flat_map(|split| self.splits.get(split).iter().map(move |&v| (v, split)));
        let mut splits: Vec<(usize, Split)> = splits.filter(|(view, _)| is_used(*view)).collect();
        splits.sort_unstable_by_key(|(view, _)| *view);
        self.splits = Splits::from_views(splits.into_iter().map(|(_, split)| split));
        let mut view = 0;
        self.views.retain(|_| {
            view += 1;
            is_used(view - 1)
        });
        self.points.retain_mut(|point| {
            let unknown = point.views.is_empty();
            point.views =
                point.views.iter().filter_map(|&view| places.get(view as usize).copied().flatten()).collect();
            unknown || !point.views.is_empty()
        });
    }

    /// Decodes the images, masks and depth maps, in parallel on the current rayon pool; no other file is read again.
    ///
    /// # Errors
    /// If one of them is damaged, or does not fit its image; all damaged images are named.
    pub fn load(self) -> Result<Scene, SceneError> {
        bad::load(self)
    }
}

/// Reads everything about a scene but its pixels.
///
/// # Errors
/// As [`load`](super::load), apart from damaged pixels and the memory limit.
pub fn outline(path: &Path, options: &LoadOptions) -> Result<Outline, SceneError> {
    if options.views == ViewChoice::All {
        return whole(path, options);
    }
    // The limit is for those that are chosen.
    let mut outline = whole(path, &LoadOptions { max_images: None, ..options.clone() })?;
    let used = options.views.of(&outline)?;
    outline.choose(&used, options);
    Ok(outline)
}

fn whole(path: &Path, options: &LoadOptions) -> Result<Outline, SceneError> {
    let Listing { source, format, placement, frames, mut points, mut warnings } = detect(path)?.read()?;
    // Before any view is left out, so that the unit frame depends on nothing but the scene.
    let frame_is_stated = placement.is_some();
    let placement = placement.unwrap_or_else(|| placement::find(&frames, &points));
    let names = listed_names(&frames);
    let Files { mut found, missing, warnings: more } = files::find(&source, frames)?;
    warnings.extend(more);
    warnings.extend(masks::beside(&mut found));
    assign_splits(&mut found, &names, options);
    let (headers, left_out) = bad::headers(&source, &mut found, options.skip_bad)?;
    warnings.extend(left_out);
    renumber(&mut points, &found);
    let checked = found.par_iter().zip(&headers).map(|(found, header)| check(found, *header, options));
    let checked = checked.collect::<Result<Vec<_>, SceneError>>()?;

    let rescaled = checked.iter().filter(|c| c.rescaled).count();
    // LLFF always states the full size.
    if rescaled > 0 && format != SceneFormat::Llff {
        warnings.push(format!(
            "{rescaled} images differ in size from w and h; their intrinsics were scaled to fit"
        ));
    }
    let folded = checked.iter().filter(|c| c.folded).count();
    if folded > 0 {
        warnings.push(format!(
            "the distortion model of {folded} images does not reach their corners; rays there are approximate"
        ));
    }
    let without_depth =
        found.iter().filter(|f| f.frame.depth.as_ref().is_some_and(|d| !d.path.is_file())).count();
    if without_depth > 0 {
        warnings.push(format!(
            "{without_depth} listed depth maps do not exist; their images are used without depth"
        ));
    }
    let resized = checked.iter().filter(|c| c.mask_resized).count();
    if resized > 0 {
        warnings.push(format!(
            "the masks of {resized} images have another size than the images: they are resized to it, by the nearest pixel"
        ));
    }
    warnings.extend(masks::without_images(&source, format, &found));
    let splits = Splits::from_views(found.iter().map(|f| f.split));
    let views: Vec<_> = checked.into_iter().map(|c| c.view).collect();
    Ok(Outline {
        name: scene_name(&source),
        views,
        splits,
        aabb_scale: placement.aabb_scale,
        frame: placement.frame,
        frame_is_stated,
        near: placement.near,
        points,
        source,
        format,
        missing,
        warnings,
        skip_bad: options.skip_bad,
    })
}

/// The names of all frames, each once, in natural order.
fn listed_names(frames: &[ListedFrame]) -> Vec<String> {
    let mut names: Vec<String> = frames.iter().map(|frame| plain_name(&frame.name).to_owned()).collect();
    names.sort_by(|a, b| natural(a, b));
    names.dedup();
    names
}

/// Holds out views where the files give no splits, then keeps the allowed number of each split. What is held out goes by
/// the listed `names`, so that it stays the same when a photo is missing.
fn assign_splits(found: &mut Vec<FoundFrame>, names: &[String], options: &LoadOptions) {
    if found.iter().any(|f| f.frame.split.is_none()) {
        found.sort_by(|a, b| natural(plain_name(&a.frame.name), plain_name(&b.frame.name)));
        let (every, count) = (options.holdout_every, found.len());
        let places: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        for f in found.iter_mut() {
            let place = places.get(plain_name(&f.frame.name)).copied().unwrap_or(0);
            f.split = holdout(place, every, count);
        }
        if found.iter().all(|f| f.split != Split::Train) {
            // What is left would all be held out.
            found.iter_mut().enumerate().for_each(|(i, f)| f.split = holdout(i, every, count));
        }
        if let Some(recorded) = &options.recorded {
            if options.max_images.is_some() {
                found.retain(|f| recorded.contains_key(plain_name(&f.frame.name)));
            }
            for f in found.iter_mut() {
                f.split = recorded.get(plain_name(&f.frame.name)).copied().unwrap_or(f.split);
            }
        }
    }
    if let Some(limit) = options.max_images {
        let count = |split| found.iter().filter(|f| f.split == split).count();
        let counts = Split::ALL.map(count);
        let mut seen = [0; 3];
        found.retain(|f| {
            let split = f.split as usize;
            seen[split] += 1;
            keeps(seen[split] - 1, counts[split], limit.max(1))
        });
    }
}

/// Replaces indices of listed frames by indices of views; views that were left out are removed from the points.
fn renumber(points: &mut [ScenePoint], found: &[FoundFrame]) {
    let views: HashMap<u32, u32> = found.iter().zip(0..).map(|(found, view)| (found.listed, view)).collect();
    for point in points {
        point.views = point.views.iter().filter_map(|listed| views.get(listed).copied()).collect();
        point.views.sort_unstable();
    }
}

struct Checked {
    view: OutlinedView,
    rescaled: bool,
    /// A corner lies beyond the radius up to which the lens can be inverted.
    folded: bool,
    mask_resized: bool,
}

/// Fits one frame's lens to its image.
fn check(found: &FoundFrame, header: ImageHeader, options: &LoadOptions) -> Result<Checked, SceneError> {
    let FoundFrame { frame, path, .. } = found;
    let turn = header.turn_for(|width, height| frame.lens.fits(width, height));
    let mut header = header.turned(turn);
    let emptied = options.masks == MaskUse::Empty && frame.mask.is_some();
    if frame.clear != Clear::default() || found.alpha.is_some() || emptied {
        header.channels = 4;
    }
    if let Some(mask) = frame.mask.as_ref().map(|mask| &mask.path).filter(|mask| !mask.is_file()) {
        let field = format!("{}.mask_path", frame.place);
        let problem = format!("{} does not exist; put it there or remove the field", mask.display());
        return Err(field_error(&frame.listed_in, &field, &problem));
    }
    let resolved = frame.lens.resolve(header.width, header.height).map_err(|(field, problem)| {
        let field = match frame.lens {
            ListedLens::Fields(_) => format!("{} or the file: {field}", frame.place),
            ListedLens::Known(_) => frame.place.clone(),
        };
        field_error(&frame.listed_in, &field, &format!("{problem} (image {})", path.display()))
    })?;
    let intrinsics = resolved
        .intrinsics
        .downscale(options.downscale)
        .map_err(|e| field_error(&frame.listed_in, &frame.place, &format!("{e} ({})", path.display())))?;
    let lens = Lens::new(intrinsics.distortion);
    let (w, h) = (f64::from(intrinsics.width), f64::from(intrinsics.height));
    let folded = [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)]
        .iter()
        .any(|&(px, py)| lens.undistort(intrinsics.normalised(px, py)).is_none());
    let view = OutlinedView {
        name: plain_name(&frame.name).to_owned(),
        path: path.clone(),
        camera: Camera { intrinsics, pose: frame.pose },
        header,
        turn,
        clear: frame.clear,
        alpha: found.alpha.clone(),
        downscale: options.downscale,
        mask: frame.mask.clone(),
        masks: options.masks,
        depth: frame.depth.clone().filter(|file| file.path.is_file()),
    };
    // One that cannot be read is an error when it is loaded.
    let mask = view.mask.as_ref().and_then(|mask| ImageHeader::read(&mask.path).ok());
    let mask_resized = mask.is_some_and(|mask| (mask.width, mask.height) != (header.width, header.height));
    Ok(Checked { view, rescaled: resolved.rescaled, folded, mask_resized })
}

fn scene_name(source: &Path) -> String {
    let folder = if source.is_dir() { Some(source) } else { source.parent() };
    // The parent of a bare file name is the empty path, which means the current folder.
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let absolute = folder.canonicalize().ok();
    let name = absolute.as_deref().and_then(Path::file_name);
    name.map_or_else(|| "scene".to_owned(), |name| name.to_string_lossy().into_owned())
}
