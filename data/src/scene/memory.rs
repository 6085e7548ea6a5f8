//! The memory that loading a scene takes.

use serde::Serialize;

/// The memory that loading a scene takes, in bytes, estimated from the images' headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryEstimate {
    /// All images, masks and depth maps, decoded and downscaled, as they stay in memory.
    pub images: u64,
    /// In addition while decoding: one image at full size for each thread of the rayon pool.
    pub decoding: u64,
}

impl MemoryEstimate {
    /// The peak.
    pub fn total(&self) -> u64 {
        self.images + self.decoding
    }
}
