//! The demo scene to train on, without files: what loading the written folder gives.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::camera::{Station, stations};
use super::scene::DemoWorld;
use super::{CAMERA_ANGLE_X, DemoConfig, DemoError, view};
use crate::camera::{Camera, Intrinsics};
use crate::image::{Image8, ImageError};
use crate::scene::{self, LoadOptions, Placement, Scene, SceneFormat, Splits, View};

/// What the scene is called, on the command line too.
const NAME: &str = "demo";

/// Renders the scene as posed images in the usual frames: the same views, cameras and splits as
/// [`scene::load`] gives for the folder that [`write`](super::write) makes.
///
/// # Errors
/// [`DemoError::Config`] when a setting is out of range.
pub fn scene(config: &DemoConfig) -> Result<Scene, DemoError> {
    load(config, &LoadOptions::default(), &|_, _| ())
}

/// Like [`scene`](fn@scene), with the downscaling and number of views of `options`; views that are left out are not
/// rendered. The scene has its own splits: `holdout_every` and the memory limit are ignored.
///
/// `progress(done, total)` is called after each view, from the worker threads.
///
/// # Errors
/// [`DemoError::Config`] when a setting is out of range, [`DemoError::Downscale`] when an image has fewer pixels on
/// a side than the factor.
pub fn load(
    config: &DemoConfig,
    options: &LoadOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Scene, DemoError> {
    config.check()?;
    let solids = DemoWorld::new();
    let stations = kept(config, options.max_images);
    let done = AtomicUsize::new(0);
    let views = stations
        .par_iter()
        .map(|station| {
            let view = posed(&solids, config, station, options.downscale)?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, stations.len());
            Ok(view)
        })
        .collect::<Result<Vec<_>, DemoError>>()?;
    let splits = Splits::from_views(stations.iter().map(|station| station.split));
    let placement = Placement::default();
    Ok(Scene {
        name: NAME.to_owned(),
        views,
        splits,
        aabb_scale: placement.aabb_scale,
        frame: placement.frame,
        frame_is_stated: true,
        near: placement.near,
        points: Vec::new(),
        source: PathBuf::from(NAME),
        // The layout of its written form.
        format: SceneFormat::Blender,
        missing: Vec::new(),
        skip_bad: false,
        warnings: Vec::new(),
    })
}

/// The views to render, at most `limit` of each split.
fn kept(config: &DemoConfig, limit: Option<usize>) -> Vec<Station> {
    let limit = limit.map_or(usize::MAX, |limit| limit.max(1));
    let (mut all, test) = (stations(config), config.train);
    let test = all.split_off(test);
    let thin = |stations: Vec<Station>| {
        let count = stations.len();
        stations.into_iter().enumerate().filter(move |&(i, _)| scene::keeps(i, count, limit)).map(|(_, s)| s)
    };
    thin(all).chain(thin(test)).collect()
}

fn posed(solids: &DemoWorld, config: &DemoConfig, station: &Station, by: u32) -> Result<View, DemoError> {
    let side = config.resolution as u32;
    // As a reader of camera_angle_x computes it.
    let focal = 0.5 * f64::from(side) / (0.5 * CAMERA_ANGLE_X).tan();
    let intrinsics = Intrinsics::pinhole(side, side, focal, focal)
        .downscale(by)
        .map_err(|_| ImageError::Downscale { width: side, height: side, by })?;
    let rgba = view::render(solids, config, station.clone()).rgba;
    let image = Image8::new(side, side, 4, rgba.into_iter().collect::<Vec<u8>>())?.downscale(by)?;
    let name = format!("{}/{}", station.split.name(), station.name);
    let path = PathBuf::from(NAME).join(format!("{name}.png"));
    Ok(View { name, path, camera: Camera { intrinsics, pose: station.pose }, image, mask: None, depth: None })
}
