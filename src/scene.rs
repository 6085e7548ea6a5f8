//! Loading what a run trains on, and saying in a line what was found.

use crate::context::Context;
use crate::format;
use crate::output::remark;
use crate::progress::Counter;
use nerve_core::run::write_atomic;
use nerve_data::SceneError;
use nerve_data::demo::{self, DemoConfig};
use nerve_data::inspect::{self, Severity};
use nerve_data::scene::{self, Contradiction, LoadOptions, Outline, Scene, ViewChoice};
use nerve_nerf::config::DataConfig;
use serde_json::json;
use std::path::Path;

/// Missing images that are named.
const NAMED: usize = 3;
/// Bad photos that a message tells.
const FEW_BAD: usize = 4;

/// Whether the built-in scene is meant; a folder of that name is `./demo`.
pub fn is_demo(scene: &Path) -> bool {
    scene == Path::new("demo")
}

/// What to read of a scene, from the flags.
pub fn options(data: &DataConfig) -> LoadOptions {
    LoadOptions {
        views: data.views.clone().unwrap_or_default(),
        downscale: data.downscale,
        holdout_every: data.holdout,
        max_images: data.max_images,
        masks: data.masks.into(),
        skip_bad: data.skip_bad,
        ..LoadOptions::default()
    }
}

/// The scene without its pixels; `None` for the built-in one. Of a run that is there already, `trained` is its file: what
/// it held out is held out still.
pub fn outline(
    context: &Context,
    data: &DataConfig,
    trained: Option<&Path>,
) -> anyhow::Result<Option<Outline>> {
    if is_demo(&data.scene) {
        return Ok(None);
    }
    let recorded = trained.and_then(|file| nerve_nerf::recorded_splits(file, data));
    let options = LoadOptions { recorded, ..options(data) };
    let outline = scene::outline(&data.scene, &options);
    Ok(Some(outline.map_err(|error| with_all_names(context, error))?))
}

/// Where nothing is said about it and the photographs contradict each other, chooses the largest group that agrees, and says
/// so.
pub fn choose(context: &Context, data: &mut DataConfig, outline: &mut Outline) {
    if data.views.is_some() {
        return;
    }
    // Of all, as the group is of all.
    let limited = data.max_images.is_some();
    let whole =
        limited.then(|| scene::outline(&data.scene, &LoadOptions { max_images: None, ..options(data) }));
    let whole = whole.and_then(Result::ok);
    let of = whole.as_ref().unwrap_or(outline);
    let Some(found) = Contradiction::find(of, true) else { return };
    let problem = inspect::contradiction(of, &found);
    remark(format_args!("warning: {}: {}", problem.what, problem.remedy));
    if found.groups.is_empty() {
        return;
    }
    remark(format_args!(
        "training on group 1, the {} views that agree most; --views all takes all, --views 2 another group",
        found.groups[0].len()
    ));
    context.output.line(
        "views",
        &json!({"chosen": "1", "groups": inspect::group_names(of, &found), "contradiction": found}),
    );
    let used: Vec<bool> = (0..of.views.len()).map(|view| found.group_of(view) == Some(1)).collect();
    let options = options(data);
    if let Some(mut whole) = whole {
        whole.choose(&used, &options);
        *outline = whole;
    } else {
        outline.choose(&used, &options);
    }
    data.views = Some(ViewChoice::Group(1));
}

/// Of many bad photos, the message tells the first few: the others are written to a file, which it names.
pub fn with_all_names(context: &Context, error: SceneError) -> anyhow::Error {
    let SceneError::BadPhotos { bad, .. } = &error else { return error.into() };
    if bad.len() <= FEW_BAD {
        return error.into();
    }
    let folder = context.common.out.as_deref().and_then(Path::parent).unwrap_or(Path::new("runs"));
    let file = folder.join("bad-photos.txt");
    let lines: String = bad.iter().map(|bad| format!("{}\n", bad.reason)).collect();
    let written = std::fs::create_dir_all(folder).and_then(|()| write_atomic(&file, lines.as_bytes()));
    match written {
        Ok(()) => anyhow::anyhow!("{error}; {} names all", file.display()),
        Err(_) => error.into(),
    }
}

/// Refuses what is too little to learn or measure anything, and says what `nerve inspect` would find wrong with the poses
/// and lenses, before minutes go into them.
pub fn check(outline: &Outline, data: &DataConfig) -> anyhow::Result<()> {
    let little = inspect::too_little(outline);
    if let Some(problem) = little.iter().find(|problem| problem.severity == Severity::Error) {
        anyhow::bail!("{}: {}: {}", outline.source.display(), problem.what, problem.remedy);
    }
    let report = inspect::report(outline, &options(data));
    let problems = little.iter().chain(&report.problems);
    for problem in problems.filter(|problem| problem.severity != Severity::Note) {
        remark(format_args!("warning: {}: {}", problem.what, problem.remedy));
    }
    Ok(())
}

/// Loads a scene whose files have been read, by [`outline`], and says what was found: only the pixels are left to read.
pub fn load_outlined(
    context: &Context,
    data: &DataConfig,
    outline: Option<Outline>,
) -> anyhow::Result<Scene> {
    let scene = match outline {
        Some(outline) => outline.load().map_err(|error| with_all_names(context, error))?,
        None => {
            let counter = Counter::new("rendering the demo's views");
            demo::load(&DemoConfig::default(), &options(data), &|done, total| counter.set(done, total))?
        }
    };
    context.output.say(describe(&scene));
    for warning in &scene.warnings {
        remark(format_args!("warning: {warning}"));
    }
    let [train, val, test] = counts(&scene);
    let fields = json!({
        "name": scene.name, "source": scene.source, "train": train, "val": val, "test": test,
        "sizes": sizes(&scene), "bytes": bytes(&scene), "missing": scene.missing, "warnings": scene.warnings,
    });
    context.output.line("scene", &fields);
    Ok(scene)
}

fn describe(scene: &Scene) -> String {
    let views: Vec<String> = ["train", "val", "test"]
        .iter()
        .zip(counts(scene))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let sizes = sizes(scene);
    let mut text = format!("scene {}: {} views", scene.name, views.join(", "));
    if let Some([width, height]) = sizes.first() {
        text += &format!(" of {width}x{height}");
    }
    if sizes.len() > 1 {
        text += &format!(" and {} other sizes", sizes.len() - 1);
    }
    text += &format!(", {}", format::megabytes(bytes(scene)));
    if !scene.missing.is_empty() {
        let names: Vec<String> =
            scene.missing.iter().take(NAMED).map(|path| path.display().to_string()).collect();
        let more = if scene.missing.len() > NAMED { ", ..." } else { "" };
        text += &format!("; {} listed images are missing: {}{more}", scene.missing.len(), names.join(", "));
    }
    text
}

fn counts(scene: &Scene) -> [usize; 3] {
    scene::Split::ALL.map(|split| scene.splits.get(split).len())
}

/// The distinct image sizes, width and height, in order of appearance.
fn sizes(scene: &Scene) -> Vec<[u32; 2]> {
    let mut sizes = Vec::new();
    for view in &scene.views {
        let size = [view.image.width(), view.image.height()];
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    sizes
}

fn bytes(scene: &Scene) -> u64 {
    scene.views.iter().map(|view| view.image.data().len() as u64).sum()
}
