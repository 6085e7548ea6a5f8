//! `nerve tasks compare`.

use crate::commands::compare::{by_list, once};
use crate::commands::train::absolute;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::remark;
use crate::session::{self, Session, length_help};
use crate::{devices, tasks};
use anyhow::Context as _;
use nerve_core::device::Device;
use nerve_core::run::write_atomic;
use nerve_data::tasks::TaskSet;
use nerve_vision::adaptation::MethodName;
use nerve_vision::tasks::comparison::{self, Report, Row};
use nerve_vision::tasks::{TasksConfig, Trainer};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// Steps of each run where nothing is said.
const STEPS: u64 = 1000;

/// Flags of `nerve tasks compare`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("time", |time| length_help(time, "1000 steps")))]
pub struct TasksCompareArgs {
    /// Methods to train; Delta needs single-full
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "single-full,multi-full,decoders,bitfit,lora,adapter,hyperformer,polyhistor,polyhistor-lite",
        value_name = "LIST",
        help_heading = "Compare"
    )]
    methods: Vec<MethodName>,
    /// Random seeds; each gives a run a method
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0,1,2",
        value_parser = clap::value_parser!(u64).range(..1 << 63),
        value_name = "LIST",
        help_heading = "Compare"
    )]
    seeds: Vec<u64>,
    /// Train only every N-th run, from the I-th on: an array of jobs with I from 1 to N and the same --out shares the
    /// work; each writes the table of what is done by then
    #[arg(long, value_name = "I/N", default_value = "1/1", help_heading = "Compare")]
    shard: Shard,
    /// What all runs share; each run's --method and --seed come from the lists
    #[command(flatten)]
    config: TasksConfig,
}

/// A part of the runs.
#[derive(Clone, Copy, Debug)]
struct Shard {
    index: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = |(i, n): (&str, &str)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?));
        let parsed = text.split_once('/').and_then(numbers);
        match parsed {
            Some((index, of)) if 0 < index && index <= of => Ok(Self { index: index - 1, of }),
            _ => Err("use I/N with I from 1 to N, such as 2/8".into()),
        }
    }
}

/// One run of the comparison.
struct Cell {
    config: TasksConfig,
    folder: PathBuf,
}

/// Trains what is missing of this shard, then compares what is done of all.
pub fn run(context: &Context, args: &TasksCompareArgs) -> anyhow::Result<Outcome> {
    let shared = shared(args)?;
    let device = devices::for_segmenter(context)?;
    context.common.without_spawned_viewer()?;
    let out = context.common.out.clone().unwrap_or_else(|| Path::new("runs").join("compare-tasks"));
    let set = Arc::new(tasks::open(&shared)?);
    anyhow::ensure!(
        shared.data.held_out(&set).is_some(),
        "{}: no image is held out to compare on; add a split val, or give --val-split",
        set.source.display()
    );
    let cells = cells(args, &shared, &out);
    let total = cells.len();
    for (number, cell) in cells.iter().enumerate().filter(|(i, _)| i % args.shard.of == args.shard.index) {
        if !one(context, device, cell, &set, (number + 1, total))? {
            remark("stopped; the same command continues");
            return Ok(Outcome::Interrupted);
        }
        report(&out, &gathered(&cells))?;
    }
    let rows = gathered(&cells);
    report(&out, &rows)?;
    let lines = comparison::lines(&rows);
    context.output.say(format_args!("\n{}", comparison::table(&lines)));
    if rows.len() < total {
        remark(format_args!("{} of {total} runs are done, the others belong to other shards", rows.len()));
    }
    context.output.say(format_args!("runs and plot   {}: runs.csv, table.txt, delta.svg", out.display()));
    context.output.line("compare", &json!({"out": out, "rows": rows, "lines": lines}));
    Ok(Outcome::Done)
}

/// What all runs share, once the lists make sense.
fn shared(args: &TasksCompareArgs) -> anyhow::Result<TasksConfig> {
    let mut shared = args.config.clone();
    if shared.train.run.time.is_none() {
        shared.train.run.steps.get_or_insert(STEPS);
    }
    once("--seeds", &args.seeds)?;
    once("--methods", &args.methods)?;
    let defaults = TasksConfig::default();
    by_list("--method", "--methods", shared.model.method != defaults.model.method)?;
    by_list("--seed", "--seeds", shared.train.run.seed != defaults.train.run.seed)?;
    tasks::check(&shared)?;
    shared.data.labels = absolute(&shared.data.labels)?;
    shared.model.weights = shared.model.weights.as_deref().map(absolute).transpose()?;
    Ok(shared)
}

/// All runs: a seed's methods one after the other, so that a table is whole as early as it can be.
fn cells(args: &TasksCompareArgs, shared: &TasksConfig, out: &Path) -> Vec<Cell> {
    let cell = |seed: u64, method: MethodName| {
        let mut config = shared.clone();
        (config.train.run.seed, config.model.method) = (seed, method);
        Cell { config, folder: out.join("runs").join(format!("{method}-{seed}")) }
    };
    let seeds = args.seeds.iter();
    seeds.flat_map(|seed| args.methods.iter().map(|method| cell(*seed, *method))).collect()
}

/// Trains a run, or what is left of it; whether it is done.
fn one(
    context: &Context,
    device: Device,
    cell: &Cell,
    set: &Arc<TaskSet>,
    (number, total): (usize, usize),
) -> anyhow::Result<bool> {
    let config = &cell.config;
    let folder = session::one_of_many::<Trainer>(&cell.folder, device.kind(), config, |_| ())?;
    let checkpoint = folder.checkpoint_path();
    if checkpoint.exists() && session::is_evaluated(&folder, config.train.run.steps.unwrap_or(u64::MAX), None)
    {
        return Ok(true);
    }
    let trainer = match checkpoint.exists() {
        true => Trainer::restored(config.clone(), set.clone(), &checkpoint, device)?,
        false => Trainer::new(config.clone(), set.clone(), device)?,
    };
    remark(format_args!("run {number} of {total}: {}", cell.folder.display()));
    Ok(Session::new(context, folder, trainer).one_of_many().train(true)? != Outcome::Interrupted)
}

/// What is done of all runs.
fn gathered(cells: &[Cell]) -> Vec<Row> {
    let row = |cell: &Cell| {
        let text = std::fs::read_to_string(cell.folder.join("eval.json")).ok()?;
        let report: Report = serde_json::from_str(&text).ok()?;
        Some(Row { seed: cell.config.train.run.seed, report })
    };
    cells.iter().filter_map(row).collect()
}

/// Writes what is known so far.
fn report(out: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let lines = comparison::lines(rows);
    for (name, text) in [
        ("runs.csv", comparison::csv(rows)),
        ("table.txt", comparison::table(&lines)),
        ("delta.svg", comparison::plot(&lines)),
    ] {
        let path = out.join(name);
        write_atomic(&path, text.as_bytes())
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    Ok(())
}
