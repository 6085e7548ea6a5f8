//! What a CUDA device takes for the design's training step, by precision and kernel, and for pictures of a run.
//!
//! `benches/gpu.sh` runs it; `gpu step`, `gpu pictures RUN`; `--device cpu` tries it without a GPU.

mod work;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use nerve::core::device::DeviceArg;
use nerve::core::ops::small_gemm::Precision;
use nerve::data::scene::Split;
use nerve::nerf::{Model, NerfConfig, OpenOptions};
use std::path::PathBuf;
use std::time::Instant;

/// What is measured.
#[derive(Debug, Parser)]
struct Settings {
    #[command(subcommand)]
    work: Option<Work>,
    /// Where
    #[arg(long, global = true, default_value = "cuda:0")]
    device: DeviceArg,
    /// Given by `cargo bench`
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Work {
    /// Training steps on random rays: median, and samples a second
    Step {
        /// Precision of the field
        #[arg(long, value_enum)]
        precision: Option<Precision>,
        /// Samples a step
        #[arg(long, default_value_t = 1 << 18)]
        samples: usize,
        /// Entries of a table, as a base-2 logarithm
        #[arg(long, default_value_t = 19)]
        log2_entries: u32,
        /// Steps before the first one that counts
        #[arg(long, default_value_t = 100)]
        warmup: usize,
        /// Steps that count
        #[arg(long, default_value_t = 200)]
        steps: usize,
    },
    /// Pictures of a run's held-out views: frames a second, without the first
    Pictures {
        /// The run's folder
        run: PathBuf,
        /// Pixels of a side; cameras are scaled to it
        #[arg(long, default_value_t = 800)]
        side: u32,
        /// How many
        #[arg(long, default_value_t = 20)]
        count: usize,
    },
}

fn main() -> Result<()> {
    let settings = Settings::parse();
    let device = match &settings.work {
        Some(_) => settings.device.resolve()?,
        None => {
            // `cargo test --benches` and `cargo bench` come by here.
            println!("gpu: see benches/gpu.sh");
            return Ok(());
        }
    };
    match settings.work {
        Some(Work::Step { precision, samples, log2_entries, warmup, steps }) => {
            let mut config = NerfConfig::default();
            config.grid.log2_entries = log2_entries;
            config.train.precision = precision;
            config.train.batch_samples = samples;
            config.validate_on(device.kind())?;
            let mut bench = work::Bench::on(device, &config, 0, samples)?;
            for _ in 0..warmup {
                bench.step();
            }
            let time = |_| {
                let started = Instant::now();
                bench.step();
                started.elapsed().as_secs_f64() * 1e3
            };
            let mut times: Vec<f64> = (0..steps.max(1)).map(time).collect();
            times.sort_by(f64::total_cmp);
            let (median, best) = (times[times.len() / 2], times[0]);
            let named = config.train.precision_on(device.kind());
            println!(
                "| step, T = 2^{log2_entries}, {samples} samples, {named:?} | {:.1} M samples/s | {median:.3} ms, best {best:.3} |",
                samples as f64 / median / 1e3
            );
        }
        Some(Work::Pictures { run, side, count }) => {
            let mut model = Model::open(&run, &OpenOptions { device, threads: 0, fit_poses: false })?;
            let views = &model.capture().views;
            let held = views.iter().find(|view| view.split != Split::Train).or(views.first());
            let mut camera = held.context("the run has no cameras")?.camera.clone();
            let height = side * camera.intrinsics.height / camera.intrinsics.width;
            camera.intrinsics = camera.intrinsics.resized(side, height.max(1));
            let mut times = Vec::new();
            for _ in 0..=count.max(1) {
                let started = Instant::now();
                model.render(&camera)?;
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
            let first = times.remove(0);
            times.sort_by(f64::total_cmp);
            let median = times[times.len() / 2];
            println!(
                "| one view at {}x{} | {:.1} frames/s | {median:.2} ms, the first {first:.2} |",
                camera.intrinsics.width,
                camera.intrinsics.height,
                1e3 / median
            );
        }
        None => {}
    }
    Ok(())
}
