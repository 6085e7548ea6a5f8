//! A recording (.rrd) sent to a viewer, or served to those that connect.
use std::path::Path;

use nerve_core::run::SinkError;
use rerun::RecordingStream;
use rerun::log::LogMsg;

use crate::identity::Identity;
use crate::options::Destination;
use crate::output::Output;
use crate::recording::{contents, messages};

/// A recording that is being shown.
pub struct Replay {
    stream: RecordingStream,
    /// The page and whatever else must live as long.
    _output: Output,
}

/// Sends a whole recording to a viewer, or to all that will connect while [`Replay`] lives.
///
/// # Errors
/// If the file is no recording, or nothing listens where it should be shown.
pub fn replay(path: &Path, destination: &Destination, tell: &dyn Fn(&str)) -> Result<Replay, SinkError> {
    let other = |error: crate::RecordingError| SinkError::Other(error.to_string());
    let found = contents(path).map_err(other)?;
    // Rerun announces the stream's own recording: it is the one that is sent.
    let mut identity = Identity { id: found.id, ..Identity::new(&found.application, "") };
    let mut output = Output::new(destination.clone());
    let stream = output.open(&mut identity, tell)?;
    let stream = stream.ok_or_else(|| SinkError::Other(format!("nothing listens at {output}")))?;
    for message in messages(path).map_err(other)? {
        // Of a recording that was resumed the sessions announce the same.
        if !matches!(&message, LogMsg::SetStoreInfo(info) if info.info.store_id.is_recording()) {
            stream.record_msg(message);
        }
    }
    Ok(Replay { stream, _output: output })
}

impl Replay {
    /// Waits until all of it has been sent.
    ///
    /// # Errors
    /// If the viewer has gone before.
    pub fn finish(self) -> Result<(), SinkError> {
        self.stream.flush_blocking().map_err(|e| SinkError::Other(e.to_string()))
    }
}
