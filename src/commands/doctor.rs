//! `nerve doctor`.

use super::doctor_cuda::Cuda;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::{format, viewers};
use nerve_core::device::{CpuInfo, Device, available_memory, cpu_info};
use nerve_core::simd::Isa;
use nerve_data::photos::{Colmap, INSTALL};
use serde_json::json;
use std::io::IsTerminal;

/// Tells what is found on this machine; fails if the device asked for cannot be had.
pub fn run(context: &Context) -> anyhow::Result<Outcome> {
    context.common.without_out("doctor")?;
    context.common.without_viewer("doctor")?;
    let cpu = cpu_info();
    let device = context.common.device.resolve();
    let (best, available) = (Isa::best().name(), Isa::available().into_iter().map(Isa::name));
    let available: Vec<_> = available.collect();
    let terminal = std::io::stderr().is_terminal();
    let or_none = |list: String| if list.is_empty() { "unknown".to_owned() } else { list };
    let memory = available_memory(Device::Cpu);
    let colmap = Colmap::find();
    let colmap_text = match &colmap {
        Ok(Some(colmap)) => format!("{}: nerve can train on photos without poses", colmap.version),
        Ok(None) => format!("not on the PATH; needed for photos without poses: {INSTALL}"),
        Err(error) => error.to_string(),
    };
    let found = match &device {
        Ok(device) => {
            let said = format!("{device} (--device {})", context.common.device);
            if *device == Device::Cpu { said } else { said + "; segmenters use the CPU" }
        }
        Err(error) => format!("none: {error}"),
    };
    let cuda = Cuda::find();
    let viewer = viewers::found();
    let rows = [
        ("nerve", env!("CARGO_PKG_VERSION").to_owned()),
        ("device", found),
        ("processor", cpu.model.clone().unwrap_or_else(|| "unknown".into())),
        ("cores", format!("{} usable, {} worker threads", cpu.logical_cores, rayon::current_num_threads())),
        ("caches", or_none(caches(&cpu))),
        ("extensions", or_none(cpu.features.join(" "))),
        ("SIMD", format!("{best} (available: {}; NERVE_SIMD=NAME selects)", available.join(", "))),
        (
            "memory",
            memory.map_or("unknown".into(), |bytes| format!("{} available", format::megabytes(bytes))),
        ),
        ("COLMAP", colmap_text),
        ("CUDA", cuda.text()),
        ("viewer", viewer.text),
        (
            "stderr",
            if terminal { "a terminal: progress bars" } else { "no terminal: plain lines" }.to_owned(),
        ),
    ];
    context.output.say(rows.map(|(name, value)| format!("{name:<12} {value}")).join("\n"));
    let fields = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "device": device.as_ref().map(ToString::to_string).ok(),
        "device_error": device.as_ref().map_err(ToString::to_string).err(),
        "cpu": cpu, "threads": rayon::current_num_threads(),
        "simd": best, "simd_available": available,
        "available_memory": memory, "cuda": cuda,
        "colmap": colmap.ok().flatten().map(|colmap| colmap.version),
        "features": features(), "terminal": terminal,
        "viewer": viewer.program, "viewer_wanted": viewer.wanted,
    });
    context.output.line("doctor", &fields);
    Ok(if device.is_ok() { Outcome::Done } else { Outcome::Failed })
}

/// What this build has that others need not.
fn features() -> Vec<&'static str> {
    let all = [
        ("viewer", cfg!(feature = "viewer")),
        ("web-viewer", cfg!(feature = "web-viewer")),
        ("hub", cfg!(feature = "hub")),
    ];
    all.into_iter().filter_map(|(name, has)| has.then_some(name)).collect()
}

fn caches(cpu: &CpuInfo) -> String {
    let one = |c: &nerve_core::device::Cache| {
        format!("L{} {} {} KiB", c.level, c.kind.to_lowercase(), c.bytes / 1024)
    };
    cpu.caches.iter().map(one).collect::<Vec<_>>().join(", ")
}
