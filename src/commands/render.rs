//! `nerve render`.

use crate::context::Context;
use crate::frames::{self, Background, Layer, Plan};
use crate::given::Given;
use crate::kind::Kind;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::video::{self, VideoArg};
use nerve_data::nalgebra::Point3;
use nerve_data::scene::Split;
use nerve_data::{Camera, Intrinsics};
use nerve_nerf::path::{self, Frame, Lens, NormalizedFrame, Orbit, PathFile, Surroundings};
use nerve_nerf::{Capture, Clip, Model};
use std::path::{Path, PathBuf};

/// Seconds of a video where nothing is said.
const SECONDS: f64 = 6.0;
/// Most frames of a path.
const MOST: f64 = 1e6;
/// Most pixels of a frame, supersampling included.
const PIXELS: u64 = 1 << 28;

/// Flags of `nerve render`.
#[derive(Debug, clap::Args)]
pub struct RenderArgs {
    /// A run's folder, its checkpoint, or a compact file
    run: PathBuf,
    /// Camera path: orbit, spiral, cameras (through the training cameras), train or test (those views as they are), or a JSON
    /// file of nerve, Nerfstudio or Instant-NGP [default: orbit, or spiral if the cameras do not stand all around]
    #[arg(long, value_name = "PATH", help_heading = "Path")]
    path: Option<String>,
    /// Length in seconds [default: 6, or what a file says]
    #[arg(long, value_name = "S", help_heading = "Path")]
    seconds: Option<f64>,
    /// Frames per second
    #[arg(long, value_name = "N", default_value_t = 30.0, help_heading = "Path")]
    fps: f64,
    /// Height of an orbit above what is looked at, in degrees [default: as the training cameras]
    #[arg(long, value_name = "DEGREES", help_heading = "Path")]
    elevation: Option<f64>,
    /// Distance of an orbit, as a multiple of the training cameras'
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, help_heading = "Path")]
    distance: f64,
    /// Whether the path ends where it began [default: as the cameras stand, or what a file says]
    #[arg(long, value_name = "BOOL", help_heading = "Path")]
    closed: Option<bool>,
    /// Nerfstudio's dataparser_transforms.json, for a camera path that was made in its viewer
    #[arg(long, value_name = "FILE", help_heading = "Path")]
    transforms: Option<PathBuf>,
    /// Size in pixels [default: as trained, or what a file says]
    #[arg(long, value_name = "WxH", value_parser = size, help_heading = "Picture")]
    size: Option<[u32; 2]>,
    /// Vertical field of view in degrees [default: as the first training camera, or what a file says]
    #[arg(long, value_name = "DEGREES", help_heading = "Picture")]
    fov: Option<f64>,
    /// What to show, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "color", help_heading = "Picture")]
    show: Vec<Layer>,
    /// Background: a gray from 0 (black) to 1 (white), or none for transparent pictures [default: the capture's backdrop, if
    /// it has one, else white]
    #[arg(long, value_name = "GRAY", value_parser = background, help_heading = "Picture")]
    background: Option<Background>,
    /// Show only what is in this box, in the capture's units
    #[arg(long, value_name = "X,Y,Z,X,Y,Z", allow_hyphen_values = true, value_parser = bounds, help_heading = "Picture")]
    crop: Option<[f64; 6]>,
    /// Show nothing nearer to the camera, in the capture's units
    #[arg(long, value_name = "DISTANCE", help_heading = "Picture")]
    near: Option<f64>,
    /// Show nothing farther from the camera, in the capture's units
    #[arg(long, value_name = "DISTANCE", help_heading = "Picture")]
    far: Option<f64>,
    /// Rays of a pixel in each direction
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8), help_heading = "Picture")]
    supersample: u32,
    /// Video to make of the frames; mp4 needs ffmpeg [default: mp4 for paths, off for views]
    #[arg(long, value_enum, help_heading = "Output")]
    video: Option<VideoArg>,
    /// Replace another rendering in --out
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
}

/// Renders a path.
pub fn run(context: &Context, args: RenderArgs) -> anyhow::Result<Outcome> {
    context.common.without_viewer("render")?;
    args.check()?;
    let given = Given::of(&args.run)?;
    if let Given::Run(run) = &given {
        anyhow::ensure!(
            Kind::of(run)? == Kind::Nerf,
            "{} is a segmenter, which has nothing to render: `nerve seg predict` labels pictures with it",
            run.path().display()
        );
    }
    let mut model = given.model(context, false)?;
    let (name, frames) = args.frames(&model)?;
    let largest = frames.iter().map(|frame| {
        let Intrinsics { width, height, .. } = frame.camera.intrinsics;
        u64::from(width) * u64::from(height) * u64::from(args.supersample * args.supersample)
    });
    let largest = largest.max().unwrap_or_default();
    anyhow::ensure!(
        largest <= PIXELS,
        usage(format!("--size and --supersample give {largest} rays a frame; at most {PIXELS} are rendered"))
    );
    let out = context.common.out.clone().unwrap_or_else(|| match &given {
        Given::Run(run) => run.path().join(&name),
        Given::Field(file) => file.with_added_extension(&name),
    });
    let views = matches!(name.as_str(), "train" | "test") && args.path.as_deref() == Some(&*name);
    let video = args.video.unwrap_or(if views { VideoArg::Off } else { VideoArg::Mp4 });
    let plan = Plan {
        frames,
        fps: args.fps,
        layers: args.show.clone(),
        background: args.background.unwrap_or(Background::Backdrop),
        clip: args.clip(),
        supersample: args.supersample,
    };
    if frames::render(context, &mut model, &given.file(), &plan, &out, args.overwrite)?
        == Outcome::Interrupted
    {
        return Ok(Outcome::Interrupted);
    }
    video::make(context, &out, &plan, video)
}

impl RenderArgs {
    fn check(&self) -> anyhow::Result<()> {
        let positive = |v: Option<f64>| v.is_none_or(|v| v.is_finite() && v > 0.0);
        let count = self.seconds.unwrap_or(SECONDS) * self.fps;
        for (fits, problem) in [
            (positive(self.seconds), "--seconds must be a positive number"),
            (self.fps > 0.0 && self.fps <= 1000.0, "--fps must be above 0 and at most 1000"),
            (count <= MOST, "--seconds and --fps give more than a million frames"),
            (
                self.elevation.is_none_or(|e| (-90.0..=90.0).contains(&e)),
                "--elevation must be from -90 to 90 degrees",
            ),
            (positive(Some(self.distance)), "--distance must be a positive number"),
            (self.fov.is_none_or(|fov| fov > 0.0 && fov < 180.0), "--fov must be between 0 and 180 degrees"),
            (self.near.is_none_or(|near| near.is_finite() && near >= 0.0), "--near must be 0 or more"),
            (positive(self.far), "--far must be a positive number"),
            (self.near.unwrap_or(0.0) < self.far.unwrap_or(f64::INFINITY), "--near must be less than --far"),
        ] {
            anyhow::ensure!(fits, usage(problem));
        }
        Ok(())
    }

    fn clip(&self) -> Clip {
        let corners = |[a, b, c, x, y, z]: [f64; 6]| {
            let sorted = |p: f64, q: f64| (p.min(q), p.max(q));
            let [(a, x), (b, y), (c, z)] = [sorted(a, x), sorted(b, y), sorted(c, z)];
            [Point3::new(a, b, c), Point3::new(x, y, z)]
        };
        Clip { near: self.near, far: self.far, bounds: self.crop.map(corners) }
    }

    /// What the path is called, and its frames.
    fn frames(&self, model: &Model) -> anyhow::Result<(String, Vec<Frame>)> {
        let capture = model.capture();
        let wanted = self.path.as_deref();
        if let Some(split @ ("train" | "test")) = wanted {
            return Ok((split.to_owned(), self.views(model, split)?));
        }
        let around = || -> anyhow::Result<Surroundings> { Ok(Surroundings::of(capture)?) };
        let count = |seconds: Option<f64>| {
            let seconds = self.seconds.or(seconds).unwrap_or(SECONDS);
            ((seconds * self.fps).round().clamp(1.0, MOST)) as usize
        };
        let orbit = Orbit { elevation: self.elevation.map(f64::to_radians), distance: self.distance };
        let (name, cameras) = match wanted {
            None => {
                let around = around()?;
                let lens = self.lens(capture, None)?;
                if around.surround() {
                    ("orbit".to_owned(), path::orbit(&around, lens, count(None), &orbit)?)
                } else {
                    remark(
                        "the cameras do not stand all around the scene: a spiral before it; --path gives another path",
                    );
                    ("spiral".to_owned(), path::spiral(&around, lens, count(None))?)
                }
            }
            Some(name @ "orbit") => {
                (name.to_owned(), path::orbit(&around()?, self.lens(capture, None)?, count(None), &orbit)?)
            }
            Some(name @ "spiral") => {
                (name.to_owned(), path::spiral(&around()?, self.lens(capture, None)?, count(None))?)
            }
            Some(name @ "cameras") => {
                let lens = self.lens(capture, None)?;
                (name.to_owned(), path::through(&around()?, lens, count(None), self.closed)?)
            }
            Some(file) => {
                let file = Path::new(file);
                anyhow::ensure!(
                    file.exists(),
                    usage(format!(
                        "--path {} is no file, and not orbit, spiral, cameras, train or test",
                        file.display()
                    ))
                );
                let normalized = self.transforms.as_deref().map(NormalizedFrame::read).transpose()?;
                let read = path::read(file, capture, normalized.as_ref())?;
                let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                (name, self.of_file(capture, &read, count(read.seconds))?)
            }
        };
        let named = |(i, camera)| Frame { name: format!("{i:05}"), camera };
        Ok((name, cameras.into_iter().enumerate().map(named).collect()))
    }

    /// The lens of a path: as the first training camera, or as is said.
    fn lens(&self, capture: &Capture, size: Option<[u32; 2]>) -> anyhow::Result<Lens> {
        let first = capture.trained().next().or(capture.views.first());
        let lens = match (first, self.size.or(size), self.fov) {
            (Some(view), size, _) => Lens::of(&view.camera.intrinsics, size),
            (None, Some(size), Some(_)) => Lens { size, fov: 1.0 },
            (None, ..) => {
                anyhow::bail!(
                    "the model was saved without cameras, by an earlier nerve: give --size and --fov"
                )
            }
        };
        Ok(self.fov.map_or(lens, |fov| Lens { fov: fov.to_radians(), ..lens }))
    }

    fn of_file(&self, capture: &Capture, read: &PathFile, frames: usize) -> anyhow::Result<Vec<Camera>> {
        let lens = self.lens(capture, read.size);
        let own = |key: &path::Key| {
            // What is said on the command line goes before what the file says.
            let fov = if self.fov.is_none() && key.fov.is_finite() {
                key.fov
            } else {
                lens.as_ref().map_or(1.0, |l| l.fov)
            };
            path::Key { fov, ..*key }
        };
        let keys: Vec<path::Key> = read.keys.iter().map(own).collect();
        let size = match (&lens, self.size.or(read.size)) {
            (_, Some(size)) => size,
            (Ok(lens), None) => lens.size,
            (Err(_), None) => return Err(lens.err().unwrap_or_else(|| anyhow::anyhow!("give --size"))),
        };
        let keys = if read.keyframes {
            let closed = self.closed.or(read.closed).unwrap_or(false);
            path::interpolate(&keys, closed, spread(&keys), frames)
        } else {
            keys
        };
        let camera =
            |key: path::Key| Camera { intrinsics: Lens { size, fov: key.fov }.intrinsics(), pose: key.pose };
        Ok(keys.into_iter().map(camera).collect())
    }

    /// Views as they are, from refined poses where they were refined.
    fn views(&self, model: &Model, split: &str) -> anyhow::Result<Vec<Frame>> {
        let capture = model.capture();
        let wanted = if split == "train" { Some(Split::Train) } else { capture.held_out() };
        let views = capture.views.iter().filter(|view| Some(view.split) == wanted);
        let frame = |view: &nerve_nerf::CapturedView| {
            let mut camera = model.refined_camera(&view.name).unwrap_or_else(|| view.camera.clone());
            if let Some([width, height]) = self.size {
                camera.intrinsics = camera.intrinsics.resized(width, height);
            }
            if let Some(fov) = self.fov {
                let lens = Lens::of(&camera.intrinsics, None);
                camera.intrinsics = Lens { fov: fov.to_radians(), ..lens }.intrinsics();
            }
            Frame { name: view.name.clone(), camera }
        };
        let frames: Vec<Frame> = views.map(frame).collect();
        anyhow::ensure!(
            !frames.is_empty(),
            "there are no {split} views: the model knows {} views",
            capture.views.len()
        );
        Ok(frames)
    }
}

/// How long a turn by one radian is beside the way of a path: the mean distance of its places from their middle.
fn spread(keys: &[path::Key]) -> f64 {
    let n = keys.len().max(1) as f64;
    let places = || keys.iter().map(|key| key.pose.translation.vector);
    let middle = places().sum::<nerve_data::nalgebra::Vector3<f64>>() / n;
    places().map(|place| (place - middle).norm()).sum::<f64>() / n
}

fn size(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once(['x', 'X']).and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    sides
        .filter(|sides| sides.iter().all(|side| (1..=16384).contains(side)))
        .ok_or_else(|| "use WIDTHxHEIGHT, such as 800x600, at most 16384 each".into())
}

fn background(text: &str) -> Result<Background, String> {
    match text {
        "none" => Ok(Background::None),
        "white" => Ok(Background::Gray(1.0)),
        "black" => Ok(Background::Gray(0.0)),
        _ => {
            let gray = text.parse().ok().filter(|gray| (0.0..=1.0).contains(gray));
            gray.map(Background::Gray).ok_or_else(|| "use a gray from 0 to 1, white, black or none".into())
        }
    }
}

fn bounds(text: &str) -> Result<[f64; 6], String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    let numbers = numbers.ok().and_then(|numbers| <[f64; 6]>::try_from(numbers).ok());
    let fits = |n: &[f64; 6]| n.iter().all(|n| n.is_finite()) && (0..3).all(|a| n[a] != n[a + 3]);
    numbers.filter(fits).ok_or_else(|| "use two corners of a box, X,Y,Z,X,Y,Z".into())
}
