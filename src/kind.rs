//! The kinds of runs. Commands on runs ask a run for its kind, and here it is decided who answers.
//!
//! A new kind is a variant, its trainer's [`Job`], and an arm wherever the compiler misses one.

use crate::context::Context;
use crate::distillation::{self, DistillArgs};
use crate::exports::{self, ExportForm};
use crate::given::Given;
use crate::outcome::{Outcome, usage};
#[cfg(feature = "viewer")]
use crate::rebuild::{FieldRemains, SegmenterRemains, TasksRemains, rebuild};
use crate::session::{self, Job};
use crate::{nerf, segmentation, tasks};
use nerve_core::run::RunFolder;
use nerve_data::labels::Class;
use nerve_data::scene::Split;
use nerve_vision::segmentation::{Inference, SemanticSegmenter};
#[cfg(feature = "viewer")]
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

type Field = nerve_nerf::Trainer;
type Segmenter = nerve_vision::segmentation::Trainer;
type Tasks = nerve_vision::tasks::Trainer;

/// What a run is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A radiance field.
    Nerf,
    /// A segmenter.
    Segmentation,
    /// Several dense tasks from one frozen backbone.
    Tasks,
}

/// Flags of `nerve eval`; each kind refuses those that have no meaning for it.
#[derive(Debug, clap::Args)]
pub struct EvalFlags {
    /// Split to evaluate on [default: test, or val if there is no test split]
    #[arg(long, value_enum)]
    pub split: Option<SplitArg>,
    /// Also measure LPIPS, with these weights: AlexNet or VGG16 and the linear heads, in one file, several, or a folder
    #[arg(long, value_name = "FILE")]
    pub lpips: Vec<PathBuf>,
    /// Also measure from poses fitted to the photographs, as is always done after --refine-poses
    #[arg(long)]
    pub fit_poses: bool,
    /// Where a field's scene is now, if not where it was trained
    #[arg(long, value_name = "PATH")]
    pub scene: Option<PathBuf>,
    /// How a segmenter looks at pictures.
    #[command(flatten, next_help_heading = "Segmenters")]
    pub inference: Inference,
}

impl EvalFlags {
    /// Refuses the flags of segmenters for a field.
    pub fn check_field(&self) -> anyhow::Result<()> {
        self.refuse_inference("a radiance field")
    }

    /// Refuses the flags of fields for something else.
    fn refuse_field(&self, what: &str) -> anyhow::Result<()> {
        for (flag, given) in [
            ("--lpips", !self.lpips.is_empty()),
            ("--fit-poses", self.fit_poses),
            ("--scene", self.scene.is_some()),
        ] {
            anyhow::ensure!(!given, usage(format!("{flag} has no meaning for {what}")));
        }
        Ok(())
    }

    /// Refuses the flags of segmenters for something else.
    fn refuse_inference(&self, what: &str) -> anyhow::Result<()> {
        let (given, default) = (&self.inference, Inference::default());
        for (flag, differs) in [
            ("--window", given.window != default.window),
            ("--overlap", given.overlap != default.overlap),
            ("--scales", given.scales != default.scales),
            ("--flip", given.flip != default.flip),
        ] {
            anyhow::ensure!(!differs, usage(format!("{flag} has no meaning for {what}")));
        }
        Ok(())
    }

    /// Those of a field, unless some have no meaning for it.
    pub fn of_field(&self) -> anyhow::Result<nerf::EvalArgs<'_>> {
        self.check_field()?;
        Ok(nerf::EvalArgs {
            split: self.split.map(Split::from),
            lpips: &self.lpips,
            fit_poses: self.fit_poses,
            scene: self.scene.as_deref(),
        })
    }
}

/// A split on the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum SplitArg {
    /// Views held out for the final evaluation.
    Test,
    /// Views held out for evaluations during training.
    Val,
    /// Views trained on.
    Train,
}

impl From<SplitArg> for Split {
    fn from(split: SplitArg) -> Self {
        match split {
            SplitArg::Test => Self::Test,
            SplitArg::Val => Self::Val,
            SplitArg::Train => Self::Train,
        }
    }
}

impl Kind {
    const ALL: [Self; 3] = [Self::Nerf, Self::Segmentation, Self::Tasks];

    /// In `config.toml`.
    const fn name(self) -> &'static str {
        match self {
            Self::Nerf => Field::KIND,
            Self::Segmentation => Segmenter::KIND,
            Self::Tasks => Tasks::KIND,
        }
    }

    /// The kind of a run.
    pub fn of(run: &RunFolder) -> anyhow::Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == run.kind()).ok_or_else(|| {
            anyhow::anyhow!(
                "{}: kind is '{}', and this nerve ({}) knows only {}: use the version that wrote it ({})",
                run.config_path().display(),
                run.kind(),
                env!("CARGO_PKG_VERSION"),
                Self::ALL.map(|kind| format!("'{}'", kind.name())).join(" and "),
                run.version()
            )
        })
    }

    /// Resumes a run, to the total `length` if one is given, and evaluates it if asked to.
    pub fn resume(
        self,
        context: &Context,
        run: RunFolder,
        length: (Option<u64>, Option<Duration>),
        evaluate: bool,
    ) -> anyhow::Result<Outcome> {
        match self {
            Self::Nerf => session::resume::<Field>(context, run, length, evaluate),
            Self::Segmentation => session::resume::<Segmenter>(context, run, length, evaluate),
            Self::Tasks => session::resume::<Tasks>(context, run, length, evaluate),
        }
    }

    /// Measures a run on a split of its data.
    pub fn eval(self, context: &Context, run: &RunFolder, flags: &EvalFlags) -> anyhow::Result<Outcome> {
        match self {
            Self::Nerf => nerf::eval(context, &Given::Run(run.clone()), &flags.of_field()?),
            Self::Segmentation => {
                flags.refuse_field("a segmenter")?;
                segmentation::eval(context, run, flags.split.map(Split::from), &flags.inference)
            }
            Self::Tasks => {
                flags.refuse_field("a model of several tasks")?;
                flags.refuse_inference("a model of several tasks")?;
                tasks::eval(context, run, flags.split.map(Split::from))
            }
        }
    }

    /// Makes the recording of a run, or of a field in a file of its own, from what it has left, for `nerve view`.
    #[cfg(feature = "viewer")]
    pub fn rebuild(context: &Context, given: &Given, file: &Path) -> anyhow::Result<Outcome> {
        let kind = match given {
            Given::Run(run) => Self::of(run)?,
            Given::Field(_) => Self::Nerf,
        };
        match kind {
            Self::Nerf => rebuild::<FieldRemains>(context, given, file),
            Self::Segmentation => rebuild::<SegmenterRemains>(context, given, file),
            Self::Tasks => rebuild::<TasksRemains>(context, given, file),
        }
    }

    /// Rebuilds layers of a run: a new run.
    pub fn distill(self, context: &Context, run: &RunFolder, args: &DistillArgs) -> anyhow::Result<Outcome> {
        match self {
            Self::Nerf => distillation::field(context, run, args),
            Self::Segmentation => distillation::segmenter(context, run, args),
            Self::Tasks => anyhow::bail!(
                "{}: a run of tasks cannot be distilled: give a field's or a segmenter's",
                run.path().display()
            ),
        }
    }

    /// Writes a run in another form.
    pub fn export(self, context: &Context, run: &RunFolder, form: &ExportForm) -> anyhow::Result<Outcome> {
        match self {
            Self::Nerf => exports::field(context, &Given::Run(run.clone()), form),
            Self::Segmentation => anyhow::bail!(
                "{}: a segmenter cannot be exported; its checkpoint.safetensors already holds named arrays that other programs can read",
                run.path().display()
            ),
            Self::Tasks => anyhow::bail!(
                "{}: a model of several tasks cannot be exported; its adapter.safetensors already holds what was trained",
                run.path().display()
            ),
        }
    }

    /// The segmenter of a run and its classes, for `nerve seg predict`.
    pub fn segmenter(
        self,
        context: &Context,
        run: &RunFolder,
    ) -> anyhow::Result<(Box<dyn SemanticSegmenter>, Vec<Class>)> {
        match self {
            Self::Nerf | Self::Tasks => anyhow::bail!(
                "{} is a run of kind '{}': give a segmenter's, from `nerve seg train`",
                run.path().display(),
                run.kind()
            ),
            Self::Segmentation => {
                let (segmenter, classes) = segmentation::alone(context, run)?;
                Ok((Box::new(segmenter), classes))
            }
        }
    }
}
