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
        "{device} failed in {what}: {reason}. The run's last checkpoint is whole: continue it with `nerve resume`, or with \
         --device cpu; NERVE_CUDA_SYNC=1 names the kernel"
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
