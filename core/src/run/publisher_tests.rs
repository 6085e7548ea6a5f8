#![allow(clippy::unwrap_used)]
use std::sync::mpsc::{self, Receiver, Sender};

use super::*;
use crate::run::{DoneReason, Level};

const LONG: Duration = Duration::from_secs(20);
const LOSSY: Delivery = Delivery::Lossy { capacity: 4 };

fn text(message: impl Into<String>) -> Event {
    Event::Text { level: Level::Info, message: message.into() }
}

/// Records what it gets; waits for a permit before each event if it has a gate.
struct Recorder {
    seen: Sender<Event>,
    gate: Option<Receiver<()>>,
}

impl Recorder {
    fn new() -> (Self, Receiver<Event>) {
        let (seen, events) = mpsc::channel();
        (Self { seen, gate: None }, events)
    }

    fn gated() -> (Self, Receiver<Event>, Sender<()>) {
        let (recorder, events) = Self::new();
        let (permit, gate) = mpsc::channel();
        (Self { gate: Some(gate), ..recorder }, events, permit)
    }
}

impl Sink for Recorder {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        if let Some(gate) = &self.gate {
            let _ = gate.recv();
        }
        self.seen.send(event.clone()).map_err(|e| SinkError::Other(e.to_string()))
    }
}

/// Runs a closure for each event.
struct Each<F>(F);

impl<F: FnMut(&Event) -> Result<(), SinkError> + Send> Sink for Each<F> {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        (self.0)(event)
    }
}

#[test]
fn every_sink_gets_every_event_in_order() {
    let events = Events::new();
    let (a, seen_a) = Recorder::new();
    let (b, seen_b) = Recorder::new();
    events.attach("a", Delivery::Lossless, a).unwrap();
    events.attach("b", Delivery::Lossy { capacity: 1000 }, b).unwrap();
    let publisher = events.clone();
    (0..100).for_each(|i| publisher.publish(text(i.to_string())));
    let reports = events.close(LONG);
    let clean = |name: &str| SinkReport { name: name.into(), dropped: 0, failure: None, timed_out: false };
    assert_eq!(reports, [clean("a"), clean("b")]);
    let expected: Vec<Event> = (0..100).map(|i| text(i.to_string())).collect();
    assert_eq!(seen_a.iter().collect::<Vec<_>>(), expected);
    assert_eq!(seen_b.iter().collect::<Vec<_>>(), expected);
    publisher.publish(text("after the end"));
    assert_eq!(publisher.close(LONG), []);
}

#[test]
fn a_slow_sink_misses_events_but_not_the_last_and_does_not_stall_others() {
    let events = Events::new();
    let (slow, seen, permit) = Recorder::gated();
    let (log, logged) = Recorder::new();
    events.attach("slow", LOSSY, slow).unwrap();
    events.attach("log", Delivery::Lossless, log).unwrap();
    (0..100).for_each(|i| events.publish(text(i.to_string())));
    events.publish(Event::Done { reason: DoneReason::Finished });
    assert!(events.flush(LONG), "flush waits for lossless sinks only");
    assert_eq!(logged.try_iter().count(), 101);
    drop(permit);
    let reports = events.close(LONG);
    let seen: Vec<Event> = seen.iter().collect();
    // One may have left the queue before it filled.
    assert!((5..=6).contains(&seen.len()), "{}", seen.len());
    assert_eq!(seen.last(), Some(&Event::Done { reason: DoneReason::Finished }));
    assert_eq!(reports[0].dropped as usize, 101 - seen.len());
    assert_eq!(reports[1].dropped, 0);
}

#[test]
fn a_failing_and_a_panicking_sink_are_detached_and_the_rest_goes_on() {
    let events = Events::new();
    let (good, seen) = Recorder::new();
    let (mut calls, called) = (0, mpsc::channel());
    events.attach("fails", LOSSY, Each(|_: &Event| Err(SinkError::Other("no disk".into())))).unwrap();
    let panics = Each(move |_: &Event| {
        calls += 1;
        called.0.send(calls).map_err(|e| SinkError::Other(e.to_string()))?;
        panic!("lost the connection")
    });
    events.attach("panics", Delivery::Lossless, panics).unwrap();
    events.attach("good", Delivery::Lossless, good).unwrap();
    (0..10).for_each(|i| events.publish(text(i.to_string())));
    assert!(events.flush(LONG), "a detached sink is not waited for");
    let reports = events.close(LONG);
    assert_eq!(reports[0].failure.as_deref(), Some("no disk"));
    assert_eq!(reports[1].failure.as_deref(), Some("panicked: lost the connection"));
    assert_eq!(reports[2].failure, None);
    assert_eq!(called.1.iter().collect::<Vec<_>>(), [1], "no event after the panic");
    assert_eq!(seen.iter().count(), 10);
}

#[test]
fn closing_leaves_a_stuck_sink_behind() {
    let events = Events::new();
    let (stuck, seen, permit) = Recorder::gated();
    events.attach("stuck", Delivery::Lossless, stuck).unwrap();
    (0..3).for_each(|i| events.publish(text(i.to_string())));
    assert!(!events.flush(Duration::from_millis(20)));
    let start = Instant::now();
    let reports = events.close(Duration::from_millis(50));
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(reports[0].timed_out);
    drop(permit);
    assert!(seen.iter().count() <= 1, "what waited is forgotten");
}

#[test]
fn dropping_the_stream_ends_the_threads_after_what_waits() {
    let (recorder, seen) = Recorder::new();
    let events = Events::new();
    events.attach("a", Delivery::Lossless, recorder).unwrap();
    (0..10).for_each(|i| events.publish(text(i.to_string())));
    drop(events);
    // Ends only when the thread has dropped the recorder.
    assert_eq!(seen.iter().count(), 10);
}

#[test]
fn a_stuck_viewer_is_left_behind_soon_and_what_waits_for_it_is_bounded() {
    const BYTES: usize = 1 << 16;
    let events = Events::new();
    let (stuck, seen, permit) = Recorder::gated();
    events.attach("viewer", Delivery::Live { bytes: BYTES }, stuck).unwrap();
    let mut slowest = Duration::ZERO;
    let pictures: Vec<Arc<[u8]>> = (0..5000).map(|_| vec![0u8; 1 << 12].into()).collect();
    for (step, data) in pictures.iter().enumerate() {
        let start = Instant::now();
        let (name, role) = (format!("view {}", step % 40), crate::run::ImageRole::Prediction);
        let (step, data) = (step as u64, data.clone());
        events.publish(Event::Image { step, name, role, width: 64, height: 64, channels: 1, data });
        let values = vec![("loss".into(), 1.0)];
        events.publish(Event::Scalars { step, elapsed: Duration::from_secs(step), values });
        slowest = slowest.max(start.elapsed());
    }
    let waiting = pictures.iter().filter(|p| Arc::strong_count(p) > 1).count();
    assert!(waiting <= BYTES / (1 << 12) + 1, "{waiting} pictures wait");
    assert!(slowest < Duration::from_secs(1), "publishing took {slowest:?}");
    let start = Instant::now();
    let reports = events.close(LONG);
    assert!(start.elapsed() < Delivery::LIVE_CLOSE + Duration::from_secs(1));
    assert!(reports[0].timed_out && reports[0].dropped > 4000);
    drop((permit, seen));
}

#[test]
fn a_viewer_that_catches_up_gets_all_numbers_and_the_newest_pictures() {
    let events = Events::new();
    let (slow, seen, permit) = Recorder::gated();
    events.attach("viewer", Delivery::Live { bytes: 1 << 16 }, slow).unwrap();
    for step in 0..1000 {
        let (role, data) = (crate::run::ImageRole::Prediction, vec![0; 4].into());
        events.publish(Event::Image { step, name: "a".into(), role, width: 2, height: 2, channels: 1, data });
        let values = vec![("loss".into(), 1.0)];
        events.publish(Event::Scalars { step, elapsed: Duration::ZERO, values });
    }
    drop(permit);
    events.close(LONG);
    let seen: Vec<Event> = seen.iter().collect();
    let numbers = seen.iter().filter(|e| matches!(e, Event::Scalars { .. })).count();
    let last = seen.iter().rev().find_map(|e| match e {
        Event::Image { step, .. } => Some(*step),
        _ => None,
    });
    assert_eq!((numbers, last), (1000, Some(999)));
    assert!(seen.len() <= 1002, "of the pictures only the first and the newest");
}

#[test]
fn pictures_are_made_only_if_someone_asks_for_them() {
    let events = Events::new();
    assert_eq!(events.previews(), None);
    let request = PreviewRequest { every: Duration::from_secs(5), side: 320 };
    events.clone().request_previews(request);
    assert_eq!(events.previews(), Some(request));
}
