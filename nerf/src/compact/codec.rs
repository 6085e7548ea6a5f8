//! Values to bytes and back.

use half::f16;
use half::slice::HalfFloatSliceExt;
use nerve_core::ops::hash_grid::Level;

/// zstd's strongest level that needs no special decoder.
const LEVEL: i32 = 19;

/// Multiples of a step to each side of zero.
pub const MOST: f32 = 127.0;

/// Entropy-codes bytes.
pub fn squeeze(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(bytes, LEVEL)
}

/// Undoes [`squeeze`]; `None` if the frame is damaged or does not hold `length` bytes.
pub fn expand(frame: &[u8], length: usize) -> Option<Vec<u8>> {
    zstd::bulk::decompress(frame, length).ok().filter(|bytes| bytes.len() == length)
}

/// f16, all low bytes first: the high ones repeat more.
pub fn halves(values: &[f32]) -> Vec<u8> {
    let mut half = vec![f16::ZERO; values.len()];
    half.convert_from_f32_slice(values);
    let bytes = half.iter().map(|h| h.to_le_bytes());
    bytes.clone().map(|b| b[0]).chain(bytes.map(|b| b[1])).collect()
}

/// Undoes [`halves`].
pub fn from_halves(bytes: &[u8]) -> Vec<f32> {
    let (low, high) = bytes.split_at(bytes.len() / 2);
    low.iter().zip(high).map(|(l, h)| f16::from_le_bytes([*l, *h]).to_f32()).collect()
}

/// The step for values of a level: `share` of their root mean square, or what their largest asks for.
pub fn step(values: &[f32], share: f32) -> f32 {
    let square: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    let rms = (square / values.len().max(1) as f64).sqrt() as f32;
    let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    (share * rms).max(largest / MOST).max(f32::MIN_POSITIVE)
}

/// Multiples of a step.
pub fn codes(values: &[f32], step: f32) -> Vec<u8> {
    values.iter().map(|v| (v / step).round().clamp(-MOST, MOST) as i8 as u8).collect()
}

/// Undoes [`codes`], up to half a step.
pub fn from_codes(codes: &[u8], step: f32) -> Vec<f32> {
    codes.iter().map(|c| f32::from(*c as i8) * step).collect()
}

/// The values of the entries that are shared by anything, one feature after the other.
pub fn kept(level: &Level, table: &[f32], sharing: &[u32]) -> Vec<f32> {
    let entries = || sharing.iter().enumerate().filter(|(_, live)| **live > 0).map(|(entry, _)| entry);
    (0..level.features).flat_map(|f| entries().map(move |e| table[e * level.features + f])).collect()
}

/// Undoes [`kept`]; removed entries are zero.
pub fn place(level: &Level, values: &[f32], sharing: &[u32], table: &mut [f32]) {
    let kept = values.len() / level.features;
    table.fill(0.0);
    let entries = sharing.iter().enumerate().filter(|(_, live)| **live > 0);
    for (i, (entry, _)) in entries.enumerate() {
        for f in 0..level.features {
            table[entry * level.features + f] = values[f * kept + i];
        }
    }
}
