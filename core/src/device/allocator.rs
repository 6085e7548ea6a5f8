//! How the system's allocator treats large arrays.

/// Keeps the memory of large arrays that are freed, for the next ones, instead of handing it back to the system: for
/// programs that make arrays of the same sizes again and again, as a step of training does. (glibc; elsewhere nothing
/// changes.)
///
/// By default every array of megabytes is a mapping of its own, whose pages are cleared one by one when they are first
/// touched, in every step anew. To be called once, before threads are started.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets numbers of the allocator; it takes its own lock.
    unsafe {
        // Arrays up to 1 GB come from the heap, which shrinks only when 2 GB at its top are free.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn arrays_are_as_before() {
        super::keep_freed_memory();
        for _ in 0..3 {
            let values = vec![0.0f32; 3 << 20];
            assert!(values.iter().all(|v| *v == 0.0));
        }
    }
}
