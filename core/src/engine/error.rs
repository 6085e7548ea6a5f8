//! What an engine can refuse, and how it can fail.

use crate::checkpoint::CheckpointError;
use crate::device::{Device, DeviceError};
use crate::field::SpecError;
use crate::gpu::GpuError;

/// Why a field cannot be trained or looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A device that this build or this machine does not have.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A field that cannot be.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A device that failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A field that can be, but not there.
    #[error("device '{device}' cannot run {what}")]
    Unsupported {
        /// The device.
        device: Device,
        /// The part of the field, and what to use instead.
        what: String,
    },
    /// A view that contradicts itself.
    #[error("view {view} of those to train on: {reason}")]
    View {
        /// Its place among them.
        view: usize,
        /// What is wrong.
        reason: String,
    },
    /// A call that needs what an engine has that was opened to train.
    #[error("a field that was opened to be looked at {call}: open it with `Purpose::Train`")]
    LookOnly {
        /// What it cannot do.
        call: &'static str,
    },
    /// A call that contradicts the field.
    #[error("{0}")]
    Input(String),
    /// A state that is not this field's.
    #[error(transparent)]
    State(#[from] CheckpointError),
}
