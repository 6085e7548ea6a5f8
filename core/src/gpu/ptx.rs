//! The kernels as PTX, as `compile.py` has made them.

use std::io::Read;

/// The compressed PTX.
const PACKED: &[u8] = include_bytes!("kernels.ptx.gz");

/// The PTX of all kernels.
pub(super) fn text() -> std::io::Result<String> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::{Path, PathBuf};

    /// All files that the kernels are made of, below `core/src`, in the order of their paths.
    pub fn sources() -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files = |folder: PathBuf, of: &str| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
            entries.filter(|path| path.extension().is_some_and(|e| e == of)).collect()
        };
        let mut found = files(root.join("gpu"), "cu");
        found.extend(files(root.join("gpu/device"), "cuh"));
        for op in std::fs::read_dir(root.join("ops")).unwrap() {
            let kernel = op.unwrap().path().join("kernel.cu");
            if kernel.exists() {
                found.push(kernel);
            }
        }
        found.sort();
        found
    }

    /// As `fingerprint` of compile.py.
    fn fingerprint() -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut crc = crc32fast::Hasher::new();
        for path in sources() {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            crc.update(name.as_bytes());
            crc.update(b"\0");
            crc.update(std::fs::read_to_string(path).unwrap().replace("\r\n", "\n").as_bytes());
            crc.update(b"\0");
        }
        format!("{:08x}", crc.finalize())
    }

    #[test]
    fn the_ptx_is_of_these_sources() {
        let text = text().unwrap();
        let said = text.lines().next().unwrap();
        assert!(
            said.contains(&fingerprint()),
            "{said} The sources are {}: run core/src/gpu/compile.py and commit kernels.ptx.gz",
            fingerprint()
        );
        assert!(
            text.contains(".version 8.4") && text.contains(".target sm_80"),
            "any driver from R550 can load it"
        );
        for (name, threads, _) in crate::gpu::all() {
            assert!(text.contains(&format!(".entry {name}(")), "{name}");
            let entry = text.split(&format!(".entry {name}(")).nth(1).unwrap();
            let said = entry.split(".maxntid").nth(1).unwrap().split([',', '\n']).next().unwrap().trim();
            assert_eq!(said, threads.to_string(), "{name}");
        }
    }
}
