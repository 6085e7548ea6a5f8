#![allow(clippy::unwrap_used)]
use serde::Deserialize;
use tempfile::TempDir;

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    steps: u64,
    rate: f32,
    note: Option<String>,
    model: Model,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    levels: usize,
}

fn config() -> Config {
    Config { steps: 100, rate: 0.1, note: None, model: Model { levels: 16 } }
}

fn create(folder: &TempDir, existing: Existing) -> Result<RunFolder, RunError> {
    RunFolder::create(folder.path().join("run"), "nerf", DeviceKind::Cpu, &config(), existing)
}

#[test]
fn what_is_created_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(&folder, Existing::Keep).unwrap();
    assert!(run.renders_dir().is_dir());
    assert_eq!(
        fs::read_to_string(run.config_path()).unwrap(),
        format!(
            "kind = \"nerf\"\nversion = \"{}\"\ndevice = \"cpu\"\n\nsteps = 100\nrate = 0.1\n\n[model]\nlevels = 16\n",
            env!("CARGO_PKG_VERSION")
        )
    );
    let opened = RunFolder::open(run.path()).unwrap();
    assert_eq!(opened.path(), run.path());
    assert_eq!((opened.kind(), opened.version()), ("nerf", env!("CARGO_PKG_VERSION")));
    assert_eq!(opened.config::<Config>().unwrap(), config());
    let longer = Config { steps: 200, ..config() };
    run.write_config(&longer).unwrap();
    assert_eq!(opened.config::<Config>().unwrap(), longer);
    assert_eq!(RunFolder::open(run.path()).unwrap().config::<Config>().unwrap(), longer);
}

#[test]
fn where_no_run_can_be_is_said_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    for existing in [Existing::Keep, Existing::Overwrite] {
        for path in [file.clone(), file.join("run/inner")] {
            let error = RunFolder::check(&path, existing).unwrap_err();
            assert!(matches!(&error, RunError::NotAFolder { file: found, .. } if *found == file), "{error}");
            assert!(error.to_string().contains("give another --out"), "{error}");
        }
        RunFolder::check(&folder.path().join("new/run"), existing).unwrap();
    }
    assert!(!folder.path().join("new").exists());
    let run = create(&folder, Existing::Keep).unwrap();
    assert!(matches!(RunFolder::check(run.path(), Existing::Keep), Err(RunError::Exists { .. })));
    RunFolder::check(run.path(), Existing::Overwrite).unwrap();
}

#[test]
fn an_existing_run_is_kept_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(&folder, Existing::Keep).unwrap();
    let error = create(&folder, Existing::Keep).unwrap_err();
    assert!(matches!(error, RunError::Exists { found: CONFIG, .. }), "{error}");
    fs::write(run.checkpoint_path(), "old").unwrap();
    fs::write(run.path().join(".checkpoint.safetensors.1-0.tmp"), "torn").unwrap();
    fs::write(run.renders_dir().join("0.png"), "old").unwrap();
    fs::write(run.path().join("notes.txt"), "mine").unwrap();
    let run_path = run.path().to_owned();
    drop(run);
    let run = RunFolder::open(run_path).unwrap();
    create(&folder, Existing::Overwrite).unwrap();
    let mut names: Vec<_> = fs::read_dir(run.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".lock", "config.toml", "notes.txt", "renders"]);
    assert_eq!(fs::read_dir(run.renders_dir()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_not_trained_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = RunFolder::open(create(&folder, Existing::Keep).unwrap().path()).unwrap();
    // A folder in the lock's place cannot be opened for writing, by nobody.
    fs::remove_file(run.path().join(LOCK)).unwrap();
    fs::create_dir(run.path().join(LOCK)).unwrap();
    let error = run.lock().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, RunError::Unlocked { .. }), "{text}");
    assert!(text.contains(".lock") && text.contains("make the folder writable"), "{text}");
}

#[test]
fn one_trains_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(&folder, Existing::Keep).unwrap();
    fs::write(run.checkpoint_path(), "weights").unwrap();
    let mut other = RunFolder::open(run.path()).unwrap();
    let error = other.lock().unwrap_err();
    let id = std::process::id();
    assert!(matches!(error, RunError::Busy { holder: Some(holder), .. } if holder == id), "{error}");
    assert!(error.to_string().contains(&format!("(id {id})")), "{error}");
    assert!(matches!(create(&folder, Existing::Overwrite).unwrap_err(), RunError::Busy { .. }));
    assert_eq!(fs::read_to_string(run.checkpoint_path()).unwrap(), "weights", "nothing was touched");
    let clone = run.clone();
    drop(run);
    assert!(other.lock().is_err(), "a clone still has it");
    drop(clone);
    other.lock().unwrap();
    drop(other);
    // What a killed process leaves is a file that nobody has locked.
    assert!(folder.path().join("run").join(LOCK).exists());
    create(&folder, Existing::Overwrite).unwrap();
}

#[cfg(unix)]
#[test]
fn a_removed_lock_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(&folder, Existing::Keep).unwrap();
    fs::remove_file(run.path().join(LOCK)).unwrap();
    let mut other = RunFolder::open(run.path()).unwrap();
    let error = other.lock().unwrap_err();
    assert!(matches!(error, RunError::Busy { holder: None, .. }), "{error}");
    drop(run);
    other.lock().unwrap();
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let strangers = folder.path().join("notes");
    fs::write(&strangers, "mine").unwrap();
    for entry in [LOCK, METRICS, RENDERS, RECORDING] {
        let path = create(&folder, Existing::Overwrite).unwrap().path().to_owned();
        let link = path.join(entry);
        let _ = fs::remove_file(&link).or_else(|_| fs::remove_dir(&link));
        std::os::unix::fs::symlink(&strangers, &link).unwrap();
        let error = RunFolder::open(&path).unwrap().lock().unwrap_err().to_string();
        assert!(error.contains(entry) && error.contains("symbolic link"), "{error}");
        assert_eq!(fs::read_to_string(&strangers).unwrap(), "mine");
        fs::remove_file(&link).unwrap();
    }
}

#[test]
fn files_that_would_be_mixed_up_with_a_run_are_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    fs::create_dir(&path).unwrap();
    fs::write(path.join(METRICS), "").unwrap();
    let error = create(&folder, Existing::Keep).unwrap_err();
    assert!(matches!(error, RunError::Exists { found: METRICS, .. }), "{error}");
    create(&folder, Existing::Overwrite).unwrap();
}

#[test]
fn another_programs_config_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    fs::create_dir(&path).unwrap();
    fs::write(path.join(CONFIG), "theirs = 1").unwrap();
    let error = create(&folder, Existing::Overwrite).unwrap_err();
    assert!(matches!(error, RunError::NotARun { .. }), "{error}");
    assert_eq!(fs::read_to_string(path.join(CONFIG)).unwrap(), "theirs = 1");
}

#[test]
fn what_is_no_run_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let message = |path: &Path| RunFolder::open(path).unwrap_err().to_string();
    assert!(message(&folder.path().join("absent")).contains("does not exist"));
    assert!(message(folder.path()).contains("no config.toml"));
    let file = folder.path().join(CONFIG);
    assert!(
        message(&{
            fs::write(&file, "").unwrap();
            file.clone()
        })
        .contains("it is a file")
    );
    let checkpoint = folder.path().join(CHECKPOINT);
    fs::write(&checkpoint, "weights").unwrap();
    let said = message(&checkpoint);
    assert!(said.contains(&format!("it is a file of the run {}", folder.path().display())), "{said}");
    fs::write(&file, "kind = 3\nversion = '1'").unwrap();
    assert!(message(folder.path()).contains("no text field 'kind'"));
    fs::write(&file, "kind = 'nerf'").unwrap();
    assert!(message(folder.path()).contains("no text field 'version'"));
    fs::write(&file, "kind = ").unwrap();
    assert!(matches!(RunFolder::open(folder.path()).unwrap_err(), RunError::Config { .. }));
}

/// Written when a run is made and whenever it goes on elsewhere; earlier versions had the processor alone.
#[test]
fn the_kind_of_device_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = create(&folder, Existing::Keep).unwrap();
    let open = || RunFolder::open(folder.path().join("run"));
    assert_eq!((run.device(), open().unwrap().device()), (DeviceKind::Cpu, DeviceKind::Cpu));
    run.set_device(DeviceKind::Cuda);
    run.write_config(&config()).unwrap();
    assert_eq!(open().unwrap().device(), DeviceKind::Cuda);
    assert_eq!(open().unwrap().config::<Config>().unwrap(), config());
    let text = fs::read_to_string(run.config_path()).unwrap();
    fs::write(run.config_path(), text.replace("device = \"cuda\"\n", "")).unwrap();
    assert_eq!(open().unwrap().device(), DeviceKind::Cpu);
    fs::write(run.config_path(), text.replace("cuda", "abacus")).unwrap();
    let error = open().unwrap_err().to_string();
    assert!(error.contains("config.toml: device") && error.contains("'abacus'"), "{error}");
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(&folder, Existing::Keep).unwrap();
    let text = fs::read_to_string(run.config_path()).unwrap();
    fs::write(run.config_path(), text.replace("steps", "stops")).unwrap();
    let error = run.config::<Config>().unwrap_err().to_string();
    assert!(error.contains("config.toml") && error.contains("stops"), "{error}");
}

#[test]
fn settings_that_hide_the_kind_are_refused_before_anything_is_touched() {
    #[derive(Serialize)]
    struct Bad {
        kind: u32,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let error =
        RunFolder::create(&path, "nerf", DeviceKind::Cpu, &Bad { kind: 1 }, Existing::Keep).unwrap_err();
    assert!(matches!(error, RunError::Config { .. }), "{error}");
    assert!(!path.exists());
}

#[test]
fn free_names_count_up() {
    let folder = tempfile::tempdir().unwrap();
    let parent = folder.path().join("runs");
    for expected in ["demo", "demo-2", "demo-3"] {
        let path = RunFolder::next_free(&parent, "demo").unwrap();
        assert_eq!(path, parent.join(expected));
        RunFolder::create(path, "nerf", DeviceKind::Cpu, &config(), Existing::Keep).unwrap();
    }
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(RunFolder::next_free(folder.path().join("file"), "demo").is_err());
}
