//! Kinds of devices. Runs and checkpoints record which one computed them: the same bits are promised per kind.
use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Device, DeviceError};

/// What sort of device computes: a run given in steps ends bit for bit the same on one kind, whichever device of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// Processors; also what computed runs and checkpoints that record no kind.
    #[default]
    Cpu,
    /// CUDA devices.
    Cuda,
}

impl DeviceKind {
    const ALL: [Self; 2] = [Self::Cpu, Self::Cuda];

    /// As it stands in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}

impl Device {
    /// What sort of device it is.
    #[must_use]
    pub fn kind(self) -> DeviceKind {
        match self {
            Self::Cpu => DeviceKind::Cpu,
            Self::Cuda(_) => DeviceKind::Cuda,
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DeviceKind {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let named = Self::ALL.into_iter().find(|kind| kind.name() == text);
        named.ok_or_else(|| DeviceError::UnknownKind(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn kinds_have_one_name_each() {
        for (device, name) in [(Device::Cpu, "cpu"), (Device::Cuda(3), "cuda")] {
            let kind = device.kind();
            assert_eq!(kind.to_string(), name);
            assert_eq!(name.parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{name}\""));
        }
        let error = "tpu".parse::<DeviceKind>().unwrap_err().to_string();
        assert!(error.contains("'tpu'") && error.contains("update nerve"), "{error}");
    }
}
