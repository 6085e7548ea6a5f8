//! Checkpoints: named tensors and string metadata in one safetensors file.
//!
//! A checkpoint is old or new, never torn: [`save`] writes beside the file, syncs and renames. The same content
//! gives the same bytes (the header is sorted), so checkpoints may be compared as files. Numbers are stored
//! bit for bit, NaN payloads and denormals included.
//!
//! Every tensor has a CRC-32 in the metadata, and the header that holds them has one of itself: a flipped bit is
//! noticed wherever it is, the header's on opening, a tensor's when it is read, and no byte is read twice for it.
use std::{
    io,
    path::{Path, PathBuf},
};

use safetensors::Dtype;

use crate::device::DeviceError;

mod checksum;
mod load;
mod save;

pub use load::Checkpoint;
pub(crate) use load::read_header;
pub use save::{TensorData, save};

/// The format that this program reads and writes. 2: with checksums.
pub const FORMAT_VERSION: u32 = 2;
const VERSION_KEY: &str = "nerve_format_version";
/// The metadata entry that names the kind of device that a checkpoint was computed on; see [`Checkpoint::device`].
pub const DEVICE_KEY: &str = "device";

/// safetensors stores little-endian numbers and the slices are written as they lie in memory.
#[cfg(target_endian = "big")]
compile_error!("checkpoints need a little-endian machine");

/// A checkpoint that cannot be written or read; every message names the file.
#[derive(Debug, thiserror::Error)]
#[error("checkpoint {}: {problem}", path.display())]
pub struct CheckpointError {
    path: PathBuf,
    /// What is wrong, and what to do about it; part of the message, so not repeated as its source.
    pub problem: CheckpointProblem,
}

/// What is wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// The file system failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is no room for it.
    #[error(
        "it cannot be saved ({0}); the previous checkpoint is untouched: make room, then `nerve resume RUN` continues from it"
    )]
    Full(io::Error),
    /// The header is broken or disagrees with the file's size.
    #[error("not a complete safetensors file ({0}); take the file from another copy or train again")]
    Malformed(String),
    /// A safetensors file of another program.
    #[error("it has no format version, so nerve did not write it; give a checkpoint of a nerve run")]
    Foreign,
    /// Written by a newer program.
    #[error(
        "its format version is {0}, this program reads version {FORMAT_VERSION}: \
         update nerve, or use the version named in the run's config.toml"
    )]
    Newer(u32),
    /// Written by an older program.
    #[error(
        "its format version is {0}, this program reads version {FORMAT_VERSION}: it is of an earlier nerve; \
         use the version named in the run's config.toml, or train again"
    )]
    Older(u32),
    /// A checksum does not fit what it is of.
    #[error(
        "{0} is damaged: its checksum does not fit, bits have changed since it was written; \
         take the file from another copy or train again"
    )]
    Damaged(String),
    /// A metadata entry is absent.
    #[error("it has no metadata entry '{0}'; was it written by another kind of run?")]
    NoMeta(String),
    /// It was computed on a kind of device that this program does not know.
    #[error("its metadata entry '{DEVICE_KEY}': {0}")]
    Device(DeviceError),
    /// A tensor is absent.
    #[error("it has no tensor '{0}'; does the run's config.toml belong to this checkpoint?")]
    NoTensor(String),
    /// A tensor is stored as another type.
    #[error("tensor '{name}' is stored as {found}, expected {expected}")]
    Type {
        /// The tensor.
        name: String,
        /// The type in the file.
        found: Dtype,
        /// The type asked for.
        expected: Dtype,
    },
    /// A tensor has another shape.
    #[error(
        "tensor '{name}' has shape {found:?}, expected {expected:?}; \
         the model's settings differ from those it was trained with"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape asked for.
        expected: Vec<usize>,
    },
    /// What was to be saved contradicts itself: a bug of the caller.
    #[error("tensor or metadata entry '{name}' cannot be saved: {reason}")]
    Invalid {
        /// The tensor or metadata entry.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl CheckpointError {
    /// What the system said, where it could not be written or read.
    #[must_use]
    pub fn io(&self) -> Option<&io::Error> {
        match &self.problem {
            CheckpointProblem::Io(error) | CheckpointProblem::Full(error) => Some(error),
            _ => None,
        }
    }

    fn at(path: &Path) -> impl Fn(CheckpointProblem) -> Self + '_ {
        move |problem| Self { path: path.to_owned(), problem }
    }
}

#[cfg(test)]
mod tests;
