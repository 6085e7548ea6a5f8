//! Segments a picture with a published segmenter, SegFormer or UPerNet as Hugging Face publishes them:
//!
//!     cargo run --release --example segment_picture -- MODEL PICTURE OUT.png
//!
//! MODEL is a folder with `config.json` and `model.safetensors`, or a name such as
//! `nvidia/segformer-b0-finetuned-ade-512-512` that is in the hub's cache.

use nerve::core::device::Device;
use nerve::data::labels::{picture, rgb};
use nerve::vision::load::Access;
use nerve::vision::segmentation::{Inference, Published, predict};
use std::path::Path;
use std::process::ExitCode;

const MISSING: &str = "three arguments are needed: MODEL PICTURE OUT.png
MODEL is a published segmenter's folder (config.json and model.safetensors), for example one fetched with
  hf download nvidia/segformer-b0-finetuned-ade-512-512 --local-dir segformer
or vision/tests/fixtures/upernet, a tiny one of random weights that shows that everything works.";

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, image, out] = args.as_slice() else {
        eprintln!("{MISSING}");
        return Ok(ExitCode::from(2));
    };

    // The configuration says what to build; the weights must fit it to the last array.
    let segmenter = Published::open(model, Access::Offline, Device::Cpu)?;
    let classes = segmenter.names();

    // Rows, columns, RGB. `Inference` would look through windows, at several scales, and flipped.
    let image = rgb(Path::new(image))?;
    let prediction = predict(&segmenter, image.view(), &Inference::default())?;

    let mut pixels = vec![0usize; classes.len()];
    prediction.labels.iter().for_each(|class| pixels[usize::from(*class)] += 1);
    for (class, pixels) in classes.iter().zip(&pixels).filter(|(_, pixels)| **pixels > 0) {
        println!("{:5.1} %  {}", 100.0 * *pixels as f64 / prediction.labels.len() as f64, class.name);
    }

    let overlay = picture::overlay(image.view(), prediction.labels.view(), classes);
    picture::write_rgb(Path::new(out), overlay.view())?;
    println!("written  {out}");
    Ok(ExitCode::SUCCESS)
}
