//! A run shown in each place is decoded again.
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nerve_core::run::{Delivery, Event, Events, SinkReport};
use nerve_viewer::{Destination, Program, Viewer, contents, replay};

use crate::peers::{Listener, Reader, free_port, url};
use crate::{events, shown};

/// Shows events in one place, to the end.
fn show(destination: Destination, application: &str, all: Vec<Event>) -> SinkReport {
    let events = Events::new();
    let viewer = Viewer::new(destination, application, "test", 64, |_| {});
    events.attach("viewer", Delivery::Live { bytes: 1 << 24 }, viewer).unwrap();
    all.into_iter().for_each(|event| events.publish(event));
    events.close(Duration::from_secs(20)).remove(0)
}

fn clean(report: &SinkReport) {
    assert!(report.failure.is_none() && !report.timed_out && report.dropped == 0, "{report:?}");
}

/// Rerun's own check, where its program is installed.
fn verify(file: &Path) {
    match Program::find().filter(Program::fits) {
        Some(program) => {
            let output = Command::new(program.path).args(["rrd", "verify"]).arg(file).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        None => {
            eprintln!("SKIPPED rerun rrd verify: no `rerun` of the right version ({})", Program::remedy())
        }
    }
}

#[test]
fn a_scene_is_saved_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.rrd");
    clean(&show(Destination::Save(file.clone()), "nerve_scene", events::scene()));
    shown::scene(&contents(&file).unwrap());
    verify(&file);
}

#[test]
fn labels_are_saved_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.rrd");
    clean(&show(Destination::Save(file.clone()), "nerve_labels", events::labels()));
    shown::labels(&contents(&file).unwrap());
    verify(&file);
}

#[test]
fn a_resumed_run_goes_on_in_its_recording() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.rrd");
    let destination = || Destination::Save(file.clone());
    clean(&show(destination(), "nerve_scene", (1..=3).map(events::scalars).collect()));
    let first = contents(&file).unwrap();
    // As after a kill: the end is torn off, a message is cut in two.
    let bytes = std::fs::read(&file).unwrap();
    let whole = bytes.len() - 2000;
    std::fs::write(&file, &bytes[..whole.max(bytes.len() / 2)]).unwrap();
    let kept = contents(&file).unwrap().entities.get("/numbers/loss").map_or(0, |e| e.rows);
    clean(&show(destination(), "nerve_scene", (4..=6).map(events::scalars).collect()));
    let both = contents(&file).unwrap();
    assert_eq!(both.id, first.id, "it is one recording");
    assert_eq!(both.entities["/numbers/loss"].rows, kept + 3);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    verify(&file);
}

#[test]
fn what_is_no_recording_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thesis.txt");
    std::fs::write(&file, "years of work").unwrap();
    let report = show(Destination::Save(file.clone()), "nerve_scene", events::scene());
    assert!(report.failure.as_ref().unwrap().contains("thesis.txt"), "{report:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "years of work");
    assert!(contents(&file).unwrap_err().to_string().contains("thesis.txt"));
    assert!(contents(&folder.path().join("absent.rrd")).is_err());
}

#[test]
fn a_viewer_is_told_all_and_one_that_comes_late_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let (file, port) = (folder.path().join("told.rrd"), free_port());
    let events = Events::new();
    let viewer = Viewer::new(Destination::Connect(url(port)), "nerve_scene", "test", 64, |_| {});
    events.attach("viewer", Delivery::Live { bytes: 1 << 24 }, viewer).unwrap();
    let mut all = events::scene();
    let done = all.pop().unwrap();
    all.into_iter().for_each(|event| events.publish(event));
    // The viewer starts only now.
    std::thread::sleep(Duration::from_millis(300));
    let listener = Listener::new(port);
    std::thread::sleep(Duration::from_millis(1200));
    events.publish(done);
    clean(&events.close(Duration::from_secs(20)).remove(0));
    listener.save(&file);
    listener.close();
    shown::scene(&contents(&file).unwrap());
    verify(&file);
}

#[test]
fn a_viewer_that_is_closed_and_opened_again_is_told_all_again() {
    let folder = tempfile::tempdir().unwrap();
    let (file, port) = (folder.path().join("told.rrd"), free_port());
    let first = Listener::new(port);
    let events = Events::new();
    let viewer = Viewer::new(Destination::Connect(url(port)), "nerve_scene", "test", 64, |_| {});
    events.attach("viewer", Delivery::Live { bytes: 1 << 24 }, viewer).unwrap();
    let mut all = events::scene();
    let done = all.pop().unwrap();
    all.into_iter().for_each(|event| events.publish(event));
    first.save(&file);
    shown::scene(&contents(&file).unwrap());
    first.close();
    let second = Listener::new(port);
    // Something must be sent for the end of the connection to be noticed.
    let start = Instant::now();
    let mut step = 10_000;
    while start.elapsed() < Duration::from_secs(6) {
        events.publish(events::scalars(step));
        step += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    events.publish(done);
    events.close(Duration::from_secs(20));
    second.save(&file);
    let told = contents(&file).unwrap();
    assert!(told.entities.contains_key("/world/cameras/training/r_1"), "{:#?}", told.entities.keys());
    let rows = told.entities["/numbers/loss"].rows;
    assert!(rows as u64 >= events::REPORTS + 20, "{rows} numbers, old and new ones");
    second.close();
}

#[test]
fn whoever_connects_to_the_server_is_told_all() {
    let folder = tempfile::tempdir().unwrap();
    let (file, port) = (folder.path().join("told.rrd"), free_port());
    let (said, heard) = std::sync::mpsc::channel();
    let events = Events::new();
    let viewer = Viewer::new(Destination::Serve(Some(port)), "nerve_scene", "test", 64, move |text| {
        said.send(text.to_owned()).unwrap();
    });
    events.attach("viewer", Delivery::Live { bytes: 1 << 24 }, viewer).unwrap();
    events::scene().into_iter().for_each(|event| events.publish(event));
    let text = heard.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(text.contains(&url(port)), "{text}");
    let (early, late) = (Reader::new(port), Reader::new(port));
    early.save(&file);
    shown::scene(&contents(&file).unwrap());
    late.save(&file);
    shown::scene(&contents(&file).unwrap());
    drop((early, late));
    clean(&events.close(Duration::from_secs(20)).remove(0));
    verify(&file);
}

#[test]
fn the_server_listens_to_this_machine_only() {
    // Every address of 127.0.0.0/8 is this machine's, but only one of them is listened on.
    let port = free_port();
    let events = Events::new();
    let viewer = Viewer::new(Destination::Serve(Some(port)), "nerve_scene", "test", 64, |_| {});
    events.attach("viewer", Delivery::Live { bytes: 1 << 24 }, viewer).unwrap();
    events.publish(events::scalars(1));
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(std::net::TcpStream::connect(("127.0.0.2", port)).is_err());
    events.close(Duration::from_secs(5));
}

#[test]
fn a_recording_is_shown_again() {
    let folder = tempfile::tempdir().unwrap();
    let (file, again) = (folder.path().join("recording.rrd"), folder.path().join("again.rrd"));
    clean(&show(Destination::Save(file.clone()), "nerve_scene", events::scene()));
    let port = free_port();
    assert!(replay(&file, &Destination::Connect(url(port)), &|_| {}).is_err(), "nobody listens");
    let listener = Listener::new(port);
    replay(&file, &Destination::Connect(url(port)), &|_| {}).unwrap().finish().unwrap();
    listener.save(&again);
    listener.close();
    let (before, after) = (contents(&file).unwrap(), contents(&again).unwrap());
    shown::scene(&after);
    assert_eq!(before.id, after.id);
}

#[test]
fn several_places_show_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.rrd"), folder.path().join("b.rrd"));
    let events = Events::new();
    for file in [&a, &b] {
        let viewer = Viewer::new(Destination::Save(file.clone()), "nerve_scene", "test", 64, |_| {});
        events.attach("viewer", Delivery::Live { bytes: 1 << 24 }, viewer).unwrap();
    }
    events::scene().into_iter().for_each(|event| events.publish(event));
    events.close(Duration::from_secs(20)).iter().for_each(clean);
    shown::scene(&contents(&a).unwrap());
    shown::scene(&contents(&b).unwrap());
}
