//! The arithmetic of a field, where the device has a say.

use super::{NerfConfig, TrainConfig};
use nerve_core::device::DeviceKind;
use nerve_core::ops::small_gemm::Precision;
use nerve_core::settings::{SettingError, check};

impl TrainConfig {
    /// What is computed in on a kind of device; where nothing is asked for, what trains best there.
    pub fn precision_on(&self, device: DeviceKind) -> Precision {
        self.precision.unwrap_or(match device {
            DeviceKind::Cpu => Precision::F32,
            DeviceKind::Cuda => Precision::F16,
        })
    }
}

impl NerfConfig {
    /// Checks what depends on the kind of device.
    ///
    /// # Errors
    /// If what is asked for is not computed in there.
    pub fn validate_on(&self, device: DeviceKind) -> Result<(), SettingError> {
        let precision = self.train.precision_on(device);
        let (ok, allowed) = match (device, precision) {
            (DeviceKind::Cpu, Precision::Bf16) => {
                (precision.available(), "f32: this CPU has no AMX with bf16")
            }
            (DeviceKind::Cpu, Precision::F16) => (false, "f32 on the CPU; f16 needs --device cuda"),
            (DeviceKind::Cuda, Precision::Bf16) => (false, "f16 or f32 on CUDA; bf16 needs --device cpu"),
            (_, Precision::F32) | (DeviceKind::Cuda, Precision::F16) => (true, ""),
        };
        check(ok, "--precision", format!("{precision:?}").to_lowercase(), allowed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(precision: Option<Precision>) -> NerfConfig {
        NerfConfig { train: TrainConfig { precision, ..TrainConfig::default() }, ..NerfConfig::default() }
    }

    /// What was not given is not written either, so the run goes on on any device; what was given stays.
    #[test]
    fn what_is_left_open_is_the_devices() {
        let open = with(None);
        assert!(!toml::to_string(&open).unwrap().contains("precision"));
        for (device, precision) in [(DeviceKind::Cpu, Precision::F32), (DeviceKind::Cuda, Precision::F16)] {
            assert_eq!(open.train.precision_on(device), precision);
            open.validate_on(device).unwrap();
            let asked = with(Some(Precision::F32));
            assert_eq!(asked.train.precision_on(device), Precision::F32);
            asked.validate_on(device).unwrap();
        }
    }

    #[test]
    fn files_of_earlier_versions_mean_what_they_say() {
        let old: NerfConfig = toml::from_str("[train]\nprecision = \"f32\"\n").unwrap();
        assert_eq!(old, with(Some(Precision::F32)));
        assert!(toml::to_string(&old).unwrap().contains("precision = \"f32\""));
        assert_eq!(toml::from_str::<NerfConfig>("[train]\n").unwrap(), with(None));
    }

    #[test]
    fn what_a_device_does_not_compute_in_is_refused_with_what_it_does() {
        let f16 = with(Some(Precision::F16)).validate_on(DeviceKind::Cpu).unwrap_err().to_string();
        assert_eq!(f16, "--precision is f16, but it must be f32 on the CPU; f16 needs --device cuda");
        let bf16 = with(Some(Precision::Bf16));
        let error = bf16.validate_on(DeviceKind::Cuda).unwrap_err().to_string();
        assert_eq!(error, "--precision is bf16, but it must be f16 or f32 on CUDA; bf16 needs --device cpu");
        assert_eq!(bf16.validate_on(DeviceKind::Cpu).is_ok(), Precision::Bf16.available());
    }
}
