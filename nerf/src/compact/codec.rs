//! Values to bytes and back.

use half::f16;
use half::slice::HalfFloatSliceExt;
use nerve_core::ops::hash_grid::GridLevel;

/// zstd's strongest level that needs no special decoder.
const LEVEL: i32 = 19;

/// Multiples of a step to each side of zero. What lies beyond has the code [`ESCAPE`] and follows as it is.
const MOST: f32 = 127.0;
/// See [`MOST`].
const ESCAPE: u8 = 0x80;

/// Entropy-codes bytes, with a checksum.
pub fn squeeze(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut coder = zstd::bulk::Compressor::new(LEVEL)?;
    coder.include_checksum(true)?;
    coder.compress(bytes)
}

/// Undoes [`squeeze`]; `None` if the frame is damaged or holds more than `most` bytes.
pub fn expand(frame: &[u8], most: usize) -> Option<Vec<u8>> {
    zstd::bulk::decompress(frame, most).ok()
}

/// f16, all low bytes first: the high ones repeat more.
pub fn halves(values: &[f32]) -> Vec<u8> {
    let mut half = vec![f16::ZERO; values.len()];
    half.convert_from_f32_slice(values);
    let bytes = half.iter().map(|h| h.to_le_bytes());
    bytes.clone().map(|b| b[0]).chain(bytes.map(|b| b[1])).collect()
}

/// Undoes [`halves`]; `None` if there are not `count` values.
pub fn from_halves(bytes: &[u8], count: usize) -> Option<Vec<f32>> {
    let (low, high) = bytes.split_at(bytes.len() / 2);
    let values = low.iter().zip(high).map(|(l, h)| f16::from_le_bytes([*l, *h]).to_f32());
    (bytes.len() == 2 * count).then(|| values.collect())
}

/// The root mean square.
pub fn rms(values: &[f32]) -> f32 {
    let square: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    (square / values.len().max(1) as f64).sqrt() as f32
}

/// Multiples of a step, one byte each, and behind them the values that none is near.
pub fn codes(values: &[f32], step: f32) -> Vec<u8> {
    let code = |v: &f32| Some((v / step).round()).filter(|c| c.abs() <= MOST).map(|c| c as i8 as u8);
    let mut bytes: Vec<u8> = values.iter().map(|v| code(v).unwrap_or(ESCAPE)).collect();
    bytes.extend(values.iter().filter(|v| code(v).is_none()).flat_map(|v| v.to_le_bytes()));
    bytes
}

/// Undoes [`codes`], up to half a step; `None` if there are not `count` values.
pub fn from_codes(bytes: &[u8], count: usize, step: f32) -> Option<Vec<f32>> {
    let (codes, beyond) = bytes.split_at_checked(count)?;
    let escapes = codes.iter().filter(|c| **c == ESCAPE).count();
    let (words, rest) = beyond.as_chunks::<4>();
    let mut beyond = words.iter().map(|w| f32::from_le_bytes(*w));
    let mut value = |c: &u8| if *c == ESCAPE { beyond.next() } else { Some(f32::from(*c as i8) * step) };
    (words.len() == escapes && rest.is_empty()).then(|| codes.iter().map_while(&mut value).collect())
}

/// The values of the entries that are shared by anything, one feature after the other.
pub fn kept(level: &GridLevel, table: &[f32], sharing: &[u32]) -> Vec<f32> {
    let entries = || sharing.iter().enumerate().filter(|(_, live)| **live > 0).map(|(entry, _)| entry);
    (0..level.features).flat_map(|f| entries().map(move |e| table[e * level.features + f])).collect()
}

/// Undoes [`kept`]; removed entries are zero.
pub fn place(level: &GridLevel, values: &[f32], sharing: &[u32], table: &mut [f32]) {
    let kept = values.len() / level.features;
    table.fill(0.0);
    let entries = sharing.iter().enumerate().filter(|(_, live)| **live > 0);
    for (i, (entry, _)) in entries.enumerate() {
        for f in 0..level.features {
            table[entry * level.features + f] = values[f * kept + i];
        }
    }
}
