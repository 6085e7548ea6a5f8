//! How much memory there is to be had.

use std::env;

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::Device;
use crate::gpu::CudaDevice;

/// Says how much memory may be used instead of what is free on the device, such as `2G`.
pub const MEMORY_VARIABLE: &str = "NERVE_MEMORY";

/// Bytes that a process can still take of a device's memory: of the processor's without swapping. `None` where nothing
/// tells. [`MEMORY_VARIABLE`] overrides it.
pub fn available_memory(device: Device) -> Option<u64> {
    if let Some(stated) = env::var(MEMORY_VARIABLE).ok().and_then(|text| bytes(&text)) {
        return Some(stated);
    }
    match device {
        Device::Cpu => available_to_the_processor(),
        Device::Cuda(ordinal) => {
            let found = CudaDevice::find(ordinal).ok()?;
            Some(found.free_memory().ok()? as u64)
        }
    }
}

/// What the system has available, or less where a control group (a container, a batch job) allows less.
fn available_to_the_processor() -> Option<u64> {
    let system = System::new_with_specifics(
        RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram()),
    );
    let system_has = Some(system.available_memory()).filter(|&bytes| bytes > 0);
    // Of a group, what is free counts out its file cache, which would be given back: an estimate on the safe side.
    let group_has =
        system.cgroup_limits().filter(|group| group.total_memory > 0).map(|group| group.free_memory);
    match (system_has, group_has) {
        (Some(system), Some(group)) => Some(system.min(group)),
        (system, group) => system.or(group),
    }
}

/// `1500`, `900M`, `2G`, in decimal units.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, wanted) in [
            ("1500", Some(1500)),
            ("900M", Some(900_000_000)),
            (" 2g", Some(2_000_000_000)),
            ("3KB", Some(3000)),
            ("", None),
            ("2T", None),
            ("x", None),
            ("-1", None),
            ("99999999999G", None),
        ] {
            assert_eq!(bytes(text), wanted, "{text}");
        }
    }

    #[test]
    fn this_machine_has_some() {
        // Tests run on systems that tell.
        assert!(available_memory(Device::Cpu).is_some_and(|bytes| bytes > 1 << 20));
    }
}
