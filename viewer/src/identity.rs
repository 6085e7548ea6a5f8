//! Which recording a run is, and Rerun's stream of it.
use std::time::Duration;

use nerve_core::run::SinkError;
use rerun::log::ChunkBatcherConfig;
use rerun::sink::LogSink;
use rerun::{ApplicationId, RecordingStream, RecordingStreamBuilder, StoreId, StoreKind};

/// Bytes that a stream may have on their way to its sink.
const IN_FLIGHT: u64 = 16 << 20;

/// Which recording it is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) application: ApplicationId,
    pub(crate) name: String,
    /// The same wherever the recording is shown.
    pub(crate) id: String,
}

impl Identity {
    pub(crate) fn new(application: &str, name: &str) -> Self {
        let application = ApplicationId::new_or_unknown(application);
        let id = StoreId::random(StoreKind::Recording, application.clone());
        Self { application, name: name.to_owned(), id: id.recording_id().to_string() }
    }

    /// A stream into `sink`, which is sent what gathers within `tick`.
    pub(crate) fn stream(
        &self,
        tick: Duration,
        sink: Box<dyn LogSink>,
    ) -> Result<RecordingStream, SinkError> {
        let batches = ChunkBatcherConfig {
            flush_tick: tick,
            max_bytes_in_flight: IN_FLIGHT,
            ..ChunkBatcherConfig::DEFAULT
        };
        let stream = RecordingStreamBuilder::new(self.application.clone())
            .recording_id(self.id.clone())
            .recording_name(self.name.clone())
            .enabled(true)
            .batcher_config(batches)
            .buffered()
            .map_err(|e| SinkError::Other(e.to_string()))?;
        stream.set_sink(sink);
        // A count of log calls tells nobody anything.
        stream.set_log_tick_enabled(false);
        Ok(stream)
    }
}
