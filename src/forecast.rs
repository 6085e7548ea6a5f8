//! What a training will take of the memory of the machine or the GPU, before anything is loaded.

use crate::format::megabytes;
use nerve_core::device::{Device, MEMORY_VARIABLE, available_memory};
use nerve_data::scene::Outline;
use nerve_nerf::NerfConfig;
use nerve_nerf::memory::Forecast;

/// Refuses a training that does not fit, with the smallest downscale factor that does. The built-in scene has no outline.
pub fn check(device: Device, config: &NerfConfig, outline: Option<&Outline>) -> anyhow::Result<()> {
    refuse(device, config, outline, |remedy| remedy)
}

/// Refuses to go on with a run that does not fit here; what it trains is settled.
pub fn check_resumed(device: Device, config: &NerfConfig, outline: Option<&Outline>) -> anyhow::Result<()> {
    refuse(device, config, outline, |remedy| {
        format!(
            "free memory, or resume on a machine with more ({MEMORY_VARIABLE} sets how much may be used); for a new run: {remedy}"
        )
    })
}

fn refuse(
    device: Device,
    config: &NerfConfig,
    outline: Option<&Outline>,
    reword: impl Fn(String) -> String,
) -> anyhow::Result<()> {
    let Some(outline) = outline else { return Ok(()) };
    let forecast = Forecast::of(device, config, outline, rayon::current_num_threads())?;
    let beside = (device != Device::Cpu).then(|| forecast.beside_the_gpu());
    for forecast in [Some(forecast), beside].into_iter().flatten() {
        let Some(available) = available_memory(forecast.device) else { continue };
        if let Some((problem, remedy)) = advice(config, outline, &forecast, available) {
            anyhow::bail!("{}: {problem}; {}", outline.source.display(), reword(remedy));
        }
    }
    Ok(())
}

/// What is wrong and what to do where a training does not fit into `available` bytes.
pub fn advice(
    config: &NerfConfig,
    outline: &Outline,
    forecast: &Forecast,
    available: u64,
) -> Option<(String, String)> {
    if forecast.total() <= available {
        return None;
    }
    let problem = format!(
        "training would take about {}, {} of it for {} images, and {} are available{}",
        megabytes(forecast.total()),
        megabytes(forecast.images.images),
        outline.views.len(),
        megabytes(available),
        match forecast.device {
            Device::Cpu => String::new(),
            gpu => format!(" on {gpu}"),
        }
    );
    let remedy = match forecast.fitting(outline, config.data.downscale, available) {
        Some((n, smaller)) => {
            format!(
                "use --downscale {n}, which takes about {}, or fewer --max-images",
                megabytes(smaller.total())
            )
        }
        None => format!(
            "no --downscale is enough, since the model and its batches take {}: use smaller --log2-entries or --batch-samples, or \
             free memory ({MEMORY_VARIABLE} sets how much may be used)",
            megabytes(forecast.training.total())
        ),
    };
    Some((problem, remedy))
}
