//! The frames of a camera path as pictures in a folder, which a second start goes on with.

use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::remark;
use crate::progress::Counter;
use anyhow::Context as _;
use nerve_core::run::write_atomic;
use nerve_data::write::{PixelFormat, write_npy, write_png};
use nerve_data::{Camera, Intrinsics};
use nerve_nerf::path::{Frame, Lens};
use nerve_nerf::rendering::Rendering;
use nerve_nerf::{Clip, Model};
use serde_json::{Value, json};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What was rendered, beside the frames; a camera path that `nerve render --path` reads.
const PATH: &str = "path.json";
/// Frames that the range of depths is taken from, and their longest side.
const PROBES: usize = 8;
const PROBE_SIDE: u32 = 64;

/// What is shown of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Layer {
    /// Color
    Color,
    /// Depth along the camera's axis: colored, and in the capture's units as .npy
    Depth,
    /// Normals in the world, as colors
    Normals,
    /// Opacity
    Opacity,
}

impl Layer {
    const ALL: [Self; 4] = [Self::Color, Self::Depth, Self::Normals, Self::Opacity];

    /// Its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Color => "color",
            Self::Depth => "depth",
            Self::Normals => "normals",
            Self::Opacity => "opacity",
        }
    }
}

/// What is behind the field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Background {
    /// The capture's backdrop where it has one and nothing is clipped, else white.
    Backdrop,
    /// A gray, 0 to 1.
    Gray(f32),
    /// Nothing: pictures have alpha.
    None,
}

/// What to render.
pub struct Plan {
    /// The frames, in order.
    pub frames: Vec<Frame>,
    /// Frames per second.
    pub fps: f64,
    /// What is shown.
    pub layers: Vec<Layer>,
    /// What is behind the field.
    pub background: Background,
    /// The part of space that is shown.
    pub clip: Clip,
    /// Rays of a pixel in each direction.
    pub supersample: u32,
}

impl Plan {
    /// The file of a frame.
    pub fn file(out: &Path, layer: Layer, frame: usize) -> PathBuf {
        out.join(layer.name()).join(format!("{frame:05}.png"))
    }

    /// All that makes the frames what they are, as a camera path.
    fn description(&self, model: &Model, file: &Path) -> anyhow::Result<String> {
        let frame = |frame: &Frame| {
            let pose = frame.camera.pose.to_homogeneous();
            let rows: [[f64; 4]; 4] = std::array::from_fn(|r| std::array::from_fn(|c| pose[(r, c)]));
            let intrinsics = &frame.camera.intrinsics;
            json!({
                "name": frame.name, "camera_to_world": rows, "fov": Lens::of(intrinsics, None).fov.to_degrees(),
                "intrinsics": intrinsics,
            })
        };
        let Clip { near, far, bounds } = self.clip;
        let bounds = bounds.map(|corners| corners.map(|corner| <[f64; 3]>::from(corner.coords)));
        let behind = match self.background {
            Background::Backdrop if model.capture().backdrop.is_some() => json!("backdrop"),
            Background::Backdrop => json!(1.0),
            Background::Gray(gray) => json!(gray),
            Background::None => json!(null),
        };
        let bytes = fs::read(file).with_context(|| file.display().to_string())?;
        let mut layers: Vec<&str> = self.layers.iter().map(|layer| layer.name()).collect();
        layers.sort_unstable();
        let description = json!({
            "nerve_path": 1,
            "fps": self.fps,
            "frames": self.frames.iter().map(frame).collect::<Vec<Value>>(),
            "settings": {
                "background": behind, "near": near, "far": far, "crop": bounds,
                "supersample": self.supersample, "show": layers,
            },
            "model": {"step": model.step_count(), "crc32": crc32fast::hash(&bytes)},
        });
        Ok(serde_json::to_string_pretty(&description)? + "\n")
    }
}

/// Renders what is not there yet. A folder that holds another rendering is left alone unless it is to be overwritten.
pub fn render(
    context: &Context,
    model: &mut Model,
    file: &Path,
    plan: &Plan,
    out: &Path,
    overwrite: bool,
) -> anyhow::Result<Outcome> {
    prepare(out, &plan.description(model, file)?, overwrite)?;
    for layer in &plan.layers {
        let folder = out.join(layer.name());
        fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    let total = plan.frames.len();
    let missing: Vec<usize> = (0..total).filter(|frame| !is_there(plan, out, *frame)).collect();
    if missing.len() < total {
        remark(format_args!("{} of {total} frames are there already", total - missing.len()));
    }
    let range = if plan.layers.contains(&Layer::Depth) { depths(model, plan)? } else { [0.0, 1.0] };
    let cancel = context.interrupt.clean();
    let counter = Counter::new("rendering frames");
    for (done, frame) in missing.iter().enumerate() {
        if cancel.is_cancelled() {
            drop(counter);
            remark(format_args!(
                "stopped after {} of {total} frames; the same command goes on",
                total - missing.len() + done
            ));
            return Ok(Outcome::Interrupted);
        }
        let Frame { name, camera } = &plan.frames[*frame];
        let picture = seen(model, plan, camera)?;
        for layer in &plan.layers {
            write(model, plan, camera, &picture, *layer, &Plan::file(out, *layer, *frame), range)?;
        }
        counter.set(done + 1, missing.len());
        context.output.line("frame", &json!({"frame": frame, "name": name, "of": total}));
    }
    drop(counter);
    for layer in &plan.layers {
        let pictures = out.join(layer.name());
        context.output.say(format_args!("{total} frames in {}", pictures.join("*.png").display()));
    }
    let layers: Vec<&str> = plan.layers.iter().map(|layer| layer.name()).collect();
    context
        .output
        .line("rendered", &json!({"out": out, "frames": total, "new": missing.len(), "show": layers}));
    Ok(Outcome::Done)
}

/// Makes the folder of this rendering, or finds that it is that already.
fn prepare(out: &Path, description: &str, overwrite: bool) -> anyhow::Result<()> {
    let path = out.join(PATH);
    match fs::read_to_string(&path) {
        Ok(there) if there == description => return Ok(()),
        Ok(_) if overwrite => {
            for layer in Layer::ALL {
                let folder = out.join(layer.name());
                let removed = fs::remove_dir_all(&folder);
                if let Err(error) =
                    removed.or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })
                {
                    anyhow::bail!("{}: cannot be removed: {error}", folder.display());
                }
            }
        }
        Ok(_) => anyhow::bail!(
            "{} holds a rendering of another model, path or settings: give another --out, or replace it with --overwrite",
            out.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let first = fs::read_dir(out).ok().and_then(|mut entries| entries.next()).and_then(Result::ok);
            if let Some(first) = first {
                anyhow::bail!(
                    "{} already holds {}, which is no rendering: give another --out",
                    out.display(),
                    first.file_name().to_string_lossy()
                );
            }
        }
        Err(error) => anyhow::bail!("{}: {error}", path.display()),
    }
    fs::create_dir_all(out)
        .with_context(|| format!("{}: cannot be made; give another --out", out.display()))?;
    write_atomic(&path, description.as_bytes()).with_context(|| path.display().to_string())
}

fn is_there(plan: &Plan, out: &Path, frame: usize) -> bool {
    plan.layers.iter().all(|layer| {
        let png = Plan::file(out, *layer, frame);
        png.exists() && (*layer != Layer::Depth || png.with_extension("npy").exists())
    })
}

fn seen(model: &mut Model, plan: &Plan, camera: &Camera) -> anyhow::Result<Rendering> {
    let n = plan.supersample;
    let Intrinsics { width, height, .. } = camera.intrinsics;
    if n == 1 {
        return Ok(model.render_clipped(camera, &plan.clip)?);
    }
    let fine = Camera { intrinsics: camera.intrinsics.resized(width * n, height * n), pose: camera.pose };
    Ok(model.render_clipped(&fine, &plan.clip)?.averaged(n))
}

/// The depths between which all frames are colored alike: nearly the least and nearly the most that some frames show.
fn depths(model: &mut Model, plan: &Plan) -> anyhow::Result<[f32; 2]> {
    let mut all = Vec::new();
    let step = plan.frames.len().div_ceil(PROBES);
    for Frame { camera, .. } in plan.frames.iter().step_by(step) {
        let Intrinsics { width, height, .. } = camera.intrinsics;
        let side = |side: u32| (side * PROBE_SIDE / width.max(height)).clamp(1, side);
        let small =
            Camera { intrinsics: camera.intrinsics.resized(side(width), side(height)), pose: camera.pose };
        let picture = model.render_clipped(&small, &plan.clip)?;
        all.extend(model.depths(&small, &picture).into_iter().filter(|depth| depth.is_finite()));
    }
    all.sort_by(f32::total_cmp);
    let at = |share: f64| all.get(((all.len() as f64 - 1.0) * share).round() as usize).copied();
    Ok(at(0.01).zip(at(0.99)).map_or([0.0, 1.0], |(near, far)| [near, far.max(near + 1e-6)]))
}

fn write(
    model: &Model,
    plan: &Plan,
    camera: &Camera,
    picture: &Rendering,
    layer: Layer,
    png: &Path,
    [near, far]: [f32; 2],
) -> anyhow::Result<()> {
    let byte = |v: f32| (v * 255.0).round() as u8;
    let (format, pixels): (PixelFormat, Vec<u8>) = match (layer, plan.background) {
        (Layer::Color, Background::Backdrop) => (PixelFormat::Rgb, picture.rgb(1.0)),
        (Layer::Color, Background::Gray(gray)) => (PixelFormat::Rgb, picture.rgb_on_gray(gray)),
        (Layer::Color, Background::None) => (PixelFormat::Rgba, picture.rgba()),
        (Layer::Opacity, _) => (PixelFormat::Gray, picture.opacities().map(byte).collect()),
        (Layer::Normals, _) => {
            let color = |n: [f32; 3]| if n == [0.0; 3] { [0; 3] } else { n.map(|v| byte(0.5 + 0.5 * v)) };
            (PixelFormat::Rgb, model.normals(camera, picture).into_iter().flat_map(color).collect())
        }
        (Layer::Depth, _) => {
            let depths = model.depths(camera, picture);
            let size = [picture.height as usize, picture.width as usize];
            write_npy(&png.with_extension("npy"), &size, &depths)?;
            // Near is bright.
            let color = |depth: f32| {
                let share = 1.0 - ((depth - near) / (far - near)).clamp(0.0, 1.0);
                if depth.is_nan() {
                    [0; 3]
                } else {
                    colorous::VIRIDIS.eval_continuous(f64::from(share)).as_array()
                }
            };
            (PixelFormat::Rgb, depths.into_iter().flat_map(color).collect())
        }
    };
    Ok(write_png(png, picture.width, picture.height, format, &pixels)?)
}
