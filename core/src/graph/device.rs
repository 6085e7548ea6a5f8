//! Which device a graph computes on.
use candle_core::{Result, bail};

use crate::device::{Device, DeviceKind};

/// The graph engine's name of a resolved device.
///
/// # Errors
/// If graphs cannot compute on it.
pub fn graph_device(device: Device) -> Result<candle_core::Device> {
    match device {
        Device::Cpu => Ok(candle_core::Device::Cpu),
        Device::Cuda(_) => bail!("vision models cannot use the device {device} yet: use --device cpu"),
    }
}

/// What sort of device a graph computes on.
pub fn device_kind(device: &candle_core::Device) -> DeviceKind {
    if device.is_cpu() { DeviceKind::Cpu } else { DeviceKind::Cuda }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_compute_on_the_cpu_and_say_so() {
        let cpu = graph_device(Device::Cpu).expect("the processor");
        assert!(cpu.is_cpu() && device_kind(&cpu) == DeviceKind::Cpu);
        assert!(graph_device(Device::Cuda(1)).expect_err("refused").to_string().contains("cuda:1"));
    }
}
