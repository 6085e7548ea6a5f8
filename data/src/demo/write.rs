//! The demo scene on disk, in the layout of `nerf_synthetic`.
//!
//! ```text
//! demo.json                  what wrote this, with which configuration; units of the files below
//! transforms_train.json      camera_angle_x and frames (file_path "./train/r_0", transform_matrix)
//! transforms_test.json
//! labels.json                class names and colors, by index
//! train/r_0.png              RGBA, straight alpha
//! train/r_0_depth.png        16 bit, DEPTH_UNIT world units a step, 0 = nothing
//! train/r_0_depth.npy        [R, R] f32, exact
//! train/r_0_normal.png       RGB, (n + 1) / 2, black = nothing
//! train/r_0_normal.npy       [R, R, 3] f32, world frame
//! train/r_0_label.png        8 bit, class index
//! ```

use std::fs;
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use image::{ExtendedColorType, ImageFormat};
use nalgebra::Isometry3;
use ndarray::Array2;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::camera::{Station, stations};
use super::scene::{CLASSES, DemoWorld};
use super::{CAMERA_ANGLE_X, DemoConfig, DemoError, DemoView, view};
use crate::npy;
use crate::scene::Split;
use crate::write::write_blender_transforms;

/// World units a step of the 16-bit depth images.
pub(super) const DEPTH_UNIT: f64 = 1e-4;

/// The file that marks a folder as written by the demo.
pub(super) const MANIFEST: &str = "demo.json";

/// Suffixes of a view's files.
const FILES: [&str; 6] = [".png", "_depth.png", "_depth.npy", "_normal.png", "_normal.npy", "_label.png"];

/// Renders the scene into the folder `out` (made if missing), in parallel over views.
///
/// `progress(done, total)` is called after each view, from the worker threads. A demo scene that is
/// already there is replaced; files of other names are left alone.
///
/// # Errors
/// [`DemoError::Config`] for a setting out of range, [`DemoError::Occupied`] when `out` holds files but no
/// demo scene, and the file's name with the cause when something cannot be written.
pub fn write(
    out: &Path,
    config: &DemoConfig,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<(), DemoError> {
    config.check()?;
    claim(out, "scene", "nerve demo")?;
    write_json(&out.join(MANIFEST), &manifest(config))?;
    for split in [Split::Train, Split::Test] {
        let folder = out.join(split.name());
        fs::create_dir_all(&folder).map_err(|source| DemoError::Io { path: folder.clone(), source })?;
        clear(out, split)?;
    }

    let scene = DemoWorld::new();
    let stations = stations(config);
    let done = AtomicUsize::new(0);
    stations.par_iter().try_for_each(|station| -> Result<(), DemoError> {
        let folder = out.join(station.split.name());
        write_view(&folder, &view::render(&scene, config, station.clone()))?;
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, stations.len());
        Ok(())
    })?;

    let classes: Vec<Value> =
        CLASSES.iter().map(|(name, color)| json!({"name": name, "color": color})).collect();
    write_json(&out.join("labels.json"), &json!({"background": 0, "classes": classes}))?;
    // Last, so that an interrupted scene cannot be loaded by mistake.
    for split in [Split::Train, Split::Test] {
        write_blender_transforms(&transforms_path(out, split), CAMERA_ANGLE_X, &frames(&stations, split))?;
    }
    Ok(())
}

/// Makes sure that `out` is a folder that may be written to: empty, or with a manifest that has `value` for `key`.
pub(super) fn claim(out: &Path, key: &str, value: &str) -> Result<(), DemoError> {
    let io = |source| DemoError::Io { path: out.to_owned(), source };
    fs::create_dir_all(out).map_err(io)?;
    let empty = fs::read_dir(out).map_err(io)?.next().is_none();
    let text = fs::read_to_string(out.join(MANIFEST)).ok();
    let manifest = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    // Whatever its configuration.
    if empty || manifest.is_some_and(|manifest| manifest[key] == value) {
        Ok(())
    } else {
        Err(DemoError::Occupied { path: out.to_owned() })
    }
}

/// The name of an image of a set, and of its labels.
pub(super) fn file_name(index: usize) -> String {
    format!("{index:04}.png")
}

/// Makes a set's folders `NAME/PART` and removes what they have beyond the part's images: an earlier set may have had more.
pub(super) fn make_folders(out: &Path, names: &[&str], parts: &[(&str, usize)]) -> Result<(), DemoError> {
    for (part, count) in parts {
        for name in names {
            let folder = out.join(name).join(part);
            fs::create_dir_all(&folder).map_err(|source| DemoError::Io { path: folder.clone(), source })?;
            let more = (*count..).map(|i| folder.join(file_name(i))).take_while(|path| path.exists());
            more.collect::<Vec<_>>().iter().try_for_each(|path| remove(path))?;
        }
    }
    Ok(())
}

/// Removes an earlier scene's poses and views: it may have had more of them.
fn clear(out: &Path, split: Split) -> Result<(), DemoError> {
    remove(&transforms_path(out, split))?;
    for i in 0.. {
        let image = out.join(split.name()).join(format!("r_{i}.png"));
        if !image.exists() {
            break;
        }
        for suffix in FILES {
            remove(&image.with_file_name(format!("r_{i}{suffix}")))?;
        }
    }
    Ok(())
}

pub(super) fn remove(path: &Path) -> Result<(), DemoError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(DemoError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn transforms_path(out: &Path, split: Split) -> PathBuf {
    out.join(format!("transforms_{}.json", split.name()))
}

fn manifest(config: &DemoConfig) -> Value {
    json!({
        "scene": "nerve demo",
        "version": 1,
        "config": config,
        "frame": "camera to world; camera looks along -z, y up; world z up",
        "files": {
            "_depth.png": {"unit": DEPTH_UNIT, "meaning": "distance along the ray at the pixel center; 0 = nothing"},
            "_depth.npy": {"unit": 1.0, "meaning": "the same, f32 [R, R]"},
            "_normal.png": {"meaning": "(n + 1) / 2 in the world frame; black = nothing"},
            "_normal.npy": {"meaning": "unit outward normal in the world frame, f32 [R, R, 3]; 0 = nothing"},
            "_label.png": {"meaning": "class index into labels.json; 0 = background"},
        },
    })
}

/// The poses of one split, as `write_blender_transforms` takes them.
fn frames(stations: &[Station], split: Split) -> Vec<(String, Isometry3<f64>)> {
    let stations = stations.iter().filter(|station| station.split == split);
    stations.map(|station| (format!("./{}/{}", split.name(), station.name), station.pose)).collect()
}

pub(super) fn write_json(path: &Path, value: &Value) -> Result<(), DemoError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|source| DemoError::Json { path: path.to_owned(), source })?;
    fs::write(path, text + "\n").map_err(|source| DemoError::Io { path: path.to_owned(), source })
}

fn write_view(folder: &Path, view: &DemoView) -> Result<(), DemoError> {
    let path = |suffix: &str| folder.join(format!("{}{suffix}", view.name));
    let (height, width) = view.depth.dim();
    let size = (width as u32, height as u32);
    let png = |suffix: &str, bytes: &[u8], color: ExtendedColorType| {
        let path = path(suffix);
        image::save_buffer_with_format(&path, bytes, size.0, size.1, color, ImageFormat::Png)
            .map_err(|source| DemoError::Image { path, source })
    };
    let npy = |suffix: &str, shape: &[usize], values: &mut dyn ExactSizeIterator<Item = f32>| {
        let path = path(suffix);
        fs::File::create(&path)
            .and_then(|file| npy::write_f32(BufWriter::new(file), shape, values))
            .map_err(|source| DemoError::Io { path, source })
    };
    let rgba: Vec<u8> = view.rgba.iter().copied().collect();
    // The encoder takes 16-bit samples in the machine's own byte order.
    let depth: Vec<u8> = quantised_depth(&view.depth).iter().flat_map(|steps| steps.to_ne_bytes()).collect();
    let label: Vec<u8> = view.label.iter().copied().collect();
    png("_depth.png", &depth, ExtendedColorType::L16)?;
    npy("_depth.npy", view.depth.shape(), &mut view.depth.iter().copied())?;
    png("_normal.png", &normal_bytes(view), ExtendedColorType::Rgb8)?;
    npy("_normal.npy", view.normal.shape(), &mut view.normal.iter().copied())?;
    png("_label.png", &label, ExtendedColorType::L8)?;
    png(".png", &rgba, ExtendedColorType::Rgba8)
}

/// Depth in steps of [`DEPTH_UNIT`], `[R, R]`.
pub(super) fn quantised_depth(depth: &Array2<f32>) -> Array2<u16> {
    depth.map(|&t| (f64::from(t) / DEPTH_UNIT + 0.5) as u16)
}

fn normal_bytes(view: &DemoView) -> Vec<u8> {
    let channels = view.normal.indexed_iter().map(|((y, x, _), &n)| {
        if view.label[[y, x]] == 0 { 0 } else { ((f64::from(n) * 0.5 + 0.5) * 255.0 + 0.5) as u8 }
    });
    channels.collect()
}
