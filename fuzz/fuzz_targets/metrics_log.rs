//! The metrics log, cut back to a step.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nerve_core::run::truncate_after;
use nerve_fuzz::put;

fuzz_target!(|data: &[u8]| {
    let Some((step, data)) = data.split_first() else { return };
    let log = put("metrics.jsonl", data);
    if truncate_after(&log, u64::from(*step)).is_ok() {
        let kept = std::fs::read(&log).expect("the log");
        assert!(kept.len() <= data.len());
        let again = truncate_after(&log, u64::from(*step)).expect("the log");
        assert_eq!((again.later, again.torn), (0, 0), "nothing more to cut");
    }
});
