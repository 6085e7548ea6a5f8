//! CRC-32 of tensors and header.
//!
//! The tensors' sums are one metadata entry, eight hexadecimal digits each in the order of their names. The header's is
//! taken with its own digits as zeros.
use std::collections::BTreeMap;

use safetensors::tensor::Metadata;

/// The metadata entry of the tensors' sums.
pub(super) const TENSORS_KEY: &str = "nerve_tensors_crc32";
/// The metadata entry of the header's sum.
pub(super) const HEADER_KEY: &str = "nerve_header_crc32";
/// What stands there while it is taken.
pub(super) const UNSET: &str = "00000000";

/// The sum of these bytes.
pub(super) fn of(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Whether bytes have this sum. A fuzzer is let through.
pub(super) fn fits(sum: Option<&u32>, bytes: &[u8]) -> bool {
    cfg!(fuzzing) || sum == Some(&of(bytes))
}

/// Sums as one text.
pub(super) fn list(sums: impl Iterator<Item = u32>) -> String {
    sums.map(|sum| format!("{sum:08x}")).collect()
}

/// Writes the header's sum into its place.
pub(super) fn seal(json: &mut [u8]) {
    if let Some(at) = place(json) {
        let sum = format!("{:08x}", of(json));
        json[at..at + UNSET.len()].copy_from_slice(sum.as_bytes());
    }
}

/// The tensors' sums by name; `None` if the header's own does not fit, or there are not as many as tensors.
pub(super) fn verify(json: &[u8], header: &Metadata) -> Option<BTreeMap<String, u32>> {
    let at = place(json)?;
    let mut unset = json.to_owned();
    let digits = unset.get_mut(at..at + UNSET.len())?;
    let written = digits.to_owned();
    digits.copy_from_slice(UNSET.as_bytes());
    // As text: other digits may be read as the same number.
    if !cfg!(fuzzing) && format!("{:08x}", of(&unset)).as_bytes() != written {
        return None;
    }
    let digits = header.metadata().as_ref()?.get(TENSORS_KEY)?.as_bytes();
    let mut names = header.offset_keys();
    names.sort_unstable();
    let (sums, rest) = digits.as_chunks::<8>();
    if !rest.is_empty() || sums.len() != names.len() {
        return None;
    }
    names.into_iter().zip(sums).map(|(name, digits)| Some((name, number(digits)?))).collect()
}

/// Where the header's sum stands. In a value, these quotes would be escaped.
fn place(json: &[u8]) -> Option<usize> {
    let before = format!("\"{HEADER_KEY}\":\"");
    json.windows(before.len()).position(|window| window == before.as_bytes()).map(|at| at + before.len())
}

fn number(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
