//! `nerve train`.

use crate::context::Context;
use crate::nerf;
use crate::outcome::{Outcome, Usage, usage};
use crate::photos::{self, MatchingArg};
use crate::session::{NewRun, length_help};
use crate::{devices, forecast, scene};
use anyhow::Context as _;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use nerve_core::ops::hash_grid::HashGridConfig;
use nerve_data::scene::ViewChoice;
use nerve_nerf::NerfConfig;
use nerve_nerf::config::{ClassicConfig, FieldConfig, Method};
use nerve_nerf::hollow::HollowConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long to train where nothing is said.
const TIME: Duration = Duration::from_secs(5 * 60);
/// The same for the built-in scene.
const DEMO_TIME: Duration = Duration::from_secs(45);

/// Flags of `nerve train`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("time", |time| length_help(time, "5m, of the demo 45s")))]
pub struct TrainArgs {
    #[command(flatten)]
    new: NewRun,
    /// For photos without poses: which pairs COLMAP matches
    #[arg(long, help_heading = "Photos", value_enum, default_value_t)]
    matching: MatchingArg,
    #[command(flatten)]
    config: NerfConfig,
}

/// Refuses settings of one method for a field of another, which would do nothing.
pub fn check_flags(given: &ArgMatches) -> Result<(), Usage> {
    let method = given.get_one::<Method>("method").copied().unwrap_or_default();
    let flags = |command: clap::Command| -> Vec<String> {
        let ids = command.get_arguments().map(|flag| flag.get_id().to_string());
        ids.filter(|id| id != "method").collect()
    };
    let hollow = flags(HollowConfig::augment_args(clap::Command::new("hollow")));
    let classic = flags(ClassicConfig::augment_args(clap::Command::new("classic")));
    let grids = flags(HashGridConfig::augment_args(FieldConfig::augment_args(clap::Command::new("grids"))));
    let others: &[(&[String], &str)] = match method {
        Method::Plain => &[
            (&hollow, "add --method hollow, or leave out"),
            (&classic, "add --method classic, or leave out"),
        ],
        Method::Hollow => &[(&classic, "leave out, or use --method classic")],
        Method::Classic => {
            &[(&hollow, "leave out, or use --method hollow"), (&grids, "leave out, or use --method plain")]
        }
    };
    let command = TrainArgs::augment_args(clap::Command::new("train"));
    for (ids, remedy) in others {
        let ignored = command.get_arguments().filter(|flag| {
            let id = flag.get_id().as_str();
            ids.iter().any(|other| other == id) && given.value_source(id) == Some(ValueSource::CommandLine)
        });
        let names: Vec<String> = ignored.filter_map(|flag| Some(format!("--{}", flag.get_long()?))).collect();
        if !names.is_empty() {
            let (names, name) = (names.join(", "), method.name());
            return Err(usage(format!("{names}: of no effect on a {name} field; {remedy}")));
        }
    }
    Ok(())
}

/// Trains a new run.
pub fn run(context: &Context, args: TrainArgs) -> anyhow::Result<Outcome> {
    let mut config = args.config;
    nerf::check(&config).map_err(usage)?;
    let demo = scene::is_demo(&config.data.scene);
    if config.train.run.steps.is_none() {
        config.train.run.time.get_or_insert(if demo { DEMO_TIME } else { TIME });
    }
    args.new.check(context.common.out.as_deref())?;
    let device = devices::for_new_field(context, &config)?;
    if !demo {
        // Before anything that takes long.
        absolute(&config.data.scene)?;
    }
    if let Some(ViewChoice::Listed(file)) = &mut config.data.views {
        // Resuming works from any folder.
        *file = absolute(file)?;
    }
    let mut outline = photos::find_poses(context, &mut config.data, args.matching)?;
    if let Some(outline) = &mut outline {
        scene::choose(context, &mut config.data, outline);
    }
    forecast::check(device, &config, outline.as_ref())?;
    if let Some(outline) = &outline {
        scene::check(outline, &config.data)?;
    }
    let scene = scene::load_outlined(context, &config.data, outline)?;
    if !demo {
        // Resuming works from any folder.
        config.data.scene = absolute(&config.data.scene)?;
    }
    let name = scene.name.clone();
    let trainer = nerf::trainer(context, device, &config, Arc::new(scene))?;
    args.new.train(context, &name, &config, trainer)
}

/// The same from any folder, as text: that is what config.toml holds.
pub fn absolute(scene: &Path) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(scene).with_context(|| scene.display().to_string())?;
    anyhow::ensure!(
        path.to_str().is_some(),
        "{}: a folder on the way is not UTF-8, which config.toml needs: rename it",
        path.display()
    );
    Ok(path)
}
