//! Opens what a run has left, and renders a view from a pose. The photographs need not be there any more.
//!
//!     cargo run --release --example render_run -- runs/demo view.png
//!
//! RUN is a run's folder, its checkpoint, or a compact file.

use nerve::data::nalgebra::Isometry3;
use nerve::data::write::{PixelFormat, write_png};
use nerve::data::{Camera, Intrinsics};
use nerve::nerf::{Model, OpenOptions};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

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
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let given = arguments.next().ok_or("which run? render_run RUN [PNG]")?;
    let png = arguments.next().unwrap_or_else(|| "view.png".into());

    let mut model = Model::open(&given, &OpenOptions::default())?;
    println!("{} values, {} steps of training", model.parameters(), model.step_count());

    // A model knows the cameras that it was trained with, in the capture's own frame. This one is moved a little: the
    // first camera, a tenth of its distance from the world's origin to the right, twice as large.
    let first =
        &model.capture().views.first().ok_or("an earlier nerve saved this run without cameras")?.camera;
    let aside = 0.1 * first.centre().coords.norm();
    let Intrinsics { width, height, .. } = first.intrinsics;
    let camera = Camera {
        intrinsics: first.intrinsics.resized(2 * width, 2 * height),
        // Camera-to-world; the camera's x axis points to its right.
        pose: first.pose * Isometry3::translation(aside, 0.0, 0.0),
    };

    let picture = model.render(&camera)?;
    write_png(&png, picture.width, picture.height, PixelFormat::Rgb, &picture.rgb(1.0))?;
    println!("wrote {}", png.display());
    Ok(())
}
