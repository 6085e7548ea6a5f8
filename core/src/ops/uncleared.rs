//! Arrays for results.

/// An array of `len` values that nobody has cleared: they are whatever the memory held. For the results of kernels that
/// write all of them and read none before: clearing is a pass over memory that the calling thread makes alone.
///
/// In this crate's tests they are NaN, so that a value which a kernel forgets is seen.
#[must_use]
pub(crate) fn uncleared(len: usize) -> Vec<f32> {
    if cfg!(test) {
        return vec![f32::NAN; len];
    }
    let mut values: Vec<std::mem::MaybeUninit<f32>> = Vec::with_capacity(len);
    // SAFETY: the capacity is `len`, and a `MaybeUninit` needs no value.
    unsafe { values.set_len(len) };
    let mut values = std::mem::ManuallyDrop::new(values);
    // SAFETY: the parts are those of a vector whose elements have the same size and alignment. The values are not
    // initialised: callers hand the array to kernels that only write it, and write all of it, before anything reads it
    // (their tests see to that, with NaN here).
    unsafe { Vec::from_raw_parts(values.as_mut_ptr().cast::<f32>(), len, values.capacity()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_not_written_is_seen() {
        assert!(super::uncleared(7).iter().all(|v| v.is_nan()));
        assert!(super::uncleared(0).is_empty());
    }
}
