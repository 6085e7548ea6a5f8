//! What can go wrong on a GPU.

/// A device that failed or cannot do what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// There is not enough of the device's memory.
    #[error(
        "{device} is out of memory: {wanted} MB more were asked for, {free} MB are free: use smaller --batch-samples or \
         --log2-entries, load the scene with --downscale, end what else runs there, or use --device cpu"
    )]
    OutOfMemory {
        /// The device.
        device: String,
        /// Megabytes.
        wanted: usize,
        /// Megabytes.
        free: usize,
    },
    /// A kernel or a copy failed.
    #[error(
        "{device} failed in {what}: {reason}; try again with NERVE_CUDA_SYNC=1, which names the kernel that fails, or use \
         --device cpu"
    )]
    Failed {
        /// The device.
        device: String,
        /// The kernel or copy.
        what: String,
        /// The driver's words.
        reason: String,
    },
}
