//! The compact file: a trained field as small as it goes, read back by whatever evaluates or renders.
//!
//! Three things make it small, and [`Report`] tells them apart:
//!
//! 1. **Removal**: samples lie in occupied cells only, so a table entry that no such sample can touch is dropped (see
//!    `reach.rs`). Which ones follows from the occupied cells, which the file holds anyway.
//! 2. **Quantization**: table values and saliency logits become multiples of a step, one byte each; the few beyond
//!    127 steps are kept as they are. Every level
//!    has its own, as coarse as a loss in dB allows (`calibrate.rs`). Networks, which are small,
//!    become f16; with [`Values::F16`] everything does.
//! 3. **Entropy coding**: by zstd at its strongest, one frame a block.
//!
//! It is a safetensors file with these frames as byte tensors, and the run's configuration in its metadata.

mod calibrate;
mod codec;
mod read;
mod write;

pub use read::configuration;
pub(crate) use read::open;
pub use write::write;

use nerve_core::settings::{SettingError, check};
use serde::{Deserialize, Serialize};

/// Number format of table values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Values {
    /// Half-precision floats, two bytes each.
    F16,
    /// 8-bit integers times a step per level, one byte each.
    #[default]
    U8,
}

/// How to write a compact file.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args)]
pub struct CompactOptions {
    /// Number format of table values
    #[arg(long, value_enum, default_value_t)]
    pub values: Values,
    /// Accepted loss of PSNR from 8-bit values, in dB, as measured on training views (approximate)
    #[arg(long = "loss-db", value_name = "DB", default_value_t = 0.1)]
    pub loss: f64,
}

impl CompactOptions {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// If the loss is no small number of decibels.
    pub fn validate(&self) -> Result<(), SettingError> {
        let ok = self.loss > 0.0 && self.loss <= 20.0;
        check(ok, "--loss-db", self.loss, "a small number of decibels, such as 0.1")
    }
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self { values: Values::U8, loss: 0.1 }
    }
}

/// Bytes of a field after each measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The occupied cells as bits, which rendering needs beside the values.
    pub occupied: u64,
    /// All values as f32, without these bits.
    pub full: u64,
    /// Without the entries that nothing reaches, and without these bits.
    pub removed: u64,
    /// With quantized values, and the occupied cells as bits.
    pub quantised: u64,
    /// The file.
    pub file: u64,
}

/// Name of the occupied cells.
const OCCUPIED: &str = "occupied";

/// Name of the density above which a cell is occupied.
const LEAST: &str = "occupied_from";

/// Kind of such a file.
pub(crate) const KIND: &str = "nerf-compact";

#[cfg(test)]
mod tests;
