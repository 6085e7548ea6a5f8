//! The sink that shows a run at one destination, and tells a viewer that comes late what it missed.
use std::time::{Duration, Instant};

use nerve_core::run::{Event, ReplayBuffer, Sink, SinkError};
use rerun::RecordingStreamError;

use crate::identity::Identity;
use crate::options::Destination;
use crate::output::Output;
use crate::record::Recorder;

/// Bytes of pictures that are kept for a viewer that comes, or comes back.
const REPLAYED: usize = 64 << 20;
/// Between two looks at whether the output still works.
const LOOK: Duration = Duration::from_secs(2);
/// What the stream may take to be written or sent at the end; the sink is left behind after 2 s.
const FLUSH: Duration = Duration::from_millis(1500);

/// Shows a run in one place. Attach it with [`Delivery::Live`](nerve_core::run::Delivery::Live); its thread may
/// then block for as long as Rerun does, which is without limit where a viewer is stuck.
pub struct Viewer {
    identity: Identity,
    side: usize,
    output: Output,
    recorder: Option<Recorder>,
    /// What a viewer that comes late, or again, is told first.
    past: Option<ReplayBuffer>,
    looked: Instant,
    tell: Box<dyn Fn(&str) + Send>,
}

impl Viewer {
    /// A sink for this destination; nothing is opened before the first event.
    ///
    /// `application` names the kind of run: viewers keep a layout for each. `name` is what the recording is called,
    /// `side` the longest side of its pictures in pixels. `tell` hears what people should know, such as an address.
    pub fn new(
        destination: Destination,
        application: &str,
        name: &str,
        side: usize,
        tell: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let output = Output::new(destination);
        let past = output.comes_and_goes().then(|| ReplayBuffer::new(REPLAYED));
        let identity = Identity::new(application, name);
        Self { identity, side, output, recorder: None, past, looked: Instant::now(), tell: Box::new(tell) }
    }

    /// Opens the output if that is possible now; true if it is open.
    fn open(&mut self) -> Result<bool, SinkError> {
        if self.recorder.is_none()
            && let Some(stream) = self.output.open(&mut self.identity, &*self.tell)?
        {
            let mut recorder = Recorder::new(stream, self.side);
            for event in self.past.iter().flat_map(ReplayBuffer::iter) {
                recorder.record(event).map_err(|e| failed(&self.output, &e))?;
            }
            self.recorder = Some(recorder);
        }
        Ok(self.recorder.is_some())
    }

    /// Checks that the output still works; a viewer whose connection was lost is waited for again.
    fn look(&mut self) -> Result<(), SinkError> {
        self.looked = Instant::now();
        if self.output.is_gone()?
            && let Some(recorder) = self.recorder.take()
        {
            (self.tell)(&format!(
                "viewer: the connection to {} was lost; training continues, and nerve keeps trying to reconnect",
                self.output
            ));
            // Dropping may block, so it has a thread of its own.
            let stream = recorder.into_stream();
            let dropped = std::thread::Builder::new().name("viewer end".into());
            // Without a thread there is nothing to do but to leak it.
            let _ = dropped.spawn(move || drop(stream));
        }
        Ok(())
    }
}

impl Sink for Viewer {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        if let Some(past) = &mut self.past {
            past.push(event);
        }
        if self.recorder.is_some() && (self.looked.elapsed() >= LOOK || self.output.may_be_gone()) {
            self.look()?;
        }
        let was_open = self.recorder.is_some();
        // Opening tells all of the past, this event included.
        if !self.open()? || (self.past.is_some() && !was_open) {
            return Ok(());
        }
        let Some(recorder) = &mut self.recorder else { return Ok(()) };
        recorder.record(event).map_err(|e| failed(&self.output, &e))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let start = Instant::now();
        while !self.open()? {
            if start.elapsed() > FLUSH || !self.output.is_coming() {
                (self.tell)(&format!("viewer: {} was not there, so nothing was shown", self.output));
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        if let Some(recorder) = &self.recorder {
            // What it says of a slow peer is of no use any more; a file has its own word.
            let _ = recorder.stream().flush_with_timeout(FLUSH.saturating_sub(start.elapsed()));
        }
        self.output.is_gone().map(|_| ())
    }
}

fn failed(output: &Output, error: &RecordingStreamError) -> SinkError {
    SinkError::Other(format!("{output}: {error}"))
}
