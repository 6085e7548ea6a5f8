//! Training on the procedural label set: it learns, repeats itself, and goes on where it stopped.
use std::path::Path;
use std::sync::Arc;

use nerve_core::graph::values_of;
use nerve_data::demo::labels::LabelDemo;
use nerve_data::labels::{LabelSet, inspect_split};
use nerve_vision::segmentation::{Inference, SegConfig, Segments, Trainer, evaluate, trained};

fn set(folder: &Path) -> Arc<LabelSet> {
    let demo = LabelDemo { height: 64, width: 96, train: 12, val: 4, ..LabelDemo::default() };
    demo.write(folder, &|_, _| ()).expect("written");
    Arc::new(LabelSet::open(folder).expect("a label set"))
}

fn counts(set: &LabelSet) -> Vec<u64> {
    let split = set.split("train").expect("a split");
    inspect_split(set, split, &|_, _| ()).classes.iter().map(|class| class.pixels).collect()
}

fn config(steps: u64) -> SegConfig {
    let mut config = SegConfig::default();
    config.augment.crop = [64, 64];
    config.train.steps = Some(steps);
    config.train.batch = 2;
    config.train.warmup_steps = 2;
    config.model.head_width = 16;
    config.model.drop_path = 0.1;
    config.train.ema = 0.9;
    config
}

/// All variables, and what the optimiser keeps, as a checkpoint has them. (No clock runs in these tests.)
fn state(trainer: &Trainer, counts: &[u64], folder: &Path) -> Vec<u8> {
    let path = folder.join("state.safetensors");
    trainer.save(&path, counts).expect("saved");
    std::fs::read(&path).expect("read")
}

#[test]
fn a_resumed_run_is_the_same_bit_for_bit_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let whole = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let mut trainer = Trainer::new(config(4), set.clone(), &counts).expect("a trainer");
            (0..4).for_each(|_| assert!(trainer.step().expect("a step").loss.is_finite()));
            state(&trainer, &counts, folder.path())
        })
    };
    let once = whole(2);
    assert!(whole(2) == once, "two runs of one seed differ");
    assert!(whole(3) == once, "threads change a run");

    let mut first = Trainer::new(config(4), set.clone(), &counts).expect("a trainer");
    (0..2).for_each(|_| assert!(first.step().expect("a step").loss.is_finite()));
    let saved = folder.path().join("checkpoint.safetensors");
    first.save(&saved, &counts).expect("saved");
    let mut second = Trainer::restored(config(4), set.clone(), &saved).expect("restored");
    (0..2).for_each(|_| assert!(second.step().expect("a step").loss.is_finite()));
    assert!(state(&second, &counts, folder.path()) == once, "a resumed run differs");
}

#[test]
fn it_learns_and_the_saved_segmenter_answers_as_the_averaged_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let mut quickly = config(30);
    (quickly.train.lr, quickly.train.head_lr) = (1e-3, 5e-3);
    let mut trainer = Trainer::new(quickly, set.clone(), &counts).expect("a trainer");
    let losses: Vec<f64> = (0..30).map(|_| trainer.step().expect("a step").loss).collect();
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (begin, end) = (mean(&losses[..5]), mean(&losses[25..]));
    assert!(end < 0.85 * begin, "the loss went from {begin} to {end}");

    let events = nerve_core::run::Events::new();
    let cancel = nerve_core::run::Cancel::new();
    let own = trainer.measure(&Inference::default(), &events, &cancel).expect("measured").expect("a split");
    let saved = folder.path().join("checkpoint.safetensors");
    trainer.save(&saved, &counts).expect("saved");
    let segmenter = trained(&config(30), set.classes.len(), &saved).expect("a segmenter");
    let split = set.split("val").expect("a split");
    let found = evaluate(&segmenter, &set, split, &Inference::default(), true, &cancel, &mut |_, _, _| ())
        .expect("measured")
        .expect("not cancelled");
    assert_eq!(found.confusion, own.confusion);
    assert!(found.scores.mean_boundary_f.is_some() && segmenter.classes() == 6);

    // Windows, scales and mirroring give every pixel a class, too.
    let closely = Inference { window: Some(48), scales: vec![0.75, 1.0], flip: true, ..Inference::default() };
    let found = evaluate(&segmenter, &set, split, &closely, false, &cancel, &mut |_, _, _| ())
        .expect("measured")
        .expect("not cancelled");
    assert_eq!(found.confusion.pixels(), own.confusion.pixels());
}

#[test]
fn a_checkpoint_of_another_model_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let trainer = Trainer::new(config(1), set.clone(), &counts).expect("a trainer");
    let saved = folder.path().join("checkpoint.safetensors");
    trainer.save(&saved, &counts).expect("saved");
    let mut other = config(1);
    other.model.head_width = 32;
    let error = Trainer::restored(other, set, &saved).err().expect("refused").to_string();
    assert!(error.contains("another model") && error.contains("head_width"), "{error}");
    let some = trainer.segmenter().variables().all();
    assert!(some.iter().all(|(_, v)| values_of(&v.var).iter().all(|v| v.is_finite())));
}
