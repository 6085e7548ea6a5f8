//! Stands in for AMX on other processors: it is never available, so nothing here is ever called.
#![allow(missing_docs, clippy::too_many_arguments)]

use super::Epilogue;

#[derive(Clone, Debug, Default)]
pub struct Packed;

impl Packed {
    pub fn pack(&mut self, _: &[f32], _: usize, _: usize, _: usize) {}
}

pub fn available() -> bool {
    false
}

pub fn product(
    _: usize,
    _: usize,
    _: &[f32],
    _: usize,
    _: &Packed,
    _: &mut [f32],
    _: usize,
    _: bool,
    _: Epilogue<'_>,
) {
    unreachable!("bf16 products are not available here")
}

pub fn outer(
    _: usize,
    _: usize,
    _: usize,
    _: &[f32],
    _: usize,
    _: &[f32],
    _: usize,
    _: &mut [f32],
    _: usize,
) {
    unreachable!("bf16 products are not available here")
}
