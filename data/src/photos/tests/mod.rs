//! Against a shell script that stands for COLMAP.
#![allow(clippy::unwrap_used)]
mod bad;
mod folded;
mod listing;
mod masks;

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::reconstruct::reconstruct_with;
use super::*;
use crate::testing::picture;

/// A folder with `count` photos and a `colmap` whose commands do as `commands` says: shell functions by their names.
struct Place {
    root: TempDir,
    photos: Photos,
}

/// What COLMAP 3.8 does, without doing it. Arguments are kept in `$root/calls`.
const GOOD: &str = r#"
feature_extractor() { for i in 1 2 3 4 5; do echo "Processed file [$i/5]"; done; }
exhaustive_matcher() { echo "Matching block [1/1, 1/1] in 0.1s"; }
sequential_matcher() { echo "Matching image [1/5]"; }
mapper() {
    echo "Registering image #1 (3)" >&2
    mkdir -p "$output/0" "$output/1"
    printf '\002\0\0\0\0\0\0\0' > "$output/0/images.bin"
    printf '\004\0\0\0\0\0\0\0' > "$output/1/images.bin"
}
"#;

impl Place {
    fn new(names: &[&str], commands: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        for (i, name) in names.iter().enumerate() {
            picture(&root.path().join("trip").join(name), 8, 6, i as u8);
        }
        let place = Self { photos: Photos::find(&root.path().join("trip")).unwrap(), root };
        place.script(commands);
        place
    }

    fn script(&self, commands: &str) {
        let script = format!(
            r#"#!/bin/sh
{commands}
options="--SiftExtraction.use_gpu arg (=1) --SiftMatching.use_gpu arg (=1) --Mapper.num_threads arg --image_list_path arg"
if [ "$1" = help ]; then echo "COLMAP 3.8 -- Structure-from-Motion and Multi-View Stereo"; exit 0; fi
if [ "$2" = --help ]; then echo "$options"; exit 1; fi
echo "$@" >> '{root}/calls'
command=$1
while [ $# -gt 0 ]; do case "$1" in --output_path) output=$2;; esac; shift; done
"$command"
"#,
            root = self.root.path().display()
        );
        let path = self.root.path().join("colmap");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    fn run(&self) -> Result<Reconstruction, PhotosError> {
        self.run_until(&mut |_, _| {}, &|| false)
    }

    fn run_until(
        &self,
        listen: &mut dyn FnMut(ColmapStep, Option<(usize, usize)>),
        stop: &dyn Fn() -> bool,
    ) -> Result<Reconstruction, PhotosError> {
        let program = self.root.path().join("colmap").into_os_string();
        let settings = ColmapSettings { matching: Matching::Auto, threads: 2 };
        reconstruct_with(|| Colmap::at(program), &self.photos, &self.work(), &settings, listen, stop)
    }

    /// The commands that were run, with their arguments.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.root.path().join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

const FIVE: [&str; 5] = ["a1.png", "a2.png", "a3.png", "b.png", "c.png"];

#[test]
fn photos_become_a_colmap_scene_once() {
    let place = Place::new(&FIVE, GOOD);
    let mut heard = Vec::new();
    let made = place.run_until(&mut |step, count| heard.push((step, count)), &|| false).unwrap();
    assert_eq!((made.registered, made.photos, made.reused), (4, 5, false));
    assert_eq!(made.models, [4, 2]);
    for wanted in [
        (ColmapStep::Features, None),
        (ColmapStep::Features, Some((5, 5))),
        (ColmapStep::Matching, Some((0, 1))),
        (ColmapStep::Mapping, Some((3, 5))),
    ] {
        assert!(heard.contains(&wanted), "{wanted:?} in {heard:?}");
    }
    let calls = place.calls();
    assert_eq!(calls.len(), 3, "{calls:?}");
    let (trip, work) = (place.photos.folder.display(), place.work());
    for part in
        ["--SiftExtraction.use_gpu 0", "--ImageReader.single_camera 1", &format!("--image_path {trip}")]
    {
        assert!(calls[0].contains(part), "{part} in {calls:?}");
    }
    assert!(
        calls[1].starts_with("exhaustive_matcher") && calls[1].contains("--SiftMatching.use_gpu 0"),
        "{calls:?}"
    );
    assert!(!calls[1].contains("FeatureMatching"), "only options that this version has: {calls:?}");
    assert_eq!(
        fs::read_to_string(work.join("photos.txt")).unwrap(),
        FIVE.map(|name| format!("{name}\n")).concat()
    );
    assert!(work.join("images/b.png").is_file());
    assert!(fs::read_to_string(work.join("log.txt")).unwrap().contains("Registering image #1"));
    assert_eq!(fs::read_dir(place.root.path().join("trip")).unwrap().count(), 5, "nothing is written there");

    // Again: nothing to do, with or without COLMAP.
    place.script("false() { exit 1; }");
    let again = place.run().unwrap();
    assert!(again.reused && again.registered == 4 && place.calls().len() == 3);
}

/// Ended by the system while it empties the folder or before the first line of the state is whole.
#[test]
fn a_folder_that_was_left_half_emptied_is_prepared_again() {
    let mut place = Place::new(&FIVE, GOOD);
    place.run().unwrap();
    picture(&place.root.path().join("trip/d.png"), 8, 6, 9);
    place.photos = Photos::find(&place.root.path().join("trip")).unwrap();
    let state = place.work().join("state.json");
    let text = fs::read_to_string(&state).unwrap();
    assert!(text.contains("\"preparing\": false"));
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["preparing"] = true.into();
    json["photos"] = serde_json::to_value(
        place.photos.files.iter().map(|photo| (&photo.name, photo.bytes)).collect::<Vec<_>>(),
    )
    .unwrap();
    fs::write(&state, json.to_string()).unwrap();
    assert!(!place.run().unwrap().reused, "what is there may be of other photos");
    assert_eq!(place.calls().len(), 6);

    fs::remove_dir_all(place.work()).unwrap();
    fs::create_dir(place.work()).unwrap();
    for name in [".lock", "state.json.7-0.tmp"] {
        fs::write(place.work().join(name), "{").unwrap();
    }
    assert_eq!(place.run().unwrap().registered, 4);
}

#[test]
fn other_photos_start_over_and_other_folders_are_left_alone() {
    let mut place = Place::new(&FIVE, GOOD);
    place.run().unwrap();
    picture(&place.root.path().join("trip/d.png"), 8, 6, 9);
    place.photos = Photos::find(&place.root.path().join("trip")).unwrap();
    fs::write(place.work().join("notes"), "mine").unwrap();
    assert!(!place.run().unwrap().reused);
    assert_eq!(place.calls().len(), 6);
    assert!(place.work().join("notes").exists(), "only what is ours is removed");

    fs::remove_file(place.work().join("state.json")).unwrap();
    let error = place.run().unwrap_err();
    assert!(matches!(error, PhotosError::NotOurs { .. }) && error.to_string().contains("--out"), "{error}");
    // A folder of this name that is of other photos.
    let parent = place.root.path();
    fs::create_dir(parent.join("trip-2")).unwrap();
    assert_eq!(work_folder(parent, &place.photos), parent.join("trip-3"));
}

#[test]
fn a_step_that_failed_is_done_again_and_the_others_are_not() {
    let place =
        Place::new(&FIVE, &format!("{GOOD}\nexhaustive_matcher() {{ echo out of disk >&2; exit 3; }}"));
    let error = place.run().unwrap_err().to_string();
    for part in ["matching failed", "exit status: 3", "out of disk", "log.txt", "room on the disk"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    place.script(GOOD);
    assert_eq!(place.run().unwrap().registered, 4);
    let names: Vec<String> =
        place.calls().iter().map(|call| call.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["feature_extractor", "exhaustive_matcher", "exhaustive_matcher", "mapper"]);
}

#[test]
fn no_model_says_what_photos_it_needs() {
    for mapper in [
        "mapper() { echo 'E0 sfm.cc:1] failed to create sparse model'; exit 1; }",
        "mapper() { echo 'No good initial image pair found.'; }",
    ] {
        let place = Place::new(&FIVE, &format!("{GOOD}\n{mapper}"));
        let error = place.run().unwrap_err();
        assert!(matches!(error, PhotosError::NoModel { photos: 5, .. }), "{error}");
        assert!(error.to_string().contains("overlap"), "{error}");
    }
}

#[test]
fn stopping_ends_colmap_and_all_that_it_started() {
    // A wrapper whose own child goes on for long unless the whole group is ended.
    let slow = "feature_extractor() { echo 'Processed file [1/5]'; sleep 60 & echo $! > \"$0.pid\"; wait; }";
    let place = Place::new(&FIVE, slow);
    let (begun, started) = (Cell::new(false), Instant::now());
    let pid = place.root.path().join("colmap.pid");
    let mut listen = |_, count: Option<_>| begun.set(begun.get() || count.is_some());
    let error = place.run_until(&mut listen, &|| begun.get() && pid.exists()).unwrap_err();
    assert!(
        matches!(error, PhotosError::Cancelled { .. }) && error.to_string().contains("continues"),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    let process = loop {
        if let Ok(process) = fs::read_to_string(&pid).unwrap().trim().parse::<i32>() {
            break nix::unistd::Pid::from_raw(process);
        }
    };
    // Reaped by whoever inherits it; until then it is a zombie at most.
    let alive = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        nix::sys::signal::kill(process, None).is_ok() && !stat.contains(") Z")
    };
    while alive() {
        assert!(started.elapsed() < Duration::from_secs(20), "the child of the wrapper lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
    place.script(GOOD);
    assert_eq!(place.run().unwrap().registered, 4, "the same command goes on");
}

#[test]
fn two_at_once_do_not_write_over_each_other() {
    let slow = format!(
        "{GOOD}\nfeature_extractor() {{ while [ ! -e \"$0.go\" ]; do sleep 0.02; done; echo 'Processed file [5/5]'; }}"
    );
    let place = Place::new(&FIVE, &slow);
    let go = || fs::write(place.root.path().join("colmap.go"), "").unwrap();
    let (begun, begins) = std::sync::mpsc::channel();
    let first = std::thread::scope(|scope| {
        let first = scope.spawn(|| place.run_until(&mut |step, _| begun.send(step).unwrap(), &|| false));
        begins.recv_timeout(Duration::from_secs(20)).unwrap();
        let second = place.run();
        go();
        let error = second.unwrap_err();
        assert!(matches!(&error, PhotosError::Busy { holder: Some(id), .. } if *id == std::process::id()));
        let text = error.to_string();
        assert!(text.contains(&place.work().display().to_string()) && text.contains("--out"), "{text}");
        first.join().unwrap()
    });
    assert_eq!(first.unwrap().registered, 4);
    assert_eq!(place.calls().len(), 3, "the second started nothing");
    assert!(place.run().unwrap().reused, "the lock is let go");
}

/// A process may be ended as soon as it has the lock.
#[test]
fn a_lock_alone_is_no_folder_of_someone_else() {
    let place = Place::new(&FIVE, GOOD);
    let work = place.root.path().join("runs/trip");
    fs::create_dir_all(&work).unwrap();
    fs::write(work.join(".lock"), "1").unwrap();
    assert_eq!(work_folder(&place.root.path().join("runs"), &place.photos), work);
    fs::create_dir(place.work()).unwrap();
    fs::write(place.work().join(".lock"), "1").unwrap();
    assert_eq!(place.run().unwrap().registered, 4);
}

#[test]
fn without_colmap_the_commands_are_printed() {
    let place = Place::new(&FIVE, GOOD);
    let settings = ColmapSettings { matching: Matching::Auto, threads: 2 };
    let none =
        reconstruct_with(|| Ok(None), &place.photos, &place.work(), &settings, &mut |_, _| {}, &|| false);
    let error = none.unwrap_err().to_string();
    for part in [
        "apt install colmap",
        "brew install colmap",
        "conda-forge",
        "colmap feature_extractor --database_path",
        "colmap exhaustive_matcher",
        "colmap mapper",
        "nerve train",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(!place.work().exists());
    let absent = Colmap::at(place.root.path().join("absent").into_os_string()).unwrap();
    assert!(absent.is_none());
    fs::write(place.root.path().join("colmap"), "#!/bin/sh\necho libQt5 is missing >&2; exit 127\n").unwrap();
    let error = place.run().unwrap_err().to_string();
    assert!(error.contains("libQt5 is missing"), "{error}");
}
