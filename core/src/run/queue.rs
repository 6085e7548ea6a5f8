//! The queue between the publisher and one sink's thread.
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    time::Instant,
};

use super::{
    Delivery, Event,
    backlog::{Holds, make_room},
};

/// What a sink's thread is asked to do.
#[derive(Debug)]
pub(super) enum Message {
    Event(Arc<Event>),
    /// Flush, then answer. A dropped sender tells the asker that there is nothing to wait for.
    Flush(mpsc::Sender<()>),
}

impl Holds for Message {
    fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Flush(_) => None,
        }
    }
}

/// Whether an event found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    Queued,
    /// The sink is closed or detached.
    Ignored,
    /// The first event that this sink misses.
    FirstDrop,
    Dropped,
}

/// Not an `mpsc` channel, because `Done` must find room in a full queue and closing has a time limit.
#[derive(Debug)]
pub(super) struct Queue {
    delivery: Delivery,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    /// No further messages are accepted; those that wait are still handled.
    closed: bool,
    /// The thread has ended.
    finished: bool,
    dropped: u64,
    failure: Option<String>,
}

impl Queue {
    pub(super) fn new(delivery: Delivery) -> Self {
        Self { delivery, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_lossless(&self) -> bool {
        self.delivery == Delivery::Lossless
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.delivery, Delivery::Live { .. })
    }

    pub(super) fn push(&self, event: Arc<Event>) -> Push {
        let mut state = self.state();
        if state.closed {
            return Push::Ignored;
        }
        let (dropped, fits) = match self.delivery {
            Delivery::Lossless => (0, true),
            Delivery::Live { bytes } => make_room(&mut state.messages, &event, bytes),
            Delivery::Lossy { capacity } => {
                (0, state.messages.len() < capacity || matches!(*event, Event::Done { .. }))
            }
        };
        let dropped = dropped + u64::from(!fits);
        let first = state.dropped == 0;
        state.dropped += dropped;
        if fits {
            state.messages.push_back(Message::Event(event));
            self.changed.notify_all();
        }
        match dropped {
            0 => Push::Queued,
            _ if first => Push::FirstDrop,
            _ => Push::Dropped,
        }
    }

    /// Asks for a flush; the receiver hears when it is done, or disconnects if it will never be.
    pub(super) fn request_flush(&self) -> mpsc::Receiver<()> {
        let (sender, receiver) = mpsc::channel();
        let mut state = self.state();
        if !state.closed {
            state.messages.push_back(Message::Flush(sender));
            self.changed.notify_all();
        }
        receiver
    }

    /// The next message; `None` when the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<Message> {
        let mut state = self.state();
        loop {
            if let Some(message) = state.messages.pop_front() {
                return Some(message);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Closes the queue and forgets what waits in it.
    pub(super) fn abandon(&self, failure: Option<String>) {
        let forgotten = {
            let mut state = self.state();
            state.closed = true;
            state.failure = failure;
            std::mem::take(&mut state.messages)
        };
        self.changed.notify_all();
        drop(forgotten);
    }

    /// The thread says that it ends.
    pub(super) fn finish(&self) {
        self.state().finished = true;
        self.changed.notify_all();
    }

    /// Waits for the thread's end; false when the deadline passed first.
    pub(super) fn wait_finished(&self, deadline: Instant) -> bool {
        let mut state = self.state();
        while !state.finished {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Events dropped, and why the sink was detached.
    pub(super) fn outcome(&self) -> (u64, Option<String>) {
        let state = self.state();
        (state.dropped, state.failure.clone())
    }
}
