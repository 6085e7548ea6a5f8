//! `nerve inspect`.

use crate::context::Context;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::progress::Counter;
use crate::{devices, forecast, format, scene, segmentation, speed, tasks};
use anyhow::Context as _;
use nerve_core::device::available_memory;
use nerve_data::SceneError;
use nerve_data::inspect::{self, DataProblem, MaskReport, PixelReport, SceneReport, Severity};
use nerve_data::labels::{LabelError, LabelFormat, LabelSet};
use nerve_data::photos::{self, Colmap, Photos};
use nerve_data::scene::{Contradiction, Outline, scenes_below};
use nerve_data::tasks::TaskSet;
use nerve_data::write::write_atomically;
use nerve_nerf::NerfConfig;
use nerve_nerf::config::DataConfig;
use nerve_nerf::memory::Forecast;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What it inspects; the built-in scene is no folder.
const WHAT: &str = "A scene: a folder or a transforms.json; or a folder of photos, or of images with labels of one task or several";

/// Flags of `nerve inspect`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("scene", |scene| scene.help(WHAT)))]
pub struct InspectArgs {
    /// Read image headers only, without checks of blur, exposure, duplicates and masks, and without a time estimate
    #[arg(long)]
    quick: bool,
    /// Draw the cameras, from above and from the side, to this file
    #[arg(long, value_name = "FILE.svg", value_parser = svg)]
    picture: Option<PathBuf>,
    #[command(flatten)]
    data: DataConfig,
}

fn svg(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("svg") => Ok(path),
        _ => Err("the picture is an SVG: give a name that ends in .svg".into()),
    }
}

/// Tells what a scene holds; fails if training on it cannot give a useful result.
pub fn run(context: &Context, args: &InspectArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("inspect")?;
    context.common.without_viewer("inspect")?;
    let config = NerfConfig { data: args.data.clone(), ..NerfConfig::default() };
    config.validate().map_err(usage)?;
    if scene::is_demo(&args.data.scene) {
        anyhow::bail!(
            "the demo scene is built in; `nerve demo OUT` writes it to a folder that can be inspected"
        );
    }
    if TaskSet::is_one(&args.data.scene) {
        return Ok(tasks::inspect(context, &TaskSet::open(&args.data.scene)?));
    }
    let set = LabelSet::open(&args.data.scene);
    if let Ok(set) = &set
        && set.format != LabelFormat::Scene
    {
        one_of_several(&args.data.scene, set)?;
        return labels(context, set);
    }
    photos::refuse_video(&args.data.scene)?;
    let device = devices::for_new_field(context, &config)?;
    let options = scene::options(&args.data);
    let outline = match nerve_data::scene::outline(&args.data.scene, &options) {
        Err(SceneError::BarePhotos { path, folder, .. }) => {
            // Photos with masks or lists are labels with something wrong.
            if let Err(error) = set
                && !matches!(error, LabelError::NotFound { .. } | LabelError::Unrecognised { .. })
            {
                return Err(anyhow::Error::from(error).context(
                    "these look like images with labels; to use them as photos of a scene, give them to `nerve train`",
                ));
            }
            return bare_photos(context, args, &path, &folder);
        }
        Err(error) => {
            if let SceneError::BadPhotos { bad, .. } = &error {
                bad.iter().for_each(|bad| context.output.say(format_args!("bad photo    {}", bad.reason)));
            }
            return Err(error.into());
        }
        Ok(outline) => outline,
    };
    let mut report = inspect::report(&outline, &options);
    let contradiction = Contradiction::find(&outline, !args.quick);
    if let Some(found) = &contradiction {
        report.add_problem(inspect::contradiction(&outline, found));
    }
    inspect::too_little(&outline).into_iter().for_each(|problem| report.add_problem(problem));
    if !args.quick {
        let images: Vec<_> = outline.views.iter().map(|v| (v.name.clone(), v.path.clone())).collect();
        report.add_pixels(measure(&images));
        report.add_masks(MaskReport::measure(&outline));
    }
    let forecast = Forecast::of(device, &config, &outline, rayon::current_num_threads())?;
    let available = available_memory(device);
    let too_large = available.and_then(|a| forecast::advice(&config, &outline, &forecast, a));
    let trainable = too_large.is_none();
    if let Some((what, remedy)) = too_large {
        report.add_problem(DataProblem { severity: Severity::Warning, what, remedy });
    }
    let unusable = report.problems.iter().any(|problem| problem.severity == Severity::Error);
    let speed = if args.quick || unusable || !trainable {
        None
    } else {
        speed::measure(device, &config, context.common.threads)
    };
    context.output.say(format_args!("{report}{}", costs(&forecast, available, speed.as_ref())));
    let picture = args.picture.as_deref().map(|path| draw(path, &outline, &report)).transpose()?;
    if let Some(path) = picture {
        context.output.say(format_args!("picture      {}", path.display()));
    }
    let pair = match (picture, &contradiction) {
        (Some(rig), Some(found)) => {
            let path = rig.with_extension("pair.png");
            inspect::pair_picture(&outline, found, &path)?;
            context.output.say(format_args!(
                "             {}: two photographs that contradict each other",
                path.display()
            ));
            Some(path)
        }
        _ => None,
    };
    let fields = json!({
        "report": report, "training_memory": forecast.training, "total_memory": forecast.total(),
        "available_memory": available, "speed": speed, "picture": picture,
        "contradiction": contradiction, "groups": contradiction.as_ref().map(|found| inspect::group_names(&outline, found)), "pair": pair,
    });
    context.output.line("inspect", &fields);
    Ok(if unusable { Outcome::Failed } else { Outcome::Done })
}

/// Refuses a folder above a label set and scenes, of which nothing says which is meant; `train` would not take it either.
fn one_of_several(path: &Path, set: &LabelSet) -> anyhow::Result<()> {
    let scenes = scenes_below(path);
    if set.source == path || scenes.is_empty() {
        return Ok(());
    }
    let scenes: Vec<String> = scenes.iter().map(|scene| scene.display().to_string()).collect();
    anyhow::bail!(
        "{}: below it there are scenes and images with labels, {}, {}: give one of them",
        path.display(),
        scenes.join(", "),
        set.source.display()
    )
}

/// Pictures with labels.
fn labels(context: &Context, set: &LabelSet) -> anyhow::Result<Outcome> {
    let report = segmentation::examined(set);
    context.output.say(&report);
    context.output.line("inspect", &report);
    let unusable = report.problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(if unusable { Outcome::Failed } else { Outcome::Done })
}

fn measure(images: &[(String, PathBuf)]) -> PixelReport {
    let counter = Counter::new("checking images");
    PixelReport::measure(images, &|done, total| counter.set(done, total))
}

/// What training takes, in lines.
fn costs(forecast: &Forecast, available: Option<u64>, speed: Option<&speed::Speed>) -> String {
    let training = &forecast.training;
    let mut text = format!(
        "training     about {} in all with the default settings: images, {} parameters with moments, {} for a batch, \
         {} occupancy",
        format::megabytes(forecast.total()),
        format::megabytes(training.parameters),
        format::megabytes(training.batch),
        format::megabytes(training.occupancy),
    );
    if let Some(available) = available {
        text += &format!("; {} are available", format::megabytes(available));
    }
    if let Some(speed) = speed {
        text += &format!("\ntime         {speed}");
    }
    text
}

fn draw<'a>(path: &'a Path, outline: &Outline, report: &SceneReport) -> anyhow::Result<&'a Path> {
    let svg = inspect::picture(outline, report)
        .map_err(anyhow::Error::msg)
        .context("the picture cannot be drawn")?;
    write_atomically(path, svg.as_bytes())?;
    Ok(path)
}

/// What photos without poses are like, and how they become a scene.
fn bare_photos(context: &Context, args: &InspectArgs, path: &Path, folder: &Path) -> anyhow::Result<Outcome> {
    let photos = Photos::find_with(folder, args.data.skip_bad)?;
    if !photos.bad.is_empty() {
        remark(format_args!("warning: {}", nerve_data::scene::left_out(&photos.bad)));
    }
    let files = photos.files.iter().map(|photo| (photo.name.clone(), photos.folder.join(&photo.name)));
    let images: Vec<_> = files.collect();
    let pixels = if args.quick { None } else { Some(measure(&images)) };
    let problems = pixels.as_ref().map(|pixels| inspect::pixel_problems(pixels, false)).unwrap_or_default();
    let colmap = Colmap::find()?;
    if args.picture.is_some() {
        remark("warning: no --picture: photos without poses have no cameras to draw");
    }
    let first = photos.files.first().map_or((0, 0), |photo| (photo.header.width, photo.header.height));
    let sizes = if photos.one_size() { "all" } else { "the first" };
    let mut text = format!(
        "{} ({})\nformat       bare photos, without poses\nphotos       {}, {sizes} of {}x{}",
        photos.name(),
        photos.folder.display(),
        photos.files.len(),
        first.0,
        first.1
    );
    if !photos.left_out.is_empty() {
        text += &format!(
            "\nskipped      {} in formats that nerve does not read: {}",
            photos.left_out.len(),
            photos.left_out.join(", ")
        );
    }
    if photos.below > 0 {
        text += &format!(
            "\nskipped      {} images in subfolders: put all photos of the scene into one folder",
            photos.below
        );
    }
    if let Some(pixels) = &pixels {
        text += &format!("\n{pixels}");
    } else {
        text += "\n";
    }
    for problem in &problems {
        text += &format!("{problem}\n");
    }
    text += &match &colmap {
        Some(colmap) => {
            format!(
                "COLMAP       {}: `nerve train {}` runs it to find the poses",
                colmap.version,
                path.display()
            )
        }
        None => format!("COLMAP       not on the PATH, but needed to find the poses: {}", photos::INSTALL),
    };
    context.output.say(text);
    let names: Vec<&String> = photos.files.iter().map(|photo| &photo.name).collect();
    let fields = json!({
        "name": photos.name(), "folder": photos.folder, "photos": names, "left_out": photos.left_out, "below": photos.below,
        "pixels": pixels, "problems": problems, "colmap": colmap.map(|colmap| colmap.version),
    });
    context.output.line("photos", &fields);
    let unusable = problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(if unusable { Outcome::Failed } else { Outcome::Done })
}
