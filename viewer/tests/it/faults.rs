//! Whatever is wrong with a viewer, publishing never waits, what waits is bounded, and the end comes in time.
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use nerve_core::run::{Delivery, DoneReason, Event, Events, ImageRole, SinkReport};
use nerve_viewer::{Destination, Viewer, contents};

use crate::events::{image, scalars, scene};
use crate::peers::{Reader, free_port, url};

/// What training may lose to one publication: it may be put aside for a while by a machine that is busy.
const MOST: Duration = Duration::from_millis(500);
/// The end, with room for the same.
const END: Duration = Duration::from_millis(3500);

/// Publishes many events, and ends; the slowest publication, how long the end took, and what became of the sink.
fn soak(destination: Destination, many: u64) -> (Duration, Duration, SinkReport) {
    let events = Events::new();
    let viewer = Viewer::new(destination, "nerve_scene", "test", 128, |_| {});
    events.attach("viewer", Delivery::Live { bytes: 8 << 20 }, viewer).unwrap();
    let mut slowest = Duration::ZERO;
    for event in scene().into_iter().take(3).chain((0..many).map(|step| match step % 2 {
        0 => scalars(step),
        _ => image(step, &format!("view {}", step % 97), ImageRole::Prediction, 128),
    })) {
        let start = Instant::now();
        events.publish(event);
        slowest = slowest.max(start.elapsed());
    }
    let start = Instant::now();
    events.publish(Event::Done { reason: DoneReason::Finished });
    let report = events.close(Duration::from_secs(30)).remove(0);
    (slowest, start.elapsed(), report)
}

/// Bytes that this process has in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|n| n.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

#[test]
fn a_stuck_viewer_holds_up_nothing_and_memory_stays_bounded() {
    // It accepts and then never reads: what a viewer that is stopped does.
    let stuck = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = stuck.local_addr().unwrap().port();
    let before = resident();
    let (slowest, end, report) = soak(Destination::Connect(url(port)), 10_000);
    let grown = resident().saturating_sub(before);
    assert!(slowest < MOST && end < END, "{slowest:?}, {end:?}");
    assert!(report.timed_out || report.failure.is_some() || report.dropped > 0, "{report:?}");
    assert!(grown < 160 << 20, "{} MB more", grown >> 20);
}

#[test]
fn a_viewer_that_never_starts_costs_nothing() {
    let (slowest, end, report) = soak(Destination::Connect(url(free_port())), 2000);
    assert!(slowest < MOST && end < END, "{slowest:?}, {end:?}");
    assert!(report.failure.is_none() && !report.timed_out, "{report:?}");
}

#[test]
fn a_reader_of_the_server_that_is_stuck_holds_up_nothing_and_memory_stays_bounded() {
    let port = free_port();
    let events = Events::new();
    let viewer = Viewer::new(Destination::Serve(Some(port)), "nerve_scene", "test", 128, |_| {});
    events.attach("viewer", Delivery::Live { bytes: 8 << 20 }, viewer).unwrap();
    scene().into_iter().take(3).for_each(|event| events.publish(event));
    let start = Instant::now();
    while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    // One that has subscribed and read, and then reads no more.
    let mut stuck = Reader::new(port);
    stuck.wait();
    stuck.freeze();
    let before = resident();
    let mut slowest = Duration::ZERO;
    for step in 0..10_000 {
        let start = Instant::now();
        events.publish(image(step, &format!("view {}", step % 97), ImageRole::Prediction, 128));
        events.publish(scalars(step));
        slowest = slowest.max(start.elapsed());
    }
    let grown = resident().saturating_sub(before);
    let start = Instant::now();
    events.close(Duration::from_secs(30));
    assert!(slowest < MOST && start.elapsed() < END, "{slowest:?}, {:?}", start.elapsed());
    assert!(grown < 160 << 20, "{} MB more", grown >> 20);
}

#[test]
fn a_port_that_is_taken_is_said_and_the_run_goes_on() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let (slowest, end, report) = soak(Destination::Serve(Some(port)), 100);
    assert!(slowest < MOST && end < END, "{slowest:?}, {end:?}");
    let failure = report.failure.unwrap();
    assert!(failure.contains(&port.to_string()) && failure.contains("serve=PORT"), "{failure}");
}

#[test]
fn a_peer_that_is_no_viewer_holds_up_nothing() {
    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = peer.local_addr().unwrap().port();
    // It hangs up on everyone.
    std::thread::spawn(move || peer.incoming().for_each(drop));
    let (slowest, end, report) = soak(Destination::Connect(url(port)), 500);
    assert!(slowest < MOST && end < END, "{slowest:?}, {end:?}, {report:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let (slowest, end, report) = soak(Destination::Save("/dev/full".into()), 500);
    assert!(slowest < MOST && end < END, "{slowest:?}, {end:?}");
    let failure = report.failure.unwrap();
    assert!(failure.contains("/dev/full") && failure.contains("No space left"), "{failure}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (_, end, report) = soak(Destination::Save(folder.path().join("absent/a.rrd")), 10);
    assert!(end < END && report.failure.unwrap().contains("absent/a.rrd"));
}

#[test]
fn a_recording_that_was_cut_off_anywhere_is_read_up_to_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.rrd");
    let (_, _, report) = soak(Destination::Save(file.clone()), 60);
    assert!(report.failure.is_none() && !report.timed_out, "{report:?}");
    let bytes = std::fs::read(&file).unwrap();
    let whole = contents(&file).unwrap().entities.len();
    for cut in (0..20).map(|i| bytes.len() * i / 20) {
        std::fs::write(&file, &bytes[..cut]).unwrap();
        // Without a header it is none.
        assert!(contents(&file).map_or(cut < 64, |found| found.entities.len() <= whole), "cut at {cut}");
    }
}
