//! Our training step beside the PyTorch peer's and this machine's limits, all measured in this run, in turns.
//!
//! `cargo bench --bench compare [-- --quick] [-- --json]`; `NERVE_PEER_PYTHON` names the peer's interpreter.

mod peer;
mod report;
mod roof;
mod work;

use anyhow::Result;
use clap::Parser;
use nerve::core::device::cpu_info;
use nerve::core::ops::small_gemm::Precision;
use nerve::core::simd::Isa;
use nerve::nerf::NerfConfig;
use report::{Case, Report, Turns};
use roof::Roof;
use std::path::Path;
use std::time::Instant;

/// How much is measured.
#[derive(Debug, Parser)]
struct Settings {
    /// One short turn of the two main cases
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Our steps before the first one that counts
    #[arg(long, default_value_t = 100, value_name = "STEPS")]
    warmup: usize,
    /// Our steps per turn
    #[arg(long, default_value_t = 40, value_name = "STEPS")]
    steps: usize,
    /// The peer's steps before the first one of a turn: its steps stay alike, because its Adam is dense
    #[arg(long, default_value_t = 10, value_name = "STEPS")]
    peer_warmup: usize,
    /// The peer's steps per turn
    #[arg(long, default_value_t = 9, value_name = "STEPS")]
    peer_steps: usize,
    /// Turns of each: ours, peer, ours, peer ...
    #[arg(long, default_value_t = 2)]
    turns: usize,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

const fn case(log2_entries: u32, threads: usize, log2_samples: u32) -> Case {
    Case {
        log2_entries,
        threads,
        samples: 1 << log2_samples,
        dense_adam: false,
        bf16: false,
        peer: log2_samples == 16,
    }
}

/// The first two are the main ones.
const CASES: [Case; 9] = [
    case(19, 2, 16),
    case(15, 2, 16),
    case(19, 1, 16),
    case(15, 1, 16),
    Case { bf16: true, peer: false, ..case(19, 2, 16) },
    Case { bf16: true, peer: false, ..case(15, 2, 16) },
    Case { dense_adam: true, peer: false, ..case(19, 2, 16) },
    case(19, 2, 14),
    case(19, 2, 18),
];

fn main() -> Result<()> {
    let mut settings = Settings::parse();
    if !settings.bench {
        // `cargo test --benches` comes by here.
        println!("compare: nothing to test; measure with `cargo bench --bench compare`");
        return Ok(());
    }
    if settings.quick {
        settings = Settings { warmup: 10, peer_warmup: 2, steps: 20, peer_steps: 5, turns: 1, ..settings };
    }
    let python = peer::python("the PyTorch peer");
    if let Err(skipped) = &python {
        eprintln!("{skipped}");
    }
    let isa = Isa::best();
    let before = load();
    let measure = || [1, 2].map(|threads| Roof::measure(isa, threads));
    let first = measure();
    let mut torch = None;
    let cases = if settings.quick { &CASES[..2] } else { &CASES };
    let mut runs = Vec::new();
    for case in cases {
        eprintln!("{case:?}");
        if case.bf16 && !Precision::Bf16.available() {
            eprintln!("skipped: this CPU has no bf16 products");
            continue;
        }
        let turns = turns(case, &settings, python.as_deref().ok())?;
        torch = torch.or(turns.theirs.first().map(|t| t.torch.clone()));
        runs.push((*case, turns));
    }
    let second = measure();
    let roof: Vec<Roof> = first.into_iter().zip(second).map(|(a, b)| a.best(b)).collect();
    // The limit of as many threads.
    let outcomes =
        runs.into_iter().map(|(case, turns)| turns.outcome(case, &roof[case.threads - 1])).collect();
    let report = Report { cpu: cpu_info(), isa: isa.name(), load: [before, load()], torch, roof, outcomes };
    if settings.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.print();
    }
    Ok(())
}

/// The system's load, where it tells: a figure taken beside other work is too low.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(1).collect()
}

/// Steps of a case, ours and the peer's in turns: their times in ms.
fn turns(case: &Case, settings: &Settings, python: Option<&Path>) -> Result<Turns> {
    let mut config = NerfConfig::default();
    config.grid.log2_entries = case.log2_entries;
    config.train.dense_adam = case.dense_adam;
    if case.bf16 {
        config.train.precision = Some(Precision::Bf16);
    }
    let mut bench = work::Bench::new(&config, case.threads, case.samples)?;
    for _ in 0..settings.warmup {
        bench.step();
    }
    let mut turns = Turns::default();
    for _ in 0..settings.turns {
        // The peer has had the caches since.
        for _ in 0..3 {
            bench.step();
        }
        turns.ours.extend((0..settings.steps).map(|_| {
            let start = Instant::now();
            let stats = bench.step();
            (start.elapsed().as_secs_f64() * 1e3, stats)
        }));
        if let Some(python) = python.filter(|_| case.peer) {
            let flags = [
                ("--log2T", case.log2_entries as usize),
                ("--threads", case.threads),
                ("--rays", case.samples / work::PER_RAY),
                ("--samples", work::PER_RAY),
                ("--warmup", settings.peer_warmup),
                ("--runs", settings.peer_steps),
            ];
            let flags = flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_string()]);
            let fixed = ["--impl", "loop", "--compile"].map(str::to_owned);
            turns.theirs.push(peer::run(python, "peer_nerf_torch.py", fixed.into_iter().chain(flags))?);
        }
    }
    Ok(turns)
}
