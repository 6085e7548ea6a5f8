//! How a command ends.

use crate::interrupt;
use std::error::Error;
use std::fmt::{self, Display};
use std::process::ExitCode;

/// How a command ended, other than by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All done.
    Done,
    /// It did its work and found that something is wrong.
    Failed,
    /// The user stopped it.
    Interrupted,
}

impl Outcome {
    /// The process's exit code.
    pub fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Failed => ExitCode::FAILURE,
            Self::Interrupted => ExitCode::from(interrupt::EXIT_CODE),
        }
    }
}

/// A mistake on the command line that only shows after parsing; the program says it as it says those that parsing finds.
#[derive(Debug)]
pub struct Usage(String);

impl Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// The error of a command that was given what cannot be.
pub fn usage(message: impl Display) -> Usage {
    Usage(message.to_string())
}
