//! Sinks: whatever listens to a run.
use std::{io, path::PathBuf, time::Duration};

use super::Event;

/// A listener of a run's events, such as a progress bar, the metrics log or a viewer.
///
/// Each sink lives on its own thread, see [`Events`](super::Events): it may be slow, fail or panic without
/// training noticing.
pub trait Sink: Send {
    /// Takes one event.
    ///
    /// # Errors
    /// An error detaches the sink: it gets no further event, and the run goes on without it.
    fn handle(&mut self, event: &Event) -> Result<(), SinkError>;

    /// Makes durable what has been handled. Called by [`Events::flush`](super::Events::flush) for lossless
    /// sinks, and for every sink at the end.
    ///
    /// # Errors
    /// An error detaches the sink.
    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A sink that can no longer listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// Its file failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        error: io::Error,
    },
    /// Its thread could not be started.
    #[error("cannot start its thread: {0}")]
    Thread(io::Error),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// What becomes of events that a sink has not yet handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// At most `capacity` events wait; further ones are dropped and counted. [`Event::Done`] is never dropped.
    Lossy {
        /// How many events may wait.
        capacity: usize,
    },
    /// For viewers. Numbers and messages wait, the oldest of more than [`Delivery::KEPT`] thinned out; of pictures
    /// only the newest of each waits, at most `bytes` of them. Closing waits for such a sink no longer than
    /// [`Delivery::LIVE_CLOSE`].
    Live {
        /// Bytes of pictures that may wait.
        bytes: usize,
    },
    /// Every event waits. For sinks that keep up easily, such as a log: nothing bounds what waits.
    Lossless,
}

impl Delivery {
    /// Numbers and messages that may wait for a [`Delivery::Live`] sink: hours of a training.
    pub const KEPT: usize = 1 << 14;
    /// How long closing waits for [`Delivery::Live`] sinks, all together.
    pub const LIVE_CLOSE: Duration = Duration::from_secs(2);
}

/// What became of a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkReport {
    /// The name it was attached under.
    pub name: String,
    /// How many events it missed because it was slow.
    pub dropped: u64,
    /// Why it was detached, if it failed or panicked.
    pub failure: Option<String>,
    /// Whether it was still busy when the time for closing had passed.
    pub timed_out: bool,
}
