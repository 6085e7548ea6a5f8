//! A head's rows, taken out of tensors that pack all heads, and put back.
use std::marker::PhantomData;

use super::pattern::PAD;
use crate::ops::output::Room;

/// Where queries, keys or values lie in their tensor: value i of head h of row r at `at + r row + h head + i`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) at: usize,
    pub(super) row: usize,
    pub(super) head: usize,
}

impl Part {
    /// Rows of `head`, packed `stride` apart and scaled; those that are not on the map from `pad`.
    pub(super) fn rows(
        &self,
        from: &Source<'_>,
        head: usize,
        rows: &[u32],
        scale: f32,
        stride: usize,
        to: &mut [f32],
    ) {
        for (row, to) in rows.iter().zip(to.chunks_exact_mut(stride)) {
            let values = self.row(from, head, *row);
            to.iter_mut().zip(values).for_each(|(to, v)| *to = v * scale);
        }
    }

    /// The same, transposed: value i of row r at `i * stride + r`.
    pub(super) fn columns(
        &self,
        from: &Source<'_>,
        head: usize,
        rows: &[u32],
        stride: usize,
        to: &mut [f32],
    ) {
        for (r, row) in rows.iter().enumerate() {
            for (i, v) in self.row(from, head, *row).iter().enumerate() {
                to[i * stride + r] = *v;
            }
        }
    }

    fn row<'a>(&self, from: &Source<'a>, head: usize, row: u32) -> &'a [f32] {
        let (values, row) = if row == PAD { (from.pad, 0) } else { (from.values, row as usize) };
        &values[self.at + row * self.row + head * self.head..][..from.dim]
    }
}

/// A packed tensor, the row that stands for tokens beyond the map, and the values of a head.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) values: &'a [f32],
    pub(super) pad: &'a [f32],
    pub(super) dim: usize,
}

/// A packed tensor that several threads write, each its own heads of its own rows.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    values: *mut f32,
    len: usize,
    lifetime: PhantomData<&'a mut Room>,
}

// SAFETY: the pointer is an exclusive borrow's; `Target::put` leaves it to its callers that no value is written twice.
unsafe impl Send for Target<'_> {}
// SAFETY: as above.
unsafe impl Sync for Target<'_> {}

impl<'a> Target<'a> {
    pub(super) fn new(values: &'a mut Room) -> Self {
        Self { values: values.as_mut_ptr().cast(), len: values.len(), lifetime: PhantomData }
    }

    /// Writes `values`, scaled, as head `head` of row `row`.
    ///
    /// # Safety
    /// No other thread writes that head of that row of that part meanwhile.
    ///
    /// # Panics
    /// If it lies outside the tensor.
    pub(super) unsafe fn put(&self, part: Part, head: usize, row: u32, values: &[f32], scale: f32) {
        let at = part.at + row as usize * part.row + head * part.head;
        assert!(at + values.len() <= self.len, "attention: the output is too short");
        for (i, v) in values.iter().enumerate() {
            // SAFETY: inside the tensor, and nobody else's.
            unsafe { *self.values.add(at + i) = v * scale };
        }
    }
}
