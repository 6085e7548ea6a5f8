//! The life of a run folder: created, written, killed, resumed.
#![allow(clippy::unwrap_used)]
use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nerve_core::{
    checkpoint::{self, Checkpoint, TensorData},
    device::DeviceKind,
    run::{Delivery, DoneReason, Event, Events, Existing, MetricsLog, RunFolder, truncate_after},
};
use serde::{Deserialize, Serialize};

/// Enough for a save to take a few milliseconds, so that kills hit it.
const WEIGHTS: usize = 1 << 20;
const CHILD: &str = "NERVE_TEST_RUN_FOLDER";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Config {
    seed: u64,
}

fn save(run: &RunFolder, step: u64, weights: &[f32]) {
    let meta = BTreeMap::from([("step".to_owned(), step.to_string())]);
    let tensors = [("weights".to_owned(), vec![weights.len()], TensorData::F32(weights))];
    checkpoint::save(&run.checkpoint_path(), &meta, &tensors).unwrap();
}

fn load(run: &RunFolder, len: usize) -> (u64, Vec<f32>) {
    let checkpoint = Checkpoint::load(run.checkpoint_path()).unwrap();
    (checkpoint.meta("step").unwrap().parse().unwrap(), checkpoint.f32("weights", &[len]).unwrap())
}

fn logged(events: &Events, step: u64) {
    let values = vec![("loss".into(), 1.0 / (step + 1) as f64)];
    events.publish(Event::Scalars { step, elapsed: Duration::from_millis(step), values });
}

fn log_to(run: &RunFolder) -> Events {
    let events = Events::new();
    events.attach("metrics log", Delivery::Lossless, MetricsLog::open(run.metrics_path()).unwrap()).unwrap();
    events
}

fn steps_in_log(run: &RunFolder) -> Vec<u64> {
    let value = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let text = fs::read_to_string(run.metrics_path()).unwrap();
    text.lines().map(|line| value(line)["step"].as_u64().unwrap()).collect()
}

#[test]
fn a_crashed_run_is_resumed_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().unwrap();
    let path = RunFolder::next_free(folder.path(), "demo").unwrap();
    let run = RunFolder::create(&path, "nerf", DeviceKind::Cpu, &Config { seed: 7 }, Existing::Keep).unwrap();
    let events = log_to(&run);
    for step in 0..=20 {
        logged(&events, step);
        if step == 10 {
            assert!(events.flush(Duration::from_secs(20)));
            save(&run, step, &[step as f32; 100]);
        }
    }
    events.close(Duration::from_secs(20));

    // The crash: half a checkpoint under its temporary name, half a line in the log.
    let checkpoint = fs::read(run.checkpoint_path()).unwrap();
    let torn = path.join(".checkpoint.safetensors.4194303-5.tmp");
    fs::write(&torn, &checkpoint[..checkpoint.len() / 2]).unwrap();
    let mut log = fs::read(run.metrics_path()).unwrap();
    log.extend_from_slice(b"{\"step\":21,\"elaps");
    fs::write(run.metrics_path(), log).unwrap();

    let run = RunFolder::open(&path).unwrap();
    assert_eq!(run.config::<Config>().unwrap(), Config { seed: 7 });
    let (step, weights) = load(&run, 100);
    assert_eq!((step, weights), (10, vec![10.0; 100]));
    truncate_after(&run.metrics_path(), step).unwrap();
    let events = log_to(&run);
    for step in step + 1..=30 {
        logged(&events, step);
    }
    events.publish(Event::Done { reason: DoneReason::Finished });
    assert!(events.flush(Duration::from_secs(20)));
    save(&run, 30, &[30.0; 100]);
    let reports = events.close(Duration::from_secs(20));
    assert!(reports.iter().all(|r| r.failure.is_none() && r.dropped == 0 && !r.timed_out), "{reports:?}");
    assert!(!torn.exists());
    assert_eq!(load(&run, 100), (30, vec![30.0; 100]));
    assert_eq!(steps_in_log(&run), (0..=30).collect::<Vec<_>>());
}

/// Kills a process that does nothing but save, again and again, at different moments: the first ones while it
/// creates the run or resumes, the others after at least one more checkpoint.
#[test]
fn a_kill_at_any_moment_leaves_a_whole_checkpoint_and_its_metrics() {
    const EARLY: u32 = 4;
    const LATE: u32 = 12;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut last = 0;
    for round in 0..EARLY + LATE {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "child_trains_until_killed", "--ignored", "--quiet"])
            .env(CHILD, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        if round >= EARLY {
            wait_for_checkpoint_after(&path, last);
        }
        thread::sleep(Duration::from_millis(u64::from(2 + 3 * round)));
        assert!(child.try_wait().unwrap().is_none(), "round {round}: the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        if !path.join("config.toml").exists() {
            assert!(RunFolder::open(&path).is_err());
            continue;
        }
        let run = RunFolder::open(&path).unwrap();
        assert_eq!(run.config::<Config>().unwrap(), Config { seed: 3 });
        if run.checkpoint_path().exists() {
            let (step, weights) = load(&run, WEIGHTS);
            assert!(weights.iter().all(|&w| w == step as f32), "round {round}: torn at step {step}");
            assert!(step >= last, "round {round}: went back from {last} to {step}");
            last = step;
            truncate_after(&run.metrics_path(), step).unwrap();
            assert_eq!(steps_in_log(&run), (1..=step).collect::<Vec<_>>(), "round {round}");
        }
    }
    assert!(last >= u64::from(LATE));
    let leftovers =
        fs::read_dir(&path).unwrap().filter(|e| is_temporary(&e.as_ref().unwrap().path())).count();
    assert!(leftovers <= 2, "{leftovers} temporary files: earlier ones were not removed");
}

/// Waits until the run's checkpoint is of a later step; also shows that it can be read while it is replaced.
fn wait_for_checkpoint_after(path: &Path, step: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let later = || {
        let run = RunFolder::open(path).ok()?;
        run.checkpoint_path().exists().then(|| load(&run, WEIGHTS).0).filter(|&found| found > step)
    };
    while later().is_none() {
        assert!(Instant::now() < deadline, "no checkpoint after step {step} within a minute");
        thread::sleep(Duration::from_millis(1));
    }
}

fn is_temporary(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tmp")
}

/// Not a test by itself: the process that the test above kills.
#[test]
#[ignore = "runs only as a child of the kill test"]
fn child_trains_until_killed() {
    let Some(path) = env::var_os(CHILD) else { return };
    let run = RunFolder::open(&path).unwrap_or_else(|_| {
        RunFolder::create(&path, "nerf", DeviceKind::Cpu, &Config { seed: 3 }, Existing::Keep).unwrap()
    });
    let mut step = if run.checkpoint_path().exists() { load(&run, WEIGHTS).0 } else { 0 };
    truncate_after(&run.metrics_path(), step).unwrap();
    let events = log_to(&run);
    loop {
        step += 1;
        logged(&events, step);
        assert!(events.flush(Duration::from_secs(20)));
        save(&run, step, &vec![step as f32; WEIGHTS]);
    }
}
