//! Held-out views of a radiance field, from the command line: measured, drawn, written down, summed up.

use crate::context::Context;
use crate::format;
use crate::outcome::Outcome;
use crate::output::remark;
use crate::progress::Counter;
use crate::sinks;
use crate::viewers::{self, SCENES};
use anyhow::Context as _;
use nerve_core::metrics::lpips::Lpips;
use nerve_core::run::{Event, Events, RunFolder, write_atomic};
use nerve_data::Scene;
use nerve_data::scene::Split;
use nerve_nerf::eval::{EvalOptions, Report, evaluate};
use nerve_nerf::structure::Structure;
use nerve_nerf::{Model, publish_cameras, publish_cells};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

/// Where fitted poses bring so many dB after poses were refined, the field is better than its figure from the poses as
/// given.
const MOVED: f64 = 1.0;

/// Where more of the views than this is unseen, it is said.
const UNSEEN: f64 = 0.001;

/// `eval.json`: a report, which views it is about, and what the field is made of.
#[derive(Serialize, Deserialize)]
pub struct Evaluation {
    /// The views.
    pub split: String,
    /// What was measured on them.
    #[serde(flatten)]
    pub report: Report,
    /// The field.
    pub field: Structure,
}

impl Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { split, report, field } = self;
        let lpips = match (report.lpips, &report.lpips_network) {
            (Some(lpips), Some(network)) => format!(", LPIPS {lpips:.4} ({network})"),
            _ => String::new(),
        };
        writeln!(
            f,
            "{split:<9} {}: PSNR {:.2} dB, SSIM {:.4}{lpips}, {:.2} s per view",
            format::counted(report.views.len(), "view"),
            report.psnr,
            report.ssim,
            report.render_seconds
        )?;
        if let Some(object) = report.object {
            writeln!(f, "{:<9} PSNR {:.2} dB, SSIM {:.4} inside the object", "", object.psnr, object.ssim)?;
        }
        if let Some(aligned) = report.aligned {
            writeln!(f, "{:<9} PSNR {aligned:.2} dB with each view's colors fitted to its photograph", "")?;
        }
        if let Some(fitted) = report.fitted {
            writeln!(f, "{:<9} PSNR {fitted:.2} dB from poses fitted to the photographs", "")?;
            if report.poses.is_some() && fitted > report.psnr + MOVED {
                writeln!(
                    f,
                    "{:<9} the refined scene has shifted against the given poses, so judge the field by the second figure; compare \
                     it with `nerve eval --fit-poses` of a run without --refine-poses",
                    ""
                )?;
            }
        }
        if let Some(unseen) = report.unseen.filter(|unseen| *unseen > UNSEEN) {
            let most =
                report.views.iter().max_by(|a, b| a.unseen.partial_cmp(&b.unseen).unwrap_or(Ordering::Equal));
            let most = most.map_or(String::new(), |view| {
                format!(", {:.1} % of {}", 100.0 * view.unseen.unwrap_or_default(), view.name)
            });
            writeln!(
                f,
                "unseen    {:.1} % of the views, where no training ray passed{most}",
                100.0 * unseen
            )?;
        }
        if let Some(p) = &report.poses {
            writeln!(
                f,
                "poses     corrected by {:.2} degrees and {:.2} % on average, {:.2} degrees and {:.2} % at most",
                p.mean_degrees, p.mean_percent, p.max_degrees, p.max_percent
            )?;
        }
        let (parameters, live) = (format::whole(field.parameters), 100.0 * field.live_share);
        write!(f, "field     {parameters} parameters, {live:.1} % of the cells live")?;
        let Some(s) = &field.saliency else { return Ok(()) };
        write!(f, "; saliency: mean {:.4}, {:.1} % closed", s.mean, 100.0 * s.closed_share)
    }
}

/// Where an evaluation goes.
pub struct Target {
    /// What was evaluated, as the command line names it.
    subject: PathBuf,
    /// The folder of `eval.json` and the pictures.
    pub folder: PathBuf,
}

impl Target {
    /// A run's own folder.
    pub fn of(run: &RunFolder) -> Self {
        Self { subject: run.path().to_owned(), folder: run.path().to_owned() }
    }

    /// For a file: a folder beside it.
    pub fn beside(file: &Path) -> Self {
        Self { subject: file.to_owned(), folder: file.with_added_extension("eval") }
    }

    fn renders(&self) -> PathBuf {
        self.folder.join("renders")
    }

    /// Where the pictures are and what they show.
    pub fn pictures(&self) -> String {
        format!("{}: photograph, rendering, error x 4, depth", self.renders().join("*.png").display())
    }
}

/// The views that a scene holds out.
pub fn held_out(scene: &Scene) -> Option<Split> {
    [Split::Test, Split::Val].into_iter().find(|split| !scene.splits.get(*split).is_empty())
}

/// What is wrong with measuring on a split that is held out now: that a model was trained on views of it.
pub fn trained_on(model: &Model, scene: &Scene, split: Split) -> Option<String> {
    let views = if split == Split::Train { &[][..] } else { scene.splits.get(split) };
    let names = views.iter().map(|view| &*scene.views[*view].name);
    let trained_on: Vec<&str> = names.filter(|name| model.capture().has_trained_on(name)).collect();
    let first = trained_on.first()?;
    Some(format!(
        "{} of the {} {} views were trained on, {first} among them, so they would measure too well: `holdout` or the \
         scene's split was changed since; set it back, or measure what was trained on as such, --split train",
        trained_on.len(),
        views.len(),
        split.name()
    ))
}

/// On the views of `split`, or on the held-out ones, with LPIPS if its weights were given.
pub fn run(
    context: &Context,
    model: &mut Model,
    scene: &Scene,
    target: &Target,
    split: Option<Split>,
    lpips: Option<&Lpips>,
) -> anyhow::Result<Outcome> {
    let Some(split) = split.or_else(|| held_out(scene)) else {
        anyhow::bail!("{}: no view is held out; use --split train", scene.source.display());
    };
    if let Some(problem) = trained_on(model, scene, split) {
        anyhow::bail!("{}: {problem}", target.subject.display());
    }
    std::fs::create_dir_all(&target.folder).with_context(|| target.folder.display().to_string())?;
    context.interrupt.clean();
    let events = Events::new();
    let name = target.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    viewers::attach(context, &events, SCENES, &name, target.folder.join("recording.rrd"))?;
    if events.previews().is_some() {
        publish_cameras(model.capture(), Some(scene), &events);
        publish_cells(model, &events);
    }
    let measured = measure(context, model, scene, target, split, lpips, &events);
    events.close(sinks::CLOSING);
    let Some(evaluation) = measured? else {
        return Ok(Outcome::Interrupted);
    };
    let (subject, pictures) = (target.subject.display(), target.pictures());
    context.output.say(format_args!("{evaluation}\nmodel     {subject}\npictures  {pictures}"));
    Ok(Outcome::Done)
}

/// Renders and measures the views of a split, looks at the field, and writes `eval.json`; `None` when interrupted.
pub fn measure(
    context: &Context,
    model: &mut Model,
    scene: &Scene,
    target: &Target,
    split: Split,
    lpips: Option<&Lpips>,
    events: &Events,
) -> anyhow::Result<Option<Evaluation>> {
    let views = scene.splits.get(split);
    let (output, cancel) = (context.output, context.interrupt.clean());
    let (counter, renders) = (Counter::new("evaluating views"), target.renders());
    let mut done = 0;
    let options = EvalOptions { renders: Some(&renders), lpips, events, cancel };
    let report = evaluate(model, scene, views, &options, &mut |view| {
        done += 1;
        counter.set(done, views.len());
        output.line("view", view);
    })?;
    drop(counter);
    let Some(report) = report else {
        remark(format_args!(
            "evaluation stopped after {done} of {} views; `nerve eval {}` starts it again",
            views.len(),
            target.subject.display()
        ));
        return Ok(None);
    };
    if model.config().train.run.eval_every.is_some() {
        // The last of those that the log has.
        let values = vec![("eval/psnr".into(), report.psnr), ("eval/ssim".into(), report.ssim)];
        events.publish(Event::Scalars { step: model.step_count(), elapsed: model.elapsed(), values });
    }
    let (field, live) = Structure::of(model)?;
    field.draw(model, &live, &renders)?;
    let evaluation = Evaluation { split: split.name().to_owned(), report, field };
    let path = target.folder.join("eval.json");
    let mut json = serde_json::to_vec_pretty(&evaluation)?;
    json.push(b'\n');
    write_atomic(&path, &json).with_context(|| format!("{}: cannot be written", path.display()))?;
    output.line("eval", &evaluation);
    Ok(Some(evaluation))
}
