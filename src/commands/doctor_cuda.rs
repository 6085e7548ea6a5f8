//! What `nerve doctor` finds of CUDA.

use crate::format::megabytes;
use nerve_core::gpu::{CudaDevice, CudaProblem, OLDEST_CAPABILITY, OLDEST_DRIVER, cuda_devices, cuda_driver};
use serde::Serialize;

/// Driver and devices.
#[derive(Debug, Serialize)]
pub struct Cuda {
    /// The CUDA version that the driver is for, if there is a driver.
    driver: Option<String>,
    /// The one that it must be for, or a newer one.
    needs_driver: String,
    /// The compute capability that devices must have, or a higher one.
    needs_capability: String,
    devices: Vec<Found>,
    /// Why there is no device, and what to do.
    problem: Option<String>,
}

/// A device.
#[derive(Debug, Serialize)]
struct Found {
    device: String,
    name: String,
    capability: String,
    memory: usize,
    free_memory: Option<usize>,
    /// Why the kernels do not run there.
    problem: Option<String>,
}

fn version((major, minor): (i32, i32)) -> String {
    format!("{major}.{minor}")
}

impl Cuda {
    /// Looks.
    pub fn find() -> Self {
        Self::of(cuda_driver(), cuda_devices(), |device| device.free_memory().map_err(|e| e.to_string()))
    }

    fn of(
        driver: Result<(i32, i32), CudaProblem>,
        devices: Result<Vec<CudaDevice>, CudaProblem>,
        free: impl Fn(&CudaDevice) -> Result<usize, String>,
    ) -> Self {
        let found = |device: &CudaDevice| {
            let free = free(device);
            Found {
                device: format!("cuda:{}", device.ordinal),
                name: device.name.clone(),
                capability: version(device.capability),
                memory: device.memory,
                free_memory: free.as_ref().ok().copied(),
                problem: device.problem().map(|problem| problem.to_string()).or(free.err()),
            }
        };
        Self {
            driver: driver.ok().map(version),
            needs_driver: version(OLDEST_DRIVER),
            needs_capability: version(OLDEST_CAPABILITY),
            problem: devices.as_ref().err().map(ToString::to_string),
            devices: devices.iter().flatten().map(found).collect(),
        }
    }

    /// For people, in lines.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        if let Some(driver) = &self.driver {
            lines.push(format!("driver for CUDA {driver} (nerve needs {} or newer)", self.needs_driver));
        }
        lines.extend(self.devices.iter().map(Found::text));
        if let Some(problem) = &self.problem {
            lines.push(format!("{problem}; without it everything runs on the CPU"));
        }
        // Below the first one.
        lines.join(&format!("\n{:13}", ""))
    }
}

impl Found {
    fn text(&self) -> String {
        let free =
            self.free_memory.map_or(String::new(), |bytes| format!(", {} free", megabytes(bytes as u64)));
        let runs =
            self.problem.as_ref().map_or("fields train here".into(), |p| format!("cannot be used: {p}"));
        format!(
            "{} {}, compute capability {}, {}{free}: {runs}",
            self.device,
            self.name,
            self.capability,
            megabytes(self.memory as u64)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(ordinal: usize, capability: (i32, i32)) -> CudaDevice {
        let name = "NVIDIA T".to_owned();
        CudaDevice { ordinal, name, capability, memory: 80_000_000_000, driver: (12, 8) }
    }

    #[test]
    fn devices_and_what_they_lack() {
        let devices = vec![device(0, (9, 0)), device(1, (7, 5)), device(2, (8, 0))];
        let free = |device: &CudaDevice| match device.ordinal {
            2 => Err("busy".to_owned()),
            _ => Ok(70_000_000_000),
        };
        let text = Cuda::of(Ok((12, 8)), Ok(devices), free).text();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0], "driver for CUDA 12.8 (nerve needs 12.4 or newer)");
        for part in ["cuda:0 NVIDIA T", "9.0", "80", "70", "fields train here"] {
            assert!(lines[1].contains(part), "{part}: {text}");
        }
        assert!(lines[2].contains("cannot be used") && lines[2].contains("need 8.0"), "{text}");
        assert!(lines[3].contains("cannot be used: busy"), "{text}");
    }

    #[test]
    fn an_old_driver_and_none() {
        let problem = || CudaProblem::OldDriver((12, 2));
        let old = Cuda::of(Ok((12, 2)), Err(problem()), |_| Ok(0)).text();
        assert!(old.starts_with("driver for CUDA 12.2") && old.contains("version 550"), "{old}");
        let none = Cuda::of(Err(CudaProblem::NoDriver), Err(CudaProblem::NoDriver), |_| Ok(0)).text();
        assert!(none.starts_with("no NVIDIA driver") && none.contains("on the CPU"), "{none}");
    }
}
