//! Peak memory of a process that runs ViT-B/16 forward and backward on a batch of four pictures of 224 x 224. The same in
//! PyTorch: `benches/peers/peer_memory.py`. (Linux: reads `/proc/self/status`.)

use nerve::core::graph::{DType, Device, Gradients, Mode, Randomness, Tensor, Variables, differentiate};
use nerve::vision::backbones::vit::{Vit, VitConfig};

/// The most memory that this process has had, in MB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) * 1.024e-3
}

fn main() -> Result<(), nerve::core::graph::Error> {
    nerve::core::device::keep_freed_memory();
    println!("start     {:6.0} MB", peak());
    let variables = Variables::random(1);
    let model = Vit::new(&variables.tracked(), &VitConfig::base(16))?;
    println!("model     {:6.0} MB ({} parameters)", peak(), variables.parameters());
    let images = Tensor::randn(0f32, 1.0, (4, 224, 224, 3), &Device::Cpu)?.to_dtype(DType::F32)?;
    let mut gradients = Gradients::default();
    let mode = Mode::Train(Randomness { seed: 0, step: 0 });
    for step in 0..3 {
        gradients.clear();
        differentiate(&mut gradients, || model.forward(&images, mode)?.tokens.sqr()?.mean_all())?;
        println!("step {step}    {:6.0} MB", peak());
    }
    Ok(())
}
