//! Runs learn, repeat themselves, and go on where they stopped.
use nerve_core::graph::{to_vec, update_in_place};
use nerve_vision::segmentation::{
    HeadKind, Inference, SegConfig, Segmenter, SemanticSegmenter, Trainer, evaluate, predict, trained,
};

use crate::support::{CPU, chosen, config, counts, set, state};

#[test]
fn a_resumed_run_is_the_same_bit_for_bit_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let whole = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let mut trainer = Trainer::new(config(4), set.clone(), &counts, CPU).expect("a trainer");
            (0..4).for_each(|_| assert!(trainer.step().expect("a step").loss.is_finite()));
            state(&trainer, folder.path())
        })
    };
    let once = whole(2);
    assert!(whole(2) == once, "two runs of one seed differ");
    assert!(whole(3) == once, "threads change a run");

    let mut first = Trainer::new(config(4), set.clone(), &counts, CPU).expect("a trainer");
    (0..2).for_each(|_| assert!(first.step().expect("a step").loss.is_finite()));
    let saved = folder.path().join("checkpoint.safetensors");
    first.save(&saved).expect("saved");
    let mut second = Trainer::restored(config(4), set.clone(), &saved, CPU).expect("restored");
    (0..2).for_each(|_| assert!(second.step().expect("a step").loss.is_finite()));
    assert!(state(&second, folder.path()) == once, "a resumed run differs");
}

#[test]
fn it_learns_and_the_saved_segmenter_answers_as_the_averaged_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let mut quickly = config(30);
    (quickly.train.lr, quickly.train.head_lr) = (1e-3, 5e-3);
    let mut trainer = Trainer::new(quickly, set.clone(), &counts, CPU).expect("a trainer");
    let losses: Vec<f64> = (0..30).map(|_| trainer.step().expect("a step").loss).collect();
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (begin, end) = (mean(&losses[..5]), mean(&losses[25..]));
    assert!(end < 0.85 * begin, "the loss went from {begin} to {end}");

    let events = nerve_core::run::Events::new();
    let cancel = nerve_core::run::Cancel::new();
    let own = trainer.measure(&Inference::default(), &events, &cancel).expect("measured").expect("a split");
    let saved = folder.path().join("checkpoint.safetensors");
    trainer.save(&saved).expect("saved");
    let segmenter = trained(&config(30), &set, &saved, CPU).expect("a segmenter");
    let split = set.split("val").expect("a split");
    let found = evaluate(&segmenter, &set, split, &Inference::default(), true, &cancel, &mut |_, _, _| ())
        .expect("measured")
        .expect("not cancelled");
    assert_eq!(found.confusion, own.confusion);
    assert!(found.scores.mean_boundary_f.is_some() && segmenter.classes() == 6);

    // Windows, scales and flipping give every pixel a class, too.
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
    let trainer = Trainer::new(config(1), set.clone(), &counts, CPU).expect("a trainer");
    let saved = folder.path().join("checkpoint.safetensors");
    trainer.save(&saved).expect("saved");
    let mut other = config(1);
    other.model.head_width = Some(32);
    let error = Trainer::restored(other, set, &saved, CPU).err().expect("refused").to_string();
    assert!(error.contains("another model") && error.contains("head_width"), "{error}");
    let some = trainer.segmenter().variables().all();
    assert!(some.iter().all(|(_, v)| to_vec(&v.var).iter().all(|v| v.is_finite())));
}

#[test]
fn a_hierarchical_and_a_plain_transformer_learn_with_pyramid_heads() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    for (backbone, head) in [("swin-tiny", HeadKind::UperNet), ("vit-tiny", HeadKind::SemanticFpn)] {
        let mut config = chosen(backbone, head, 10);
        // The same two pictures again and again, nearly as they are.
        (config.train.lr, config.train.head_lr) = (5e-4, 5e-3);
        (config.data.max_images, config.model.drop_path, config.model.dropout) = (Some(2), 0.0, 0.0);
        (config.augment.scale_min, config.augment.scale_max) = (1.0, 1.0);
        (config.augment.photometric, config.augment.no_flip) = (0.0, true);
        let mut trainer = Trainer::new(config.clone(), set.clone(), &counts, CPU).expect("a trainer");
        let losses: Vec<f64> = (0..10).map(|_| trainer.step().expect("a step").loss).collect();
        let (begin, end) = (losses[..2].iter().sum::<f64>(), losses[8..].iter().sum::<f64>());
        assert!(end < 0.8 * begin, "{backbone}: {losses:?}");
        let saved = folder.path().join("checkpoint.safetensors");
        trainer.save(&saved).expect("saved");
        let text = serde_json::to_string(&config).expect("written");
        let read: SegConfig = serde_json::from_str(&text).expect("read");
        assert_eq!(read, config);
        // Sides that are no multiples of a patch or a window are answered for, too.
        let segmenter = trained(&read, &set, &saved, CPU).expect("a segmenter");
        let image = ndarray::Array3::from_elem((50, 75, 3), 90u8);
        let found = predict(&segmenter, image.view(), &Inference::default()).expect("labels");
        assert_eq!(found.labels.dim(), (50, 75));
    }
}

/// Weights and running statistics that have run away are not saved over those that were well.
#[test]
fn a_run_that_diverges_keeps_its_last_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let mut trainer = Trainer::new(config(4), set, &counts, CPU).expect("a trainer");
    let saved = folder.path().join("checkpoint.safetensors");
    trainer.save(&saved).expect("saved");
    let before = std::fs::read(&saved).expect("read");
    for (_, v) in trainer.segmenter().variables().all().iter().filter(|(key, _)| key.starts_with("head.")) {
        update_in_place(&v.var, |values| values.fill(f32::NAN)).expect("changed");
    }
    let (events, cancel) = (nerve_core::run::Events::new(), nerve_core::run::Cancel::new());
    let error = trainer.run(&saved, &events, &cancel).expect_err("no loss").to_string();
    assert!(error.contains("last checkpoint"), "{error}");
    assert!(std::fs::read(&saved).expect("read") == before, "the checkpoint has changed");
}

/// A run can be made on one thread and trained on another.
#[test]
fn runs_can_move_to_another_thread() {
    fn send<T: Send>() {}
    send::<Segmenter>();
    send::<Trainer>();
    send::<nerve_vision::segmentation::Published>();
}
