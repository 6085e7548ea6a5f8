//! kill -9 at random moments: what is resumed ends bit for bit as what was never killed.

use crate::program::{Place, SMALL, metric_steps, state};
use serde_json::Value;
use std::thread::sleep;
use std::time::{Duration, Instant};

const STEPS: &str = "300";

/// Uniform numbers from a counter (SplitMix64): the moments are other ones in every round, the same in every run
/// of the test as far as a clock can make them so.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What a run leaves that must not depend on kills or threads.
fn outcome(place: &Place, run: &str) -> ((Value, Vec<u8>), Vec<u64>) {
    let run = place.path(run);
    (state(&run.join("checkpoint.safetensors")), metric_steps(&run.join("metrics.jsonl")))
}

/// Kills the program `kills` times or more, until a third of them have hit a run with a checkpoint, in as many runs as
/// it takes, and compares each with the uninterrupted one, which takes about `whole` on this machine, as busy as it is.
fn kill(place: &Place, threads: &str, kills: usize, whole: Duration, wanted: &((Value, Vec<u8>), Vec<u64>)) {
    let mut random = Random(threads.parse().unwrap());
    let (mut killed, mut resumed, mut round) = (0, 0, 0);
    let enough = |killed: usize, resumed: usize| killed >= kills && resumed * 3 >= kills;
    while !enough(killed, resumed) {
        assert!(killed < 20 * kills, "too few kills hit a run in progress");
        round += 1;
        let out = format!("threads-{threads}-{round}");
        let train =
            ["train", "scene", "--steps", STEPS, "--no-eval", "--save-every", "0.05", "--threads", threads];
        let train = [&train[..], &["--out", &out], &SMALL].concat();
        let resume = ["resume", &out, "--no-eval", "--threads", threads];
        loop {
            // Killed before its folder was complete, a run has not begun.
            let begun = place.path(&out).join("config.toml").exists();
            let mut child = place.spawn(if begun { &resume } else { &train });
            let more = !enough(killed, resumed) && killed < 20 * kills;
            if more {
                sleep(whole.mul_f64(random.next()));
            }
            if more && child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
                resumed += usize::from(place.path(&out).join("checkpoint.safetensors").exists());
            } else {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                break;
            }
        }
        let found = outcome(place, &out);
        assert_eq!(found.1, wanted.1, "metrics of {out}");
        assert!(found == *wanted, "the checkpoint of {out} differs after {killed} kills in all");
    }
    eprintln!(
        "{threads} threads: {killed} kills in {round} runs, {resumed} of them with a checkpoint: all the same"
    );
}

fn kill_on_each_thread_count(kills: usize) {
    let place = Place::with_scene(1);
    let mut whole = Duration::ZERO;
    for threads in ["1", "2", "3"] {
        let (out, start) = (format!("whole-{threads}"), Instant::now());
        place.train(&["--steps", STEPS, "--no-eval", "--threads", threads, "--out", &out]).success();
        whole = whole.max(start.elapsed());
    }
    let wanted = outcome(&place, "whole-1");
    assert_eq!(wanted.0.0["__metadata__"]["step"], STEPS);
    for threads in ["2", "3"] {
        assert!(outcome(&place, &format!("whole-{threads}")) == wanted, "{threads} threads differ from one");
    }
    for threads in ["1", "2", "3"] {
        kill(&place, threads, kills, whole, &wanted);
    }
}

#[test]
fn killed_runs_end_as_uninterrupted_ones() {
    kill_on_each_thread_count(6);
}

#[test]
#[ignore = "takes a minute or two; run it with --ignored after a change to what a run saves"]
fn killed_runs_end_as_uninterrupted_ones_twenty_times() {
    kill_on_each_thread_count(20);
}
