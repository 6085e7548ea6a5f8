//! Results in memory that nobody has cleared: clearing is a pass over an array that the calling thread makes alone.
//!
//! A kernel is given [`Room`] and gives back what it has written, as `&mut [f32]`. In safe code such a slice can only be
//! had by writing its values, and [`written`] checks that it is all of the room: an array that was not written whole is a
//! panic, never a value that the memory happened to hold. Kernels that write through pointers vouch for what they give
//! back in a `SAFETY` note of their own; in this crate's tests the room is full of NaN, so that what they forget is seen.
use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Memory for values, none of which may be read before it is written.
pub(crate) type Room = [MaybeUninit<f32>];

/// The array of `len` values that `write` makes.
///
/// # Panics
/// If `write` gives back anything but all of its room.
#[must_use]
pub(crate) fn written(len: usize, write: impl for<'a> FnOnce(&'a mut Room) -> &'a mut [f32]) -> Vec<f32> {
    written_with(len, |room| (write(room), ())).0
}

/// The same, and what `write` finds on the way.
///
/// # Panics
/// See [`written`].
#[must_use]
pub(crate) fn written_with<T>(
    len: usize,
    write: impl for<'a> FnOnce(&'a mut Room) -> (&'a mut [f32], T),
) -> (Vec<f32>, T) {
    let mut values = Vec::with_capacity(len);
    let room = &mut values.spare_capacity_mut()[..len];
    // Miri sees for itself.
    if cfg!(test) && !cfg!(miri) {
        room.fill(MaybeUninit::new(f32::NAN));
    }
    let (_, found) = whole(room, write);
    // SAFETY: the capacity is at least `len`, and `whole` was shown a `&mut [f32]` of that many values in their place.
    unsafe { values.set_len(len) };
    (values, found)
}

/// What `write` gives back, which must be all of the room.
#[inline(always)]
fn whole<'a, T>(
    room: &'a mut Room,
    write: impl FnOnce(&'a mut Room) -> (&'a mut [f32], T),
) -> (&'a mut [f32], T) {
    let (start, len) = (room.as_ptr().cast::<f32>(), room.len());
    let (values, found) = write(room);
    check_whole(start, len, values);
    (values, found)
}

/// Writes chunks of `size` values (the last may be shorter), on all threads; `write` is told which.
///
/// # Panics
/// If `write` gives back anything but all of its chunk, or `size` is zero.
pub(crate) fn by_chunks<'a>(
    room: &'a mut Room,
    size: usize,
    write: impl for<'b> Fn(usize, &'b mut Room) -> &'b mut [f32] + Sync,
) -> &'a mut [f32] {
    by_chunks_init(room, size, || (), |(), chunk, room| write(chunk, room))
}

/// The same with what `init` makes for each run of chunks that a thread takes: scratch memory.
///
/// # Panics
/// See [`by_chunks`].
pub(crate) fn by_chunks_init<S>(
    room: &mut Room,
    size: usize,
    init: impl Fn() -> S + Sync + Send,
    write: impl for<'b> Fn(&mut S, usize, &'b mut Room) -> &'b mut [f32] + Sync,
) -> &mut [f32] {
    room.par_chunks_mut(size).enumerate().for_each_init(init, |scratch, (chunk, room)| {
        whole(room, |room| (write(scratch, chunk, room), ()));
    });
    // SAFETY: every chunk was written whole.
    unsafe { room.assume_init_mut() }
}

/// As [`by_chunks`], and what `write` finds on the way, in order of the chunks.
///
/// # Panics
/// See [`by_chunks`].
pub(crate) fn by_chunks_with<'a, T: Send>(
    room: &'a mut Room,
    size: usize,
    write: impl for<'b> Fn(usize, &'b mut Room) -> (&'b mut [f32], T) + Sync,
) -> (&'a mut [f32], Vec<T>) {
    let chunks = room.par_chunks_mut(size).enumerate();
    let found = chunks.map(|(chunk, room)| whole(room, |room| write(chunk, room)).1).collect();
    // SAFETY: every chunk was written whole.
    (unsafe { room.assume_init_mut() }, found)
}

/// As [`by_chunks`], on the calling thread: `by_rows!(room, size, |row, y| ...)`, where `y` is the row's room and the
/// body gives back what it has written.
///
/// A macro, because a closure inside a [`Kernel`](crate::simd::Kernel) is a function of its own: where the compiler does
/// not inline it, it is compiled without the instruction set that the kernel runs by, and every instruction becomes a call.
///
/// # Panics
/// If the body gives back anything but all of its row.
macro_rules! by_rows {
    ($room:expr, $size:expr, |$row:pat_param, $y:pat_param| $body:expr) => {{
        let room: &mut $crate::ops::output::Room = $room;
        for (row, y) in room.chunks_mut($size).enumerate() {
            let (start, len) = (y.as_ptr().cast::<f32>(), y.len());
            let ($row, $y) = (row, y);
            let values: &mut [f32] = $body;
            $crate::ops::output::check_whole(start, len, values);
        }
        // SAFETY: every row was written whole.
        unsafe { room.assume_init_mut() }
    }};
}
pub(crate) use by_rows;

/// Panics unless `values` are the `len` ones from `start` on.
#[inline(always)]
pub(crate) fn check_whole(start: *const f32, len: usize, values: &[f32]) {
    assert!(values.as_ptr() == start && values.len() == len, "a part of a result was not written");
}

/// Writes value after value.
///
/// # Panics
/// If there are fewer values than room.
#[inline(always)]
pub(crate) fn each(room: &mut Room, values: impl IntoIterator<Item = f32>) -> &mut [f32] {
    let mut count = 0;
    for (room, value) in room.iter_mut().zip(values) {
        room.write(value);
        count += 1;
    }
    assert_eq!(count, room.len(), "a part of a result was not written");
    // SAFETY: as many values as there is room for were written, from the first place on.
    unsafe { room.assume_init_mut() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_what_was_written() {
        let squares = written(1000, |room| {
            by_chunks(room, 64, |chunk, room| {
                by_rows!(room, 10, |row, room| {
                    let first = chunk * 64 + row * 10;
                    each(room, (first..).map(|i| (i * i) as f32))
                })
            })
        });
        assert!(squares.iter().enumerate().all(|(i, v)| *v == (i * i) as f32) && squares.len() == 1000);
        let (ones, found) = written_with(7, |room| {
            by_chunks_with(room, 3, |chunk, room| (each(room, std::iter::repeat(1.0)), chunk))
        });
        assert_eq!((ones, found), (vec![1.0; 7], vec![0, 1, 2]));
        assert!(written(0, |room| each(room, [])).is_empty());
    }

    #[test]
    #[cfg_attr(miri, ignore = "there is no NaN, and Miri would see")]
    fn what_a_kernel_forgets_is_seen() {
        // SAFETY: in tests the room is full of NaN.
        let forgotten = written(7, |room| unsafe { room.assume_init_mut() });
        assert!(forgotten.iter().all(|v| v.is_nan()));
    }

    #[test]
    #[should_panic(expected = "was not written")]
    fn too_few_values_are_a_panic() {
        let _ = written(3, |room| each(room, [1.0, 2.0]));
    }

    #[test]
    #[should_panic(expected = "was not written")]
    fn a_part_of_the_room_is_a_panic() {
        let _ = written(3, |room| each(&mut room[..2], [1.0, 2.0]));
    }

    #[test]
    #[should_panic(expected = "was not written")]
    fn a_chunk_that_is_left_out_is_a_panic() {
        let _ = written(6, |room| by_chunks(room, 2, |chunk, room| each(room, vec![0.0; 2 - chunk % 2])));
    }
}
