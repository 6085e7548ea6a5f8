//! Memory for values.

use aligned_vec::{AVec, RuntimeAlign};

/// Values that start on a cache line; large arrays on a huge page where the system has them.
pub type Values<T = f32> = AVec<T, RuntimeAlign>;

const LINE: usize = 64;
const HUGE_PAGE: usize = 2 << 20;

/// `n` zeros.
///
/// A table of megabytes that is read at random misses the TLB on nearly every access with 4 KiB pages: from two
/// huge pages on the kernel is asked for them (Linux; elsewhere, and where it declines, nothing changes).
pub fn zeros<T: Copy + Default>(n: usize) -> Values<T> {
    let huge = n * size_of::<T>() >= HUGE_PAGE;
    let mut values = AVec::with_capacity(if huge { HUGE_PAGE } else { LINE }, n);
    if huge {
        advise_huge(&mut values);
    }
    values.resize(n, T::default());
    values
}

#[cfg(target_os = "linux")]
fn advise_huge<T>(values: &mut Values<T>) {
    let bytes = values.capacity() * size_of::<T>() / HUGE_PAGE * HUGE_PAGE;
    // SAFETY: the range is the start of the vector's own allocation, aligned to the page size; the advice does not
    // change its contents. A refusal is of no consequence.
    unsafe {
        libc::madvise(values.as_mut_ptr().cast(), bytes, libc::MADV_HUGEPAGE);
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge<T>(_: &mut Values<T>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_are_aligned_and_zero() {
        for n in [0, 1, 1000, HUGE_PAGE / 4, 3 * HUGE_PAGE / 4 + 5] {
            let values = zeros::<f32>(n);
            assert_eq!(values.len(), n);
            assert!(values.iter().all(|v| *v == 0.0));
            assert_eq!(values.as_ptr().align_offset(LINE), 0);
        }
    }
}
