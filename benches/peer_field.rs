//! Our field's quality beside the PyTorch peer's: the same rays and samples at every step, the same rates, the
//! same views at the end.
//!
//! `cargo bench --bench peer_field [-- --steps 600 --seed 0]`; `NERVE_PEER_PYTHON` names the peer's interpreter.
//! Our default training on the demo scene draws the batches and records them; ours with Adam over whole tables and
//! the peer then learn from exactly these. No sample is dropped, so that all three see the same.

mod peer;
mod work;

use anyhow::{Context, Result};
use clap::Parser;
use nerve::core::engine::TrainEngine;
use nerve::core::metrics::{psnr_u8, quantize};
use nerve::core::ops::loss::PIXEL;
use nerve::core::ops::march::{Bitfield, Live, MOST_SAMPLES, Ray, Staged, Steps, Volume, march};
use nerve::core::rng::{Rng, Stream, below, uniform};
use nerve::core::simd::Isa;
use nerve::data::demo::{self, DemoConfig};
use nerve::data::scene::{self, LoadOptions, Scene};
use nerve::nerf::NerfConfig;
use nerve::nerf::occupancy::{Occupancy, Refresh};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use work::Batch;

/// Size of the comparison.
#[derive(Debug, Parser)]
struct Settings {
    /// Training steps
    #[arg(long, default_value_t = 600)]
    steps: u64,
    /// Samples per step
    #[arg(long, default_value_t = 16_384)]
    samples: usize,
    /// Base-2 logarithm of a level's most entries
    #[arg(long, default_value_t = 15)]
    log2_entries: u32,
    /// Side of the demo's images
    #[arg(long, default_value_t = 200)]
    resolution: usize,
    /// Every so manieth pixel of the held-out views is compared, along both axes
    #[arg(long, default_value_t = 3)]
    stride: u32,
    /// Seed of weights and batches
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads, ours and the peer's
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Keep the recorded batches in this folder
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the peer printed.
#[derive(Debug, Deserialize)]
struct Peer {
    psnr: f64,
    seconds: f64,
}

/// One step as in `meta.json`.
#[derive(Debug, Serialize)]
struct Step {
    rays: usize,
    rate: f32,
}

/// A training run that others can repeat.
struct Recorded {
    steps: Vec<(Batch, f32)>,
    /// One batch per held-out view, on white.
    tests: Vec<Batch>,
}

fn main() -> Result<()> {
    let settings = Settings::parse();
    if !settings.bench {
        // `cargo test --benches` comes by here.
        println!("peer_field: nothing to test; measure with `cargo bench --bench peer_field`");
        return Ok(());
    }
    let temporary = tempfile::tempdir()?;
    let folder = settings.keep.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder)?;
    let demo = folder.join("demo");
    let views = DemoConfig { resolution: settings.resolution, ..DemoConfig::default() };
    demo::write(&demo, &views, &|_, _| ())?;
    let scene = scene::load(&demo, &LoadOptions::default())?;

    let mut config = NerfConfig::default();
    config.grid.log2_entries = settings.log2_entries;
    config.train.run.seed = settings.seed;
    config.train.batch_samples = settings.samples;
    let mut engine = work::engine(&config, settings.threads)?;
    let recorded = train(&config, &settings, &scene, &mut *engine)?;
    let sparse = evaluate(&mut *engine, &recorded.tests)?;
    config.train.dense_adam = true;
    let mut engine = work::engine(&config, settings.threads)?;
    for (batch, rate) in &recorded.steps {
        engine.step(&batch.input(*rate))?;
    }
    let dense = evaluate(&mut *engine, &recorded.tests)?;
    println!("{} steps of {} samples, seed {}:", settings.steps, settings.samples, settings.seed);
    println!("  ours, sparse Adam: {sparse:.2} dB");
    println!("  ours, dense Adam:  {dense:.2} dB");

    let bytes = write(folder, &config, &settings, &recorded)?;
    println!("  batches: {:.0} MB", bytes as f64 / 1e6);
    let python = match peer::python("the PyTorch peer's training") {
        Ok(python) => python,
        Err(skipped) => {
            println!("{skipped}");
            return Ok(());
        }
    };
    for (init, flag) in [("nn.Linear's start", None), ("our networks' start", Some("he"))] {
        let args = std::iter::once(folder.as_os_str()).chain(flag.map(OsStr::new));
        let Peer { psnr, seconds } = peer::run(&python, "train_field_torch.py", args)?;
        println!("  PyTorch's field, {init}: {psnr:.2} dB ({seconds:.0} s of training)");
        println!("    ours - PyTorch's: {:+.2} dB sparse, {:+.2} dB dense", sparse - psnr, dense - psnr);
    }
    Ok(())
}

/// The trainer's loop, on batches that are recorded before each step.
fn train(
    config: &NerfConfig,
    settings: &Settings,
    scene: &Scene,
    engine: &mut dyn TrainEngine,
) -> Result<Recorded> {
    let side = scene.aabb_scale;
    anyhow::ensure!(side == 1, "the batches' frame is the unit cube, not a box of side {side}");
    let steps = Steps::new(config.march.steps_per_unit, side);
    let volume = Volume { side: side as f32, steps, near: config.march.near(scene.near) };
    let rng = Rng::new(config.train.run.seed);
    let (mut occupancy, mut refresh) = (Occupancy::new(side, steps), Refresh::default());
    let mut rays = (settings.samples / config.march.steps_per_unit as usize).max(1);
    let mut recorded = Vec::new();
    for step in 0..settings.steps {
        let mut batch = Batch::default();
        for index in 0..rays as u32 {
            let (ray, target) = draw(scene, &volume, rng, step, index)?;
            record(&mut batch, ray, target, occupancy.bits(), &steps);
        }
        let progress = step as f64 / settings.steps as f64;
        let rate = config.train.lr * config.schedule.factor(progress) as f32;
        let stats = engine.step(&batch.input(rate))?;
        recorded.push((batch, rate));
        let wanted = rays as f64 * settings.samples as f64 / stats.samples.max(1) as f64;
        rays = (wanted as usize).clamp(1, 2 * rays);
        if Refresh::is_due(step + 1, false) {
            refresh.run(&mut occupancy, engine, config.train.run.seed, step + 1, None)?;
        }
    }
    let test = |view: &usize| -> Result<Batch> {
        let caster = scene.caster(*view).context("a held-out view has no camera")?;
        let image = &scene.views[*view].image;
        let mut batch = Batch::default();
        for y in (0..image.height()).step_by(settings.stride as usize) {
            for x in (0..image.width()).step_by(settings.stride as usize) {
                let [r, g, b, a] = image.pixel(x, y).map(|v| f32::from(v) / 255.0);
                let ray = volume.ray(caster.cast(f64::from(x) + 0.5, f64::from(y) + 0.5), 0.5);
                record(&mut batch, ray, [r, g, b, a, 1.0, 1.0, 1.0], occupancy.bits(), &steps);
            }
        }
        Ok(batch)
    };
    let tests = scene.splits.eval().iter().map(test).collect::<Result<_>>()?;
    Ok(Recorded { steps: recorded, tests })
}

/// A ray through a random pixel of a random training view, on a random background.
fn draw(scene: &Scene, volume: &Volume, rng: Rng, step: u64, index: u32) -> Result<(Ray, [f32; PIXEL])> {
    let [view, column, row, jitter] = rng.bits(Stream::Pixels, step, index);
    let view = scene.splits.train[below(view, scene.splits.train.len() as u32) as usize];
    let (image, caster) = (&scene.views[view].image, scene.caster(view).context("a view has no camera")?);
    let (x, y) = (below(column, image.width()), below(row, image.height()));
    let [r, g, b, a] = image.pixel(x, y).map(|v| f32::from(v) / 255.0);
    let [p, q, s, _] = rng.uniform4(Stream::Background, step, index);
    let ray = volume.ray(caster.cast(f64::from(x) + 0.5, f64::from(y) + 0.5), uniform(jitter));
    Ok((ray, [r, g, b, a, p, q, s]))
}

/// Adds a ray with all its samples in occupied cells.
fn record(batch: &mut Batch, ray: Ray, target: [f32; PIXEL], bits: &Bitfield, steps: &Steps) {
    let mut staged = Staged::default();
    if ray.near < ray.far {
        let mut live = [Live { ray: 0, from: ray.near }];
        march(Isa::best(), bits, steps, &[ray], &mut live, MOST_SAMPLES, &mut staged);
    }
    batch.push(ray, target, &staged.samples.t, &staged.samples.dt);
}

/// The mean over views of the PSNR of 8-bit colors on the batches' background.
fn evaluate(engine: &mut dyn TrainEngine, views: &[Batch]) -> Result<f64> {
    let outputs = engine.layout().outputs.clone();
    let mut sum = 0.0;
    for view in views {
        let mut out = vec![0.0; view.rays().len() * outputs.width()];
        engine.render(view.rays(), view.source(), 0.0, &mut out)?;
        let (mut image, mut truth) = (Vec::new(), Vec::new());
        for (out, target) in out.chunks_exact(outputs.width()).zip(view.targets()) {
            for (c, color) in out[outputs.heads[0].clone()].iter().enumerate() {
                let background = target[4 + c];
                image.push(color + (1.0 - out[outputs.opacity]) * background);
                truth.push(target[3] * target[c] + (1.0 - target[3]) * background);
            }
        }
        sum += psnr_u8(&quantize(&truth), &quantize(&image))?;
    }
    Ok(sum / views.len() as f64)
}

/// Writes what `train_field_torch.py` reads; its head describes the files. Returns their size in bytes.
fn write(folder: &Path, config: &NerfConfig, settings: &Settings, recorded: &Recorded) -> Result<u64> {
    let steps = recorded.steps.iter().map(|(batch, rate)| Step { rays: batch.rays().len(), rate: *rate });
    let meta = json!({
        "seed": settings.seed,
        "threads": settings.threads,
        "levels": config.grid.levels,
        "features": config.grid.features,
        "log2_entries": config.grid.log2_entries,
        "base": config.grid.base_resolution,
        "finest": config.grid.finest_resolution,
        "width": config.field.width,
        "steps": steps.collect::<Vec<_>>(),
        "tests": recorded.tests.iter().map(|batch| batch.rays().len()).collect::<Vec<_>>(),
    });
    serde_json::to_writer(File::create(folder.join("meta.json"))?, &meta)?;
    let train: Vec<&Batch> = recorded.steps.iter().map(|(batch, _)| batch).collect();
    Ok(split(folder, "train", &train)? + split(folder, "test", &recorded.tests.iter().collect::<Vec<_>>())?)
}

fn split(folder: &Path, name: &str, batches: &[&Batch]) -> Result<u64> {
    let create = |kind: &str| File::create(folder.join(format!("{name}.{kind}"))).map(BufWriter::new);
    let (mut counts, mut rays, mut samples) = (create("counts")?, create("rays")?, create("samples")?);
    for batch in batches {
        for (i, (ray, target)) in batch.rays().iter().zip(batch.targets()).enumerate() {
            let (t, dt) = batch.samples(i);
            counts.write_all(&(t.len() as u32).to_le_bytes())?;
            put(&mut rays, &ray.direction)?;
            put(&mut rays, target)?;
            for (t, dt) in t.iter().zip(dt) {
                put(&mut samples, &position(ray, *t))?;
                put(&mut samples, &[*dt])?;
            }
        }
    }
    let mut bytes = 0;
    for mut file in [counts, rays, samples] {
        file.flush()?;
        bytes += file.get_ref().metadata()?.len();
    }
    Ok(bytes)
}

/// Where the engine looks at the field, operation by operation: the box's side is 1.
fn position(ray: &Ray, t: f32) -> [f32; 3] {
    let (o, d) = (ray.origin, ray.direction);
    std::array::from_fn(|a| ((o[a] - 0.5) + 0.5 + t * d[a]).clamp(0.0, 1.0))
}

fn put(file: &mut impl Write, values: &[f32]) -> std::io::Result<()> {
    values.iter().try_for_each(|v| file.write_all(&v.to_le_bytes()))
}
