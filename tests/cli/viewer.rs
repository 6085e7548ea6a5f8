//! Training that is watched ends as training that is not.

use crate::program::{Place, SMALL, event, parse_events, state, stderr, stdout};
use assert_cmd::Command;
use nerve::viewer::{Program, contents};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

const STEPS: [&str; 3] = ["--steps", "120", "--no-eval"];
/// How much later a training may end because of its viewer; a machine that is busy takes as much once more.
const LATER: Duration = Duration::from_secs(4);

fn train(place: &Place, out: &str, more: &[&str]) -> (assert_cmd::assert::Assert, Duration) {
    let start = Instant::now();
    let assert =
        place.train(&[&STEPS[..], &["--out", out, "--viewer-every", "0.1"], more].concat()).success();
    (assert, start.elapsed())
}

fn checkpoint(place: &Place, out: &str) -> (serde_json::Value, Vec<u8>) {
    state(&place.path(out).join("checkpoint.safetensors"))
}

#[test]
fn a_recording_has_the_run_and_costs_it_no_bit() {
    let place = Place::with_scene(2);
    train(&place, "off", &[]);
    train(&place, "save", &["--viewer", "save", "--viewer-size", "32"]);
    assert!(checkpoint(&place, "off") == checkpoint(&place, "save"), "being watched changes the training");
    assert!(!place.path("off/recording.rrd").exists());
    let found = contents(&place.path("save/recording.rrd")).unwrap();
    assert_eq!(found.application, "nerve_scene");
    for entity in ["/numbers/loss", "/views/r_0/photo", "/views/r_0/rendering", "/views/r_0/depth"] {
        assert!(found.entities.contains_key(entity), "{entity}: {:#?}", found.entities.keys());
    }
    assert_eq!(found.entities["/numbers/loss"].rows, 6, "one every 20 steps");
    let cameras = found.entities.keys().filter(|e| e.starts_with("/world/cameras/training/")).count();
    assert_eq!(cameras, 2 * 6, "cameras with their photographs");
    assert!(found.entities.contains_key("/world/cells/occupancy/0"));
    // Resumed, evaluated and rebuilt, it stays one recording.
    place.run(&["resume", "save", "--steps", "160", "--no-eval", "--viewer", "save"]).success();
    let more = contents(&place.path("save/recording.rrd")).unwrap();
    assert_eq!((more.id, more.entities["/numbers/loss"].rows), (found.id.clone(), 8));
    place.run(&["eval", "save", "--viewer", "save"]).success();
    let more = contents(&place.path("save/recording.rrd")).unwrap();
    assert_eq!(more.id, found.id);
    assert!(more.entities.contains_key("/views/r_1/error"), "{:#?}", more.entities.keys());
}

/// Sockets of the internet protocols that a process has now.
#[cfg(target_os = "linux")]
fn connections(id: u32) -> Vec<String> {
    let table = |name: &str| std::fs::read_to_string(format!("/proc/{id}/net/{name}")).unwrap_or_default();
    let rows: String = ["tcp", "tcp6", "udp", "udp6"].map(table).concat();
    let inodes: std::collections::HashMap<&str, &str> =
        rows.lines().filter_map(|row| Some((row.split_whitespace().nth(9)?, row))).collect();
    let files = std::fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
    let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    links
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
            inodes.get(inode.as_str()).map(|row| (*row).to_owned())
        })
        .collect()
}

/// Rerun's crates can count uses, look for updates and sign in; here they do none of it.
#[cfg(target_os = "linux")]
#[test]
fn a_recording_opens_no_connection() {
    let place = Place::with_scene(1);
    let watched = |out: &str, viewer: &str| {
        let args = ["train", "scene", "--steps", "300", "--no-eval", "--out", out, "--viewer", viewer];
        let mut child = place.spawn(&[&args[..], &SMALL].concat());
        let mut seen = Vec::new();
        while child.try_wait().unwrap().is_none() {
            seen.extend(connections(child.id()));
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
        seen
    };
    let seen = watched("save", "save");
    assert!(seen.is_empty(), "{seen:#?}");
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    assert!(!watched("serve", &format!("serve={free}")).is_empty(), "where there is one, it is seen");
}

#[test]
fn viewers_that_cannot_be_had_change_nothing_and_cost_no_time() {
    let place = Place::with_scene(1);
    let (_, plain) = train(&place, "off", &[]);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stuck = taken.local_addr().unwrap().port();
    let absent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let viewers = format!(
        "serve={stuck},connect=127.0.0.1:{stuck},connect=127.0.0.1:{absent},save=/dev/full,save=absent/a.rrd"
    );
    let (watched, took) = train(&place, "on", &["--viewer", &viewers]);
    assert!(checkpoint(&place, "off") == checkpoint(&place, "on"));
    assert!(took < plain + LATER, "{took:?} instead of {plain:?}");
    let said = stderr(&watched);
    assert!(said.contains(&format!("port {stuck}")), "{said}");
    assert!(said.contains("absent/a.rrd"), "{said}");
    if cfg!(target_os = "linux") {
        assert!(said.contains("/dev/full") && said.contains("No space left"), "{said}");
    }
}

/// Rerun's own program as the peer: it is stopped, or killed, in the middle.
#[cfg(unix)]
#[test]
fn a_viewer_that_is_stopped_or_killed_changes_nothing() {
    let Some(program) = Program::find().filter(Program::fits) else {
        eprintln!(
            "SKIPPED rerun stopped and killed: no `rerun` of the right version ({})",
            Program::remedy()
        );
        return;
    };
    let place = Place::with_scene(1);
    let (_, plain) = train(&place, "off", &[]);
    for signal in ["STOP", "KILL"] {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let port_flag = format!("--port={port}");
        let mut rerun = program.start(&["--serve-grpc", &port_flag]).unwrap();
        let start = Instant::now();
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "rerun does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let connect = format!("connect=127.0.0.1:{port}");
        let train = [
            &["train", "scene", "--out", signal, "--viewer", &connect, "--viewer-every", "0.1"],
            &STEPS[..],
            &SMALL,
        ];
        let start = Instant::now();
        let child = place.spawn(&train.concat());
        std::thread::sleep(plain / 2);
        let group = format!("-{}", rerun.id());
        let sent = std::process::Command::new("kill").args(["-s", signal, "--", &group]).status().unwrap();
        assert!(sent.success());
        let output = child.wait_with_output().unwrap();
        let took = start.elapsed();
        let _ = std::process::Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        let _ = rerun.wait();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(checkpoint(&place, "off") == checkpoint(&place, signal), "{signal}");
        assert!(took < plain + LATER, "{signal}: {took:?} instead of {plain:?}");
    }
}

#[test]
fn wrong_flags_are_usage_errors() {
    let place = Place::new();
    for (args, said) in [
        (&["train", "demo", "--viewer", "on"][..], "spawn"),
        (&["train", "demo", "--viewer", "off,serve"], "off"),
        (&["train", "demo", "--viewer", "save,save"], "twice"),
        (&["train", "demo", "--viewer-every", "0"], "0.1"),
        (&["train", "demo", "--viewer-size", "4"], "16"),
        (&["inspect", "demo", "--viewer", "serve"], "nothing to watch"),
        (&["compare", "demo", "--viewer", "spawn"], "connect"),
        (&["view", "nowhere", "--viewer", "save,serve"], "in one place"),
    ] {
        let text = stderr(&place.run(args).code(2));
        assert!(text.contains(said), "{args:?}: {text}");
    }
    assert!(stderr(&place.run(&["view", "nowhere"]).code(1)).contains("nowhere"));
}

/// The sockets that a process has open, as the kernel's tables list them: protocol, local and remote address, state.
#[cfg(target_os = "linux")]
fn sockets(process: u32) -> Vec<[String; 4]> {
    let links = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten();
    let links = links.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let own: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let mut found = Vec::new();
    for protocol in ["tcp", "tcp6", "udp", "udp6"] {
        let table = std::fs::read_to_string(format!("/proc/{process}/net/{protocol}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if own.contains(&format!("socket:[{}]", fields[9])) {
                found.push([protocol, fields[1], fields[2], fields[3]].map(str::to_owned));
            }
        }
    }
    found
}

/// Nothing leaves the machine: the one socket is the server's own, on the loopback, and no file is left at home, where
/// Rerun's analytics would begin with one.
#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_watched_connects_to_nobody() {
    let place = Place::with_scene(1);
    std::fs::create_dir(place.path("home")).unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("nerve"))
        .args(["train", "scene", "--out", "run", "--viewer", "save,serve", "--viewer-every", "0.1"])
        .args([&STEPS[..], &SMALL].concat())
        .current_dir(place.path("."))
        .env("HOME", place.path("home"))
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut served = false;
    let status = loop {
        for [protocol, local, remote, state] in sockets(child.id()) {
            let (loopback, listens) = (local.starts_with("0100007F:"), state == "0A");
            served |= listens;
            assert!(
                protocol == "tcp" && loopback && listens,
                "{protocol} {local} to {remote}, state {state}"
            );
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(status.success() && served, "{status}; the server was seen: {served}");
    assert!(place.path("run/recording.rrd").exists());
    let left: Vec<_> = std::fs::read_dir(place.path("home")).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Runs the program with only `path` to find others on.
fn with_path(place: &Place, path: &Path, args: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("nerve").unwrap();
    command.args(args).current_dir(place.path(".")).env("PATH", path).assert()
}

/// A `rerun` that writes down what it was asked to do.
#[cfg(unix)]
fn fake_rerun(place: &Place, version: &str) {
    use std::os::unix::fs::PermissionsExt;
    let log = place.path("asked");
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo rerun-cli {version}; else echo \"$@\" >> {}; fi\n",
        log.display()
    );
    place.write("bin/rerun", &text);
    std::fs::set_permissions(place.path("bin/rerun"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_finished_run_without_a_recording_gets_one_to_be_viewed() {
    let place = Place::with_scene(2);
    train(&place, "run", &[]);
    let nothing = place.path("nothing");
    std::fs::create_dir(&nothing).unwrap();
    let said = stderr(&with_path(&place, &nothing, &["view", "run"]).code(1));
    assert!(said.contains("pip install rerun-sdk==0.36.3") && said.contains("run/recording.rrd"), "{said}");
    fake_rerun(&place, "0.36.3");
    let said = stdout(&with_path(&place, &place.path("bin"), &["view", "run"]).success());
    assert!(said.contains("run/recording.rrd"), "{said}");
    let start = Instant::now();
    while !place.path("asked").exists() {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
    let found = contents(&place.path("run/recording.rrd")).unwrap();
    assert_eq!(found.entities["/numbers/loss"].rows, 6);
    for entity in ["/views/r_0/rendering", "/views/r_1/depth", "/world/cells/occupancy/0"] {
        assert!(found.entities.contains_key(entity), "{entity}: {:#?}", found.entities.keys());
    }
    fake_rerun(&place, "0.35.0");
    let said = stderr(&with_path(&place, &place.path("bin"), &["view", "run/recording.rrd"]).success());
    assert!(said.contains("0.35.0") && said.contains("0.36.3"), "{said}");
}

/// Of a segmenter's run: its numbers, and labels of the held-out pictures. What is rebuilt shows what was recorded.
#[test]
fn a_segmenters_recording_is_rebuilt() {
    let place = Place::new();
    place.run(&["demo", "labels", "--labels"]).success();
    let small =
        ["--crop", "64x64", "--batch", "2", "--head-width", "16", "--max-images", "4", "--steps", "10"];
    place
        .run(&[&["seg", "train", "labels", "--out", "run", "--viewer", "save"], &small[..]].concat())
        .success();
    let file = place.path("run/recording.rrd");
    let entities = || contents(&file).unwrap().entities.into_keys().collect::<Vec<_>>();
    let recorded = entities();
    std::fs::remove_file(&file).unwrap();
    let nothing = place.path("nothing");
    std::fs::create_dir(&nothing).unwrap();
    let view = |more: &[&str]| {
        let args = [&["view", "run"], more].concat();
        let mut command = Command::cargo_bin("nerve").unwrap();
        command.args(args).env("PATH", &nothing).current_dir(place.path(".")).assert().code(1);
        entities()
    };
    let rebuilt = view(&[]);
    assert!(rebuilt.iter().any(|entity| entity == "/numbers/loss"), "{rebuilt:#?}");
    assert_eq!(rebuilt, recorded);
    std::fs::write(&file, "torn").unwrap();
    assert_eq!(view(&["--rebuild"]), recorded);
}

/// A run whose scene is gone is viewed by its checkpoint: all but the photographs.
#[cfg(unix)]
#[test]
fn a_run_without_its_scene_is_viewed() {
    let place = Place::with_scene(2);
    train(&place, "run", &[]);
    std::fs::remove_dir_all(place.path("scene")).unwrap();
    fake_rerun(&place, "0.36.3");
    let viewed = with_path(&place, &place.path("bin"), &["view", "run"]).success();
    let said = stderr(&viewed);
    for part in ["the run without photographs", "no such file or folder", "run/config.toml"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let found = contents(&place.path("run/recording.rrd")).unwrap();
    assert_eq!(found.entities["/numbers/loss"].rows, 6);
    for entity in ["/views/r_0/rendering", "/views/r_1/depth", "/world/cells/occupancy/0"] {
        assert!(found.entities.contains_key(entity), "{entity}: {:#?}", found.entities.keys());
    }
    let cameras = found.entities.keys().filter(|e| e.starts_with("/world/cameras/training/")).count();
    assert_eq!(cameras, 6, "cameras without their photographs");
    assert!(!found.entities.keys().any(|e| e.ends_with("/photo")), "{:#?}", found.entities.keys());
}

#[cfg(unix)]
#[test]
fn doctor_tells_whether_runs_can_be_watched() {
    let place = Place::new();
    let nothing = place.path("nothing");
    std::fs::create_dir(&nothing).unwrap();
    let viewer = |path: &Path| {
        let told = parse_events(&stdout(&with_path(&place, path, &["doctor", "--json"]).success()));
        event(&told, "doctor").clone()
    };
    assert_eq!(viewer(&nothing)["viewer"], serde_json::Value::Null);
    assert_eq!(viewer(&nothing)["viewer_wanted"], "0.36.3");
    fake_rerun(&place, "0.36.3");
    assert_eq!(viewer(&place.path("bin"))["viewer"]["fits"], true);
    fake_rerun(&place, "0.35.0");
    assert_eq!(viewer(&place.path("bin"))["viewer"]["fits"], false);
    let said = stdout(&with_path(&place, &place.path("bin"), &["doctor"]).success());
    assert!(said.contains("0.35.0") && said.contains("pip install rerun-sdk==0.36.3"), "{said}");
}
