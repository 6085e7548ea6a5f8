//! Bare photos: COLMAP finds their poses, and what is trained on is its work folder.

use crate::context::Context;
use crate::format;
use crate::output::remark;
use crate::progress::Counter;
use crate::scene;
use nerve_data::SceneError;
use nerve_data::photos::{self, ColmapSettings, ColmapStep, Matching, Photos, PhotosError, Reconstruction};
use nerve_data::scene::{Contradiction, LoadOptions, Outline, ViewChoice};
use nerve_nerf::config::DataConfig;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A smaller share of placed photos is a reason to look at them again.
const GOOD_SHARE: f64 = 0.8;
/// Fewer placed photos show nothing in three dimensions.
const FEWEST: usize = 3;

/// Which photos COLMAP compares with which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum MatchingArg {
    /// Sequential for more than 150 photos with numbered names, else exhaustive
    #[default]
    Auto,
    /// Every photo with every other
    Exhaustive,
    /// Every photo with the next ones, as for frames of a video
    Sequential,
}

impl From<MatchingArg> for Matching {
    fn from(arg: MatchingArg) -> Self {
        match arg {
            MatchingArg::Auto => Self::Auto,
            MatchingArg::Exhaustive => Self::Exhaustive,
            MatchingArg::Sequential => Self::Sequential,
        }
    }
}

/// The scene without its pixels, as [`scene::outline`] reads it. Of bare photos the poses are found first, and the
/// result becomes the scene.
pub fn find_poses(
    context: &Context,
    data: &mut DataConfig,
    matching: MatchingArg,
) -> anyhow::Result<Option<Outline>> {
    if scene::is_demo(&data.scene) {
        return Ok(None);
    }
    photos::refuse_video(&data.scene)?;
    let folder = match nerve_data::scene::outline(&data.scene, &scene::options(data)) {
        Ok(outline) => return Ok(Some(outline)),
        Err(SceneError::BarePhotos { folder, .. }) => folder,
        Err(error) => return Err(scene::with_all_names(context, error)),
    };
    let photos = Photos::find_with(&folder, data.skip_bad)?;
    if !photos.bad.is_empty() {
        remark(format_args!("warning: {}", nerve_data::scene::left_out(&photos.bad)));
    }
    if let Some(first) = photos.left_out.first() {
        let count = photos.left_out.len();
        remark(format_args!(
            "warning: {count} files in {} are images or videos in formats that nerve does not read, such as {first}: skipped",
            folder.display()
        ));
    }
    if photos.below > 0 {
        remark(format_args!(
            "warning: {} images in subfolders of {} are skipped: put all photos of the scene into one folder to use them",
            photos.below,
            photos.folder.display()
        ));
    }
    let work = photos::work_folder(&parent(context), &photos);
    let settings = ColmapSettings { matching: matching.into(), threads: rayon::current_num_threads() };
    let found = run(context, &photos, &work, &settings)?;
    report(context, &photos, &found);
    anyhow::ensure!(
        found.registered >= FEWEST,
        "{}: COLMAP placed only {} of {} photos; take more, with an overlap of two thirds or more",
        folder.display(),
        found.registered,
        found.photos
    );
    data.scene = found.folder;
    let Some(outline) = scene::outline(context, data, None)? else { return Ok(None) };
    unfold(context, data, &photos, &work, &settings, outline).map(Some)
}

/// Where the photos contradict their poses, has them placed once more without the pairs that mislead.
fn unfold(
    context: &Context,
    data: &DataConfig,
    photos: &Photos,
    work: &Path,
    settings: &ColmapSettings,
    outline: Outline,
) -> anyhow::Result<Outline> {
    let all = LoadOptions { max_images: None, views: ViewChoice::All, ..scene::options(data) };
    let read = || nerve_data::scene::outline(&data.scene, &all);
    let whole = read()?;
    let Some(folded) = Contradiction::find(&whole, true).filter(|found| !found.groups.is_empty()) else {
        return Ok(outline);
    };
    let name = |view: usize| whole.views[view].name.clone();
    let pairs: Vec<[String; 2]> = folded.sharing(&whole).into_iter().map(|pair| pair.map(name)).collect();
    let mut is_better = || {
        read().is_ok_and(|again| {
            let agreeing = match Contradiction::find(&again, true) {
                Some(found) => found.groups.first().map_or(0, Vec::len),
                None => again.views.len(),
            };
            agreeing > folded.groups[0].len()
        })
    };
    let cancel = context.interrupt.clean();
    let mut counter: Option<Counter> = None;
    let mut listen = |step: ColmapStep, count: Option<(usize, usize)>| match (count, &counter) {
        (None, previous) => {
            if previous.is_none() {
                remark(format_args!(
                    "the photos contradict the poses that COLMAP found: placing them once more without {} pairs that look alike",
                    pairs.len()
                ));
            }
            counter = Some(Counter::new(match step {
                ColmapStep::Mapping => "2/2 placing cameras",
                _ => "1/2 matching features",
            }));
        }
        (Some((done, total)), Some(counter)) => counter.set(done, total),
        _ => {}
    };
    let stop = || cancel.is_cancelled();
    let unfolded = photos::unfold(photos, work, settings, &pairs, &mut is_better, &mut listen, &stop);
    drop(counter);
    context.interrupt.at_once();
    match unfolded {
        Ok(true) => {
            let outline = nerve_data::scene::outline(&data.scene, &scene::options(data))?;
            context.output.say(format_args!(
                "poses {} of {} photos fit together now",
                outline.views.len(),
                photos.files.len()
            ));
            Ok(outline)
        }
        Ok(false) => Ok(outline),
        Err(error @ PhotosError::Cancelled { .. }) => Err(error.into()),
        Err(error) => {
            remark(format_args!("warning: {error}; going on with the poses that COLMAP found first"));
            Ok(outline)
        }
    }
}

/// Beside the run, so that it is found again and never among the photos.
fn parent(context: &Context) -> PathBuf {
    let out = context.common.out.as_deref().and_then(Path::parent);
    out.unwrap_or(Path::new("runs")).join("colmap")
}

fn run(
    context: &Context,
    photos: &Photos,
    work: &Path,
    settings: &ColmapSettings,
) -> Result<Reconstruction, PhotosError> {
    let started = Instant::now();
    let cancel = context.interrupt.clean();
    let mut counter: Option<Counter> = None;
    let mut listen = |step: ColmapStep, count: Option<(usize, usize)>| match count {
        None => {
            if counter.is_none() {
                let count = photos.files.len();
                let work = work.display();
                remark(format_args!(
                    "{count} photos without poses: running COLMAP to find them, in {work}; Ctrl-C stops it"
                ));
            }
            counter = Some(Counter::new(match step {
                ColmapStep::Features => "1/3 finding features",
                ColmapStep::Matching => "2/3 matching features",
                ColmapStep::Mapping => "3/3 placing cameras",
            }));
            context.output.line("colmap", &json!({"step": step, "done": 0, "total": photos.files.len()}));
        }
        Some((done, total)) => {
            if let Some(counter) = &counter {
                counter.set(done, total);
            }
            context.output.line("colmap", &json!({"step": step, "done": done, "total": total}));
        }
    };
    let found = photos::reconstruct(photos, work, settings, &mut listen, &|| cancel.is_cancelled());
    drop(counter);
    context.interrupt.at_once();
    let found = found?;
    if !found.reused {
        remark(format_args!("COLMAP took {}", format::time(started.elapsed())));
    }
    Ok(found)
}

fn report(context: &Context, photos: &Photos, found: &Reconstruction) {
    let (placed, all) = (found.registered, found.photos);
    let earlier = if found.reused { ", as COLMAP found them earlier" } else { ", by COLMAP" };
    context.output.say(format_args!("poses {placed} of {all} photos{earlier}: {}", found.folder.display()));
    context.output.line("poses", found);
    if (placed as f64) < GOOD_SHARE * all as f64 {
        remark(format_args!(
            "warning: COLMAP could not place {} photos, which are left out: take more photos that overlap with them, or sharper \
             ones; `nerve inspect {}` names them",
            all - placed,
            found.folder.display()
        ));
    }
    let masked = photos.masked();
    if masked > found.masked {
        remark(format_args!(
            "warning: {} of {masked} masks were added after COLMAP found the poses, so what they hide was used; \
             remove {} to run COLMAP again",
            masked - found.masked,
            found.folder.display()
        ));
    }
    if found.models.len() > 1 {
        let sizes: Vec<String> = found.models.iter().map(ToString::to_string).collect();
        remark(format_args!(
            "warning: the photos fall into {} unconnected parts, of {} photos; the largest is used: take photos \
             that link the parts",
            sizes.len(),
            sizes.join(", ")
        ));
    }
}
