//! What can be read about the processor, for `doctor` and for reports.
use std::{fs, path::Path, thread};

use serde::Serialize;

/// The processor as far as it can be read; what a platform hides is absent, never guessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CpuInfo {
    /// The model's name, where the system tells it.
    pub model: Option<String>,
    /// Logical cores this process may use (affinity and container limits included).
    pub logical_cores: usize,
    /// The caches that the first core sees, nearest first.
    pub caches: Vec<Cache>,
    /// The vector extensions present, of those that the program has fast paths for or may get.
    pub features: Vec<&'static str>,
}

/// One cache of the first core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// 1 is nearest to the core.
    pub level: u32,
    /// `Data`, `Instruction` or `Unified`.
    pub kind: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Reads the processor's model, cores, caches and vector extensions. Never fails.
#[must_use]
pub fn cpu_info() -> CpuInfo {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    CpuInfo {
        model: field(&cpuinfo, "model name").map(str::to_owned),
        logical_cores: thread::available_parallelism().map_or(1, usize::from),
        caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
        features: features(field(&cpuinfo, "flags").unwrap_or_default()),
    }
}

/// The first `name : value` line of a `/proc/cpuinfo` text.
fn field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|p| p.1.trim())
}

#[cfg(target_arch = "x86_64")]
fn features(flags: &str) -> Vec<&'static str> {
    // AMX detection is not stable in std; the kernel's flag also says that it lets us use the tiles.
    let amx_bf16 = flags.split_whitespace().any(|flag| flag == "amx_bf16");
    [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512dq", is_x86_feature_detected!("avx512dq")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
        ("avx512_bf16", is_x86_feature_detected!("avx512bf16")),
        ("amx-bf16", amx_bf16),
    ]
    .into_iter()
    .filter_map(|(name, present)| present.then_some(name))
    .collect()
}

#[cfg(target_arch = "aarch64")]
fn features(_flags: &str) -> Vec<&'static str> {
    if std::arch::is_aarch64_feature_detected!("neon") { vec!["neon"] } else { Vec::new() }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features(_flags: &str) -> Vec<&'static str> {
    Vec::new()
}

/// The caches listed in a Linux `cache` folder; empty where there is none.
fn caches(folder: &Path) -> Vec<Cache> {
    let mut caches: Vec<Cache> = (0..)
        .map(|i| folder.join(format!("index{i}")))
        .take_while(|index| index.is_dir())
        .filter_map(|index| {
            let read = |name| fs::read_to_string(index.join(name)).ok();
            Some(Cache {
                level: read("level")?.trim().parse().ok()?,
                kind: read("type")?.trim().to_owned(),
                bytes: parse_size(read("size")?.trim())?,
            })
        })
        .collect();
    caches.sort_by_key(|cache| cache.level);
    caches
}

/// `48K`, `2M` or plain bytes.
fn parse_size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1 << 10),
        b'M' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_of_cpuinfo() {
        let text =
            "processor\t: 0\nmodel name\t: A CPU @ 2.0: GHz\nflags\t\t: fpu avx2\nmodel name\t: other\n";
        assert_eq!(field(text, "model name"), Some("A CPU @ 2.0: GHz"));
        assert_eq!(field(text, "flags"), Some("fpu avx2"));
        assert_eq!(field(text, "absent"), None);
    }

    #[test]
    fn caches_are_read_and_broken_ones_left_out() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(caches(folder.path()), []);
        for (i, level, kind, size) in
            [(0, "2\n", "Unified\n", "2048K\n"), (1, "1\n", "Data\n", "48K\n"), (2, "x", "Data", "1M")]
        {
            let index = folder.path().join(format!("index{i}"));
            fs::create_dir(&index).unwrap();
            for (name, text) in [("level", level), ("type", kind), ("size", size)] {
                fs::write(index.join(name), text).unwrap();
            }
        }
        assert_eq!(
            caches(folder.path()),
            [
                Cache { level: 1, kind: "Data".into(), bytes: 48 << 10 },
                Cache { level: 2, kind: "Unified".into(), bytes: 2 << 20 }
            ]
        );
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("3M"), Some(3 << 20));
        assert_eq!(parse_size("64"), Some(64));
        assert_eq!(parse_size(""), None);
        assert_eq!(parse_size("99999999999999999999K"), None);
        assert_eq!(parse_size("18446744073709551615K"), None);
    }

    #[test]
    fn this_machine_has_at_least_a_core() {
        assert!(cpu_info().logical_cores >= 1);
    }
}
