//! The publisher of a run's events, and the threads of its sinks.
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tracing::warn;

use super::{
    Delivery, Event, Sink, SinkError, SinkReport,
    queue::{Message, Push, Queue},
};

/// The stream of a run's events: publish on any thread, listen with any number of [`Sink`]s. Clones share it.
///
/// Publishing never waits for a sink. Each sink has its own thread behind its own queue: a slow one misses
/// events beyond its capacity, a viewer stale pictures (counted; one warning), one that fails or panics is detached (one warning). A
/// lossless sink, the metrics log, has a queue without a bound instead: its lines are small and a disk that
/// cannot keep up with them would also stall the checkpoints.
///
/// [`Events::close`] ends the stream in an orderly way. When the last clone is dropped without it, the threads
/// handle what waits and end by themselves, unless the process ends first.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sinks: Mutex<Vec<Attached>>,
    /// Nothing is warned of: the reports of [`Events::close`] say it.
    quiet: bool,
    previews: Mutex<Option<PreviewRequest>>,
}

/// The pictures that viewers ask for on the way. They cost training time, so none is made that nobody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviewRequest {
    /// Time between two sets of pictures; more where making them would take too large a share of the time.
    pub every: Duration,
    /// Longest side of a picture in pixels.
    pub side: usize,
}

#[derive(Debug)]
struct Attached {
    name: String,
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

impl Events {
    /// A stream that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, without warnings: the reports of [`Events::close`] tell all. For whoever makes something of these, such as
    /// a file that is only of use when it is whole.
    #[must_use]
    pub fn quiet() -> Self {
        Self(Arc::new(Inner { sinks: Mutex::default(), quiet: true, previews: Mutex::default() }))
    }

    /// Attaches a sink, which gets every event from now on. `name` is used in warnings and reports.
    ///
    /// # Errors
    /// [`SinkError::Thread`] when no thread can be started.
    pub fn attach(
        &self,
        name: impl Into<String>,
        delivery: Delivery,
        sink: impl Sink + 'static,
    ) -> Result<(), SinkError> {
        let name = name.into();
        let queue = Arc::new(Queue::new(delivery));
        let thread = {
            let (name, queue, quiet) = (name.clone(), queue.clone(), self.0.quiet);
            thread::Builder::new()
                .name(format!("sink {name}"))
                .spawn(move || serve(&name, Box::new(sink), &queue, quiet))
                .map_err(SinkError::Thread)?
        };
        self.0.lock().push(Attached { name, queue, thread });
        Ok(())
    }

    /// Asks for pictures, before a run begins.
    pub fn request_previews(&self, request: PreviewRequest) {
        *self.0.previews.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
    }

    /// The pictures that are asked for, if any.
    #[must_use]
    pub fn previews(&self) -> Option<PreviewRequest> {
        *self.0.previews.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every sink. Never waits for one; without sinks, or after [`Events::close`], it does nothing.
    pub fn publish(&self, event: Event) {
        let event = Arc::new(event);
        let slow: Vec<String> = {
            let sinks = self.0.lock();
            let push = |sink: &&Attached| sink.queue.push(event.clone()) == Push::FirstDrop;
            sinks.iter().filter(push).map(|sink| sink.name.clone()).collect()
        };
        for name in slow {
            warn!("{name} is too slow and misses events; training continues");
        }
    }

    /// Waits until the lossless sinks have handled and made durable all that was published before, at most
    /// `limit`; false when that was not enough. Called before a checkpoint is written, it makes the metrics log
    /// reach at least to the checkpoint's step.
    pub fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let pending: Vec<_> = {
            let sinks = self.0.lock();
            sinks.iter().filter(|s| s.queue.is_lossless()).map(|s| s.queue.request_flush()).collect()
        };
        pending.into_iter().all(|flushed| {
            let left = deadline.saturating_duration_since(Instant::now());
            // A detached sink disconnects: nothing to wait for, and it has been reported.
            flushed.recv_timeout(left) != Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        })
    }

    /// Ends the stream: the sinks handle what waits, flush and end, in at most `limit` together; what is still
    /// busy then is left behind. Reports on every sink; a second call has none to report on.
    pub fn close(&self, limit: Duration) -> Vec<SinkReport> {
        let now = Instant::now();
        let sinks = std::mem::take(&mut *self.0.lock());
        for sink in &sinks {
            sink.queue.close();
        }
        let limit_of =
            |sink: &Attached| if sink.queue.is_live() { limit.min(Delivery::LIVE_CLOSE) } else { limit };
        sinks
            .into_iter()
            .map(|sink| {
                let deadline = now + limit_of(&sink);
                sink.end(deadline)
            })
            .collect()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Vec<Attached>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for sink in self.lock().iter() {
            sink.queue.close();
        }
    }
}

impl Attached {
    fn end(self, deadline: Instant) -> SinkReport {
        let timed_out = !self.queue.wait_finished(deadline);
        if timed_out {
            self.queue.abandon(None);
            warn!("{} did not finish in time and was left behind", self.name);
        } else {
            // Immediate, and `serve` has caught and reported any panic.
            let _ = self.thread.join();
        }
        let (dropped, failure) = self.queue.outcome();
        if dropped > 0 {
            warn!("{} missed {dropped} events because it was slow", self.name);
        }
        SinkReport { name: self.name, dropped, failure, timed_out }
    }
}

/// The life of a sink's thread.
fn serve(name: &str, mut sink: Box<dyn Sink>, queue: &Queue, quiet: bool) {
    let result = catch_unwind(AssertUnwindSafe(move || {
        while let Some(message) = queue.pop() {
            match message {
                Message::Event(event) => sink.handle(&event)?,
                Message::Flush(done) => {
                    sink.flush()?;
                    // The asker may have given up.
                    let _ = done.send(());
                }
            }
        }
        sink.flush()
    }));
    let failure = match result {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(panic) => Some(format!("panicked: {}", panic_message(&*panic))),
    };
    // Whoever waits for the sink is let go before anything is said: the warning may go where nobody reads.
    let warning = failure.as_ref().filter(|_| !quiet).map(ToString::to_string);
    if let Some(failure) = failure {
        queue.abandon(Some(failure));
    }
    queue.finish();
    if let Some(failure) = warning {
        warn!("{name} is detached, training continues: {failure}");
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
#[path = "publisher_tests.rs"]
mod tests;
