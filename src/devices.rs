//! Which device a command computes on.

use crate::context::Context;
use crate::outcome::usage;
use crate::output::remark;
use nerve_core::checkpoint::Checkpoint;
use nerve_core::device::{Device, DeviceArg};
use nerve_core::engine::EngineError;
use nerve_core::gpu::CudaDevice;
use nerve_core::run::RunFolder;
use nerve_core::settings::SettingError;
use nerve_nerf::{NerfConfig, NerfError, memory};

/// As [`for_field`], for a configuration that the command line gives.
pub fn for_new_field(context: &Context, config: &NerfConfig) -> anyhow::Result<Device> {
    for_field(context, config).map_err(|error| match error.downcast::<SettingError>() {
        Ok(mistake) => usage(mistake).into(),
        Err(error) => error,
    })
}

/// The device to train a field of this configuration on. A GPU is named; `auto` says why it leaves one aside that is there.
pub fn for_field(context: &Context, config: &NerfConfig) -> anyhow::Result<Device> {
    let asked = context.common.device;
    let device = match (asked, CudaDevice::find(0)) {
        (DeviceArg::Auto, Ok(found)) => works(&found, config).map_or_else(left_aside, |()| Device::Cuda(0)),
        _ => asked.resolve()?,
    };
    config.validate_on(device.kind())?;
    if device != Device::Cpu {
        supported(device, config)?;
    }
    name(device);
    Ok(device)
}

/// Opens something with a field to look at, in the same way.
pub fn to_look<T>(context: &Context, open: impl Fn(Device) -> Result<T, NerfError>) -> anyhow::Result<T> {
    let asked = context.common.device;
    let device = asked.resolve()?;
    let opened = match open(device) {
        Err(why) if asked == DeviceArg::Auto && device != Device::Cpu && is_the_devices(&why) => {
            return Ok(open(left_aside(why.to_string()))?);
        }
        opened => opened?,
    };
    name(device);
    Ok(opened)
}

/// Names a GPU.
fn name(device: Device) {
    if let Device::Cuda(ordinal) = device
        && let Ok(found) = CudaDevice::find(ordinal)
    {
        remark(format_args!("device {found}"));
    }
}

/// The processor, since `auto` does not take the GPU.
fn left_aside(why: String) -> Device {
    remark(format_args!("device cpu: {why}"));
    Device::Cpu
}

/// Whether another device might do.
fn is_the_devices(error: &NerfError) -> bool {
    error.is_unsupported() || matches!(error, NerfError::Engine(EngineError::Gpu(_)))
}

/// The device for a segmenter: graphs compute on the processor alone.
pub fn for_segmenter(context: &Context) -> anyhow::Result<Device> {
    match context.common.device {
        DeviceArg::Auto | DeviceArg::Cpu => Ok(Device::Cpu),
        asked @ DeviceArg::Cuda(_) => Err(usage(format!(
            "--device {asked}: segmenters run on the CPU, only radiance fields run on CUDA devices: use --device cpu"
        ))
        .into()),
    }
}

/// Whether a GPU can be opened and runs the field in the precision that is asked for; why not, if not.
fn works(found: &CudaDevice, config: &NerfConfig) -> Result<(), String> {
    let device = Device::Cuda(found.ordinal);
    config.validate_on(device.kind()).map_err(|error| format!("{found} is left aside: {error}"))?;
    supported(device, config).map_err(|error| error.to_string())?;
    found.free_memory().map(drop).map_err(|error| error.to_string())
}

/// Refuses a field that a device cannot run. Neither the size of the box nor the number of cameras matters to that.
fn supported(device: Device, config: &NerfConfig) -> Result<(), NerfError> {
    memory::estimate(device, config, 1, 1).map(drop)
}

/// What is left of a run whose device has failed, and how it goes on.
pub fn left_of(run: &RunFolder) -> String {
    let saved = Checkpoint::load(run.checkpoint_path());
    let what = match saved.as_ref().map(|file| file.meta("step")) {
        Ok(Ok(step)) => format!("the run is saved as of step {step}, and goes on with"),
        _ => "nothing of the run was saved yet; it starts over with".to_owned(),
    };
    format!("{what}: nerve resume {}    (without the GPU: --device cpu)", run.path().display())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nerve_core::device::DeviceKind;
    use nerve_core::run::Existing;
    use std::collections::BTreeMap;

    #[test]
    fn what_is_left_of_a_run_is_said() {
        let place = tempfile::tempdir().unwrap();
        let settings = BTreeMap::<String, String>::new();
        let path = place.path().join("run");
        let run = RunFolder::create(&path, "nerf", DeviceKind::Cuda, &settings, Existing::Keep).unwrap();
        let said = left_of(&run);
        assert!(said.contains("nothing of the run was saved") && said.contains("--device cpu"), "{said}");
        let meta = [("step".to_owned(), "120".to_owned())].into();
        nerve_core::checkpoint::save(&run.checkpoint_path(), &meta, &[]).unwrap();
        let said = left_of(&run);
        assert!(said.contains("as of step 120") && said.contains("nerve resume "), "{said}");
    }
}
