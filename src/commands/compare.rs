//! `nerve compare`.

use crate::context::Context;
use crate::evaluation::{self, Evaluation};
use crate::nerf;
use crate::outcome::{Outcome, Usage, usage};
use crate::output::remark;
use crate::session::{self, Session, length_help};
use crate::{devices, forecast, scene};
use anyhow::Context as _;
use nerve_core::device::Device;
use nerve_core::run::write_atomic;
use nerve_data::Scene;
use nerve_data::scene::Split;
use nerve_nerf::comparison::{self, Crowds, Row};
use nerve_nerf::config::Method;
use nerve_nerf::structure::Structure;
use nerve_nerf::{NerfConfig, Trainer};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Steps of each run where nothing is said.
const STEPS: u64 = 10_000;

/// Flags of `nerve compare`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("time", |time| length_help(time, "10000 steps")))]
pub struct CompareArgs {
    /// Fields to train
    #[arg(long, value_enum, value_delimiter = ',', default_value = "plain,hollow", help_heading = "Compare")]
    methods: Vec<Method>,
    /// Table sizes, as base-2 logarithms of the largest number of entries per level
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "12,13,15",
        value_name = "LIST",
        help_heading = "Compare"
    )]
    sizes: Vec<u32>,
    /// Random seeds; each gives a pair of runs
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0,1,2",
        value_parser = clap::value_parser!(u64).range(..1 << 63),
        value_name = "LIST",
        help_heading = "Compare"
    )]
    seeds: Vec<u64>,
    /// Another scene; may be repeated
    #[arg(long, value_name = "SCENE", help_heading = "Compare")]
    also: Vec<PathBuf>,
    /// What all runs share; each run's --method, --log2-entries and --seed come from the lists
    #[command(flatten)]
    config: NerfConfig,
}

/// One run of the comparison.
struct Cell {
    config: NerfConfig,
    folder: PathBuf,
}

/// Trains what is missing, then compares.
pub fn run(context: &Context, args: &CompareArgs) -> anyhow::Result<Outcome> {
    let shared = shared(args)?;
    let device = devices::for_new_field(context, &shared)?;
    context.common.without_spawned_viewer()?;
    let out = context.common.out.clone().unwrap_or_else(|| Path::new("runs").join("compare"));
    let scenes = scenes(context, device, args, &shared)?;
    let (mut rows, mut crowds) = (Vec::new(), Vec::new());
    let total = scenes.len() * args.sizes.len() * args.methods.len() * args.seeds.len();
    for (config, scene) in &scenes {
        for cell in cells(args, config, &scene.name, &out)? {
            let number = rows.len() + 1;
            let Some((row, field)) = one(context, device, &cell, scene, (number, total))? else {
                remark(format_args!("{} of {total} runs are done; the same command continues", rows.len()));
                return Ok(Outcome::Interrupted);
            };
            if row.seed == args.seeds[0] {
                let name = |what: &str| format!("{}, 2^{}, {what}", row.scene, row.log2_entries);
                if row.method == args.methods[0] {
                    crowds.push((name("all of space"), field.crowds(true)));
                }
                crowds.push((name(row.method.name()), field.crowds(false)));
            }
            rows.push(row);
            report(&out, &rows, &crowds)?;
        }
    }
    let lines = comparison::lines(&rows);
    context.output.say(format_args!("\n{}", comparison::table(&lines)));
    context.output.say(format_args!(
        "runs and plot   {}: runs.csv, table.txt, psnr.svg, collisions.svg",
        out.display()
    ));
    context.output.line("compare", &json!({"out": out, "rows": rows, "lines": lines}));
    Ok(Outcome::Done)
}

/// What all runs share, once the lists make sense.
fn shared(args: &CompareArgs) -> anyhow::Result<NerfConfig> {
    let mut shared = args.config.clone();
    if shared.train.run.time.is_none() {
        shared.train.run.steps.get_or_insert(STEPS);
    }
    once("--seeds", &args.seeds)?;
    once("--sizes", &args.sizes)?;
    once("--methods", &args.methods)?;
    let defaults = NerfConfig::default();
    by_list("--method", "--methods", shared.field.method != defaults.field.method)?;
    by_list("--seed", "--seeds", shared.train.run.seed != defaults.train.run.seed)?;
    by_list("--log2-entries", "--sizes", shared.grid.log2_entries != defaults.grid.log2_entries)?;
    Ok(shared)
}

/// Refuses a list that has a value twice.
pub fn once<T: PartialEq>(flag: &str, list: &[T]) -> Result<(), Usage> {
    if (1..list.len()).any(|i| list[..i].contains(&list[i])) {
        return Err(usage(format!("{flag} lists a value twice")));
    }
    Ok(())
}

/// Refuses a setting of which a list has each run's.
pub fn by_list(flag: &str, list: &str, given: bool) -> Result<(), Usage> {
    if given { Err(usage(format!("{flag} is set by {list} here: give {list}=... instead"))) } else { Ok(()) }
}

/// All scenes and their configurations, before hours are spent on the first.
fn scenes(
    context: &Context,
    device: Device,
    args: &CompareArgs,
    shared: &NerfConfig,
) -> anyhow::Result<Vec<(NerfConfig, Arc<Scene>)>> {
    let mut scenes: Vec<(NerfConfig, Arc<Scene>)> = Vec::new();
    for path in std::iter::once(&shared.data.scene).chain(&args.also) {
        let mut config = shared.clone();
        config.data.scene = if scene::is_demo(path) { path.clone() } else { std::path::absolute(path)? };
        let mut largest = config.clone();
        largest.grid.log2_entries = args.sizes.iter().copied().max().unwrap_or(config.grid.log2_entries);
        let mut outline = scene::outline(context, &config.data, None)?;
        if let Some(outline) = &mut outline {
            scene::choose(context, &mut config.data, outline);
        }
        forecast::check(device, &largest, outline.as_ref())?;
        if let Some(outline) = &outline {
            scene::check(outline, &config.data)?;
        }
        let loaded = scene::load_outlined(context, &config.data, outline)?;
        if evaluation::held_out(&loaded).is_none() {
            anyhow::bail!(
                "{}: no view is held out to compare on; --holdout 8 holds out every 8th view",
                path.display()
            );
        }
        if scenes.iter().any(|(_, other)| other.name == loaded.name) {
            anyhow::bail!(
                "{}: two scenes are named {}: compare them one at a time",
                path.display(),
                loaded.name
            );
        }
        scenes.push((config, Arc::new(loaded)));
    }
    Ok(scenes)
}

/// The runs of one scene, both methods of a pair one after the other.
fn cells(args: &CompareArgs, shared: &NerfConfig, scene: &str, out: &Path) -> anyhow::Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for &seed in &args.seeds {
        for &size in &args.sizes {
            for &method in &args.methods {
                let mut config = shared.clone();
                (config.train.run.seed, config.grid.log2_entries, config.field.method) = (seed, size, method);
                nerf::check(&config).map_err(usage)?;
                let name = method.name();
                let folder = out.join("runs").join(format!("{scene}-{size}-{name}-{seed}"));
                cells.push(Cell { config, folder });
            }
        }
    }
    Ok(cells)
}

/// One run, from wherever it is to its evaluation; `None` when interrupted.
fn one(
    context: &Context,
    device: Device,
    cell: &Cell,
    scene: &Arc<Scene>,
    (number, total): (usize, usize),
) -> anyhow::Result<Option<(Row, Structure)>> {
    let config = &cell.config;
    let mut trainer = nerf::trainer(context, device, config, scene.clone())?;
    let mut folder = session::one_of_many::<Trainer>(&cell.folder, device.kind(), config, |saved| {
        // The scene may have moved since; that it is the same is seen by its cameras.
        saved.data.scene.clone_from(&config.data.scene);
        if config.train.precision.is_none() && device == Device::Cpu {
            // Runs of earlier versions name the only one there was.
            saved.train.precision =
                saved.train.precision.filter(|&named| named != config.train.precision_on(device.kind()));
        }
    })?;
    if folder.checkpoint_path().exists() {
        trainer.resume(&folder.checkpoint_path())?;
        if session::changes_device(&mut folder, device.kind())? {
            folder.write_config(config)?;
        }
    }
    let (step, path) = (trainer.step_count(), folder.eval_path());
    if trainer.progress() < 1.0
        || !session::is_evaluated(&folder, step, evaluation::held_out(scene).map(Split::name))
    {
        remark(format_args!("run {number} of {total}: {}", cell.folder.display()));
        let session = Session::new(context, folder, trainer).one_of_many();
        if session.train(true)? == Outcome::Interrupted {
            return Ok(None);
        }
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let Evaluation { report, field, .. } = serde_json::from_str(&text).with_context(|| {
        format!("{}: cannot be read; remove it, and the same command makes it again", path.display())
    })?;
    let row = Row {
        scene: scene.name.clone(),
        log2_entries: config.grid.log2_entries,
        method: config.field.method,
        seed: config.train.run.seed,
        parameters: field.parameters,
        steps: report.step,
        seconds: report.seconds,
        psnr: report.psnr,
        ssim: report.ssim,
        render_seconds: report.render_seconds,
        live_share: field.live_share,
        closed_share: field.saliency.as_ref().map(|s| s.closed_share),
    };
    Ok(Some((row, field)))
}

/// Writes what is known so far.
fn report(out: &Path, rows: &[Row], crowds: &[Crowds]) -> anyhow::Result<()> {
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        write_atomic(&path, bytes).with_context(|| format!("{}: cannot be written", path.display()))
    };
    write("runs.csv", &comparison::csv(rows)?)?;
    write("table.txt", comparison::table(&comparison::lines(rows)).as_bytes())?;
    let collisions = comparison::plot_collisions(crowds).map_err(anyhow::Error::msg)?;
    write("collisions.svg", collisions.as_bytes())?;
    write("psnr.svg", comparison::plot(rows).map_err(anyhow::Error::msg)?.as_bytes())
}
