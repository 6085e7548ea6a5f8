//! The device a run computes on: the user's wish ([`DeviceArg`]), what it resolves to ([`Device`]), what of it is kept
//! with a run ([`DeviceKind`]), and what `doctor` tells about the processor ([`cpu_info`]).
use std::{fmt, str::FromStr};

use crate::gpu::{CudaDevice, CudaProblem};
use serde::{Deserialize, Serialize};

mod allocator;
mod cpu;
mod kind;
mod memory;

pub use allocator::keep_freed_memory;
pub use cpu::{Cache, CpuInfo, cpu_info};
pub use kind::DeviceKind;
pub use memory::{MEMORY_VARIABLE, available_memory};

/// A device that this build can compute on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// The processor.
    Cpu,
    /// The CUDA device with this ordinal.
    Cuda(usize),
}

/// The device a user asks for: `auto`, `cpu`, `cuda` or `cuda:N`, in this spelling on the command line and in
/// files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceArg {
    /// The fastest device that works.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA device with this ordinal; plain `cuda` is device 0.
    Cuda(usize),
}

/// A device that cannot be had, or no name of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The text names no device.
    #[error("unknown device '{0}': use auto, cpu, cuda or cuda:N (N counts devices from 0)")]
    Unknown(String),
    /// The text names no kind of device that this program knows.
    #[error("unknown kind of device '{0}', expected cpu or cuda: update nerve if a newer one wrote it")]
    UnknownKind(String),
    /// A CUDA device that is not there or cannot run the kernels.
    #[error("device '{device}' was asked for, but {problem}; or use --device cpu")]
    NoCuda {
        /// The device.
        device: Device,
        /// What is missing.
        problem: CudaProblem,
    },
}

impl DeviceArg {
    /// The device to compute on.
    ///
    /// # Errors
    /// [`DeviceError::NoCuda`] when a CUDA device is asked for that is not there; `auto` never fails.
    pub fn resolve(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(CudaDevice::find(0).map_or(Device::Cpu, |found| Device::Cuda(found.ordinal))),
            Self::Cuda(ordinal) => Ok(Device::Cuda(cuda_device(ordinal)?.ordinal)),
        }
    }
}

/// The CUDA device with this number.
pub(crate) fn cuda_device(ordinal: usize) -> Result<CudaDevice, DeviceError> {
    let device = Device::Cuda(ordinal);
    CudaDevice::find(ordinal).map_err(|problem| DeviceError::NoCuda { device, problem })
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

impl fmt::Display for DeviceArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => Device::Cpu.fmt(f),
            Self::Cuda(ordinal) => Device::Cuda(ordinal).fmt(f),
        }
    }
}

impl FromStr for DeviceArg {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                // `usize` would accept a leading plus sign.
                .filter(|n| n.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|n| n.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| DeviceError::Unknown(text.to_owned())),
        }
    }
}

impl TryFrom<String> for DeviceArg {
    type Error = DeviceError;

    fn try_from(text: String) -> Result<Self, DeviceError> {
        text.parse()
    }
}

impl From<DeviceArg> for String {
    fn from(device: DeviceArg) -> Self {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_spelling_parses_and_prints() {
        for (text, device, printed) in [
            ("auto", DeviceArg::Auto, "auto"),
            ("cpu", DeviceArg::Cpu, "cpu"),
            ("cuda", DeviceArg::Cuda(0), "cuda:0"),
            ("cuda:12", DeviceArg::Cuda(12), "cuda:12"),
        ] {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), printed);
            assert_eq!(serde_json::to_string(&device).unwrap(), format!("\"{printed}\""));
            assert_eq!(serde_json::from_str::<DeviceArg>(&format!("\"{text}\"")).unwrap(), device);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_choices() {
        for text in ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:+1", "cuda:1x", "cuda:99999999999999999999"]
        {
            let error = text.parse::<DeviceArg>().unwrap_err();
            assert_eq!(error, DeviceError::Unknown(text.to_owned()));
            assert!(error.to_string().contains("cuda:N"));
        }
    }

    #[test]
    fn auto_and_cpu_resolve_and_cuda_says_what_to_do() {
        assert_eq!(DeviceArg::Auto.resolve(), Ok(Device::Cpu));
        assert_eq!(DeviceArg::Cpu.resolve(), Ok(Device::Cpu));
        let error = DeviceArg::Cuda(1).resolve().unwrap_err().to_string();
        assert!(error.contains("cuda:1") && error.contains("--device cpu"), "{error}");
    }
}
