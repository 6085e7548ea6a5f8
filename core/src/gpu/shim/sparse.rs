//! Memory of which only the pages that are touched exist: room for buffers far larger than the machine's memory.

/// Bytes in front of a buffer and behind it, which read as zeros: an index that lost its upper bits, or became negative,
/// ends there or in the buffer, and the result is wrong instead of the test ended.
const MARGIN: usize = 32 << 30;

/// A buffer.
pub(super) struct Sparse {
    start: u64,
    bytes: usize,
}

impl Sparse {
    /// So many bytes, zeroed; `None` where the system does not lend address space that it has no memory for.
    #[cfg(target_os = "linux")]
    pub fn new(bytes: usize) -> Option<Self> {
        let bytes = bytes + 2 * MARGIN;
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        );
        // SAFETY: a new mapping, wherever there is room: it touches no memory that is in use.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0) };
        (start != libc::MAP_FAILED).then(|| Self { start: start as u64, bytes })
    }

    #[cfg(not(target_os = "linux"))]
    pub fn new(_: usize) -> Option<Self> {
        None
    }

    /// Where it begins.
    pub fn address(&self) -> u64 {
        self.start + MARGIN as u64
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        (self.bytes - 2 * MARGIN) as u64
    }
}

impl Drop for Sparse {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        // SAFETY: the mapping is this buffer's own, whole.
        unsafe {
            libc::munmap(self.start as *mut libc::c_void, self.bytes);
        }
    }
}
