//! Trains a field on the built-in scene for some seconds, and renders a view from a pose of its own.
//!
//!     cargo run --release --example train_demo -- view.png

use nerve::data::demo::{self, DemoConfig};
use nerve::data::nalgebra::{Point3, Vector3};
use nerve::data::scene::LoadOptions;
use nerve::data::write::{PixelFormat, write_png};
use nerve::data::{Camera, Intrinsics};
use nerve::nerf::{NerfConfig, Trainer};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

const STEPS: u64 = 300;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let png = std::env::args().nth(1).map_or_else(|| "view.png".into(), PathBuf::from);

    // `nerve::data::scene::load` reads captures in the same way.
    let scene = DemoConfig { resolution: 100, train: 40, test: 1, ..DemoConfig::default() };
    let scene = demo::load(&scene, &LoadOptions::default(), &|_, _| {})?;

    // What the flags of `nerve train` say; the length is what schedules go by.
    let mut config = NerfConfig::default();
    config.grid.log2_entries = 15;
    config.train.run.steps = Some(STEPS);
    config.train.batch_samples = 1 << 15;

    // On all cores. `Trainer::run` would write checkpoints and publish events; here it is done by hand.
    let mut trainer = Trainer::new(config, Arc::new(scene), 0)?;
    while trainer.progress() < 1.0 {
        let stats = trainer.step()?;
        if trainer.step_count() % 100 == 0 {
            println!("step {}: loss {:.5}", trainer.step_count(), stats.loss);
        }
    }

    // The scene's own frame: z is up, and the middle is the origin.
    let camera = Camera::looking_at(
        Intrinsics::pinhole(400, 300, 450.0, 450.0),
        Point3::new(2.6, -2.4, 1.5),
        Point3::origin(),
        Vector3::z(),
    );
    let picture = trainer.model_mut().render(&camera)?;
    write_png(&png, picture.width, picture.height, PixelFormat::Rgb, &picture.rgb(1.0))?;
    println!("wrote {}", png.display());
    Ok(())
}
