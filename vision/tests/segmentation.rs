//! Training on the procedural label set: it learns, repeats itself, and goes on where it stopped.
#[path = "support/check.rs"]
mod check;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use check::gradient_reach;
use nerve_core::checkpoint::{self, TensorData};
use nerve_core::graph::{Device, Mode, Randomness, Tensor, to_vec, update_in_place};
use nerve_data::demo::labels::LabelDemo;
use nerve_data::labels::{LabelSet, inspect_split};
use nerve_vision::segmentation::{
    HeadKind, Inference, SegConfig, Segmenter, SemanticSegmenter, Trainer, evaluate, predict, trained,
};

const CPU: nerve_core::device::Device = nerve_core::device::Device::Cpu;

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
    config.train.run.steps = Some(steps);
    config.train.batch = 2;
    config.train.warmup_steps = 2;
    config.model.head_width = Some(16);
    config.model.drop_path = 0.1;
    config.train.ema = 0.9;
    config
}

/// All variables, and what the optimiser keeps, as a checkpoint has them. (No clock runs in these tests.)
fn state(trainer: &Trainer, folder: &Path) -> Vec<u8> {
    let path = folder.join("state.safetensors");
    trainer.save(&path).expect("saved");
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

/// A short run of this backbone and head.
fn chosen(backbone: &str, head: HeadKind, steps: u64) -> SegConfig {
    let mut config = config(steps);
    config.model.backbone = backbone.parse().expect("a backbone");
    config.model.head = head;
    config.train.ema = 0.0;
    config
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

#[test]
fn every_variable_of_every_combination_is_reached() {
    let values: Vec<f32> = (0..2 * 64 * 64 * 3).map(|i| (i * 7919 % 1009) as f32 / 504.0 - 1.0).collect();
    let images = Tensor::from_vec(values, (2, 64, 64, 3), &Device::Cpu).expect("images");
    let mode = Mode::Train(Randomness { seed: 1, step: 0 });
    for backbone in ["tinyvit-5m-224", "mit-b0", "swin-tiny", "vit-tiny", "dinov2-small-registers"] {
        for head in [HeadKind::AllMlp, HeadKind::SemanticFpn, HeadKind::UperNet] {
            let mut config = chosen(backbone, head, 1).model;
            (config.head_width, config.dropout, config.drop_path) = (Some(8), 0.0, 0.0);
            config.aux_weight = 0.4;
            let segmenter = Segmenter::new(&config, 3, 1, CPU).expect("a segmenter");
            // Norms that begin at zero let nothing through to what is before them.
            for (_, variable) in segmenter.variables().all().iter().filter(|(_, v)| v.is_trainable()) {
                let moved = |(i, v): (usize, &mut f32)| *v += (i * 7919 % 1009) as f32 / 5040.0 - 0.1;
                update_in_place(&variable.var, |v| v.iter_mut().enumerate().for_each(moved)).expect("moved");
            }
            let run = || {
                let found = segmenter.forward_train(&images, mode)?;
                Ok([vec![found.scores], found.auxiliary.into_iter().collect()].concat())
            };
            gradient_reach(segmenter.variables(), run).unwrap_or_else(|e| panic!("{backbone} {head:?}: {e}"));
        }
    }
}

/// A file with these arrays, each filled with its place.
fn weights(path: &Path, arrays: &[(String, Vec<usize>)]) {
    let tensors: Vec<_> = arrays
        .iter()
        .enumerate()
        .map(|(i, (key, shape))| (key.clone(), shape.clone(), vec![i as f32; shape.iter().product()]))
        .collect();
    let data: Vec<_> = tensors.iter().map(|(k, s, v)| (k.clone(), s.clone(), TensorData::F32(v))).collect();
    checkpoint::save(path, &BTreeMap::new(), &data).expect("a file");
}

#[test]
fn a_classifiers_weights_begin_a_segmenter_and_what_is_left_over_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weights.safetensors");
    for (backbone, extra) in [("swin-tiny", "head.fc.weight"), ("vit-tiny", "head.weight")] {
        let model = chosen(backbone, HeadKind::AllMlp, 1).model;
        let mut segmenter = Segmenter::new(&model, 3, 1, CPU).expect("a segmenter");
        // timm's keys are ours; a classifier of Swin's has one norm, not one of every stage.
        let of_backbone = |(key, v): (String, nerve_core::graph::Variable)| {
            Some((key.strip_prefix("backbone.")?.to_owned(), v.var.dims().to_vec()))
        };
        let all = segmenter.variables().all();
        let mut arrays: Vec<_> = all.into_iter().filter_map(of_backbone).collect();
        let before = arrays.len();
        if backbone == "swin-tiny" {
            arrays.retain(|(key, _)| !key.starts_with("norm"));
            arrays.push(("norm.weight".into(), vec![768]));
        }
        arrays.push((extra.into(), vec![5, 7]));
        weights(&file, &arrays);
        let report = segmenter.load_backbone(&file, &model).expect("loaded");
        let fresh = if backbone == "swin-tiny" { 8 } else { 0 };
        assert_eq!((report.loaded, report.fresh.len()), (before - fresh, fresh), "{report}");
        assert!(report.ignored.contains(&extra.to_owned()), "{:?}", report.ignored);
        let key = &arrays[3].0;
        let loaded = segmenter.variables().get(&format!("backbone.{key}")).expect("a variable").var;
        assert!(to_vec(&loaded).iter().all(|v| *v == 3.0), "{key}");

        // Of another backbone, cut, and with one too many.
        let other = chosen("mit-b0", HeadKind::AllMlp, 1).model;
        let mut wrong = Segmenter::new(&other, 3, 1, CPU).expect("a segmenter");
        let error = wrong.load_backbone(&file, &other).expect_err("another model").to_string();
        assert!(error.contains("the weights of mit-b0?") && error.contains("--backbone"), "{error}");
        arrays.remove(3);
        arrays.push(("surprise".into(), vec![2]));
        weights(&file, &arrays);
        let error = segmenter.load_backbone(&file, &model).expect_err("not whole").to_string();
        assert!(error.contains("1 missing") && error.contains("surprise"), "{error}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused_with_a_remedy() {
    let mut one = chosen("swin-tiny", HeadKind::UperNet, 1);
    assert!(one.validate().is_ok());
    one.train.batch = 1;
    let error = one.validate().expect_err("refused").to_string();
    assert!(error.contains("--batch is 1") && error.contains("upernet"), "{error}");
    one.model.head = HeadKind::SemanticFpn;
    assert!(one.validate().is_ok());
    // Its coarsest map is one cell then.
    one.augment.crop = [48, 32];
    assert!(one.validate().expect_err("refused").to_string().contains("crops below 64x64"));
    one.train.batch = 2;
    assert!(one.validate().is_ok());
    for seconds in [f64::INFINITY, 1e20, 0.0, f64::NAN] {
        one.train.run.save_every = seconds;
        assert!(one.validate().expect_err("refused").to_string().contains("--save-every"), "{seconds}");
    }
    one.train.run.save_every = 60.0;
    one.model.head_width = Some(0);
    assert!(one.validate().expect_err("refused").to_string().contains("--head-width"));
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

/// The authors count a merging to the stage before it, and their segmenters have their backbone under its name.
#[test]
fn the_authors_segmenter_begins_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weights.safetensors");
    let model = chosen("swin-tiny", HeadKind::AllMlp, 1).model;
    let mut segmenter = Segmenter::new(&model, 3, 1, CPU).expect("a segmenter");
    let published = |key: &str| {
        (1..4).fold(key.to_owned(), |key, stage| {
            key.replace(
                &format!("backbone.layers.{stage}.downsample"),
                &format!("backbone.layers.{}.downsample", stage - 1),
            )
        })
    };
    let all = segmenter.variables().all();
    let of_backbone = all.iter().filter(|(key, _)| key.starts_with("backbone."));
    let mut arrays: Vec<_> = of_backbone.map(|(key, v)| (published(key), v.var.dims().to_vec())).collect();
    let count = arrays.len();
    arrays.push(("decode_head.conv_seg.weight".into(), vec![150, 512, 1, 1]));
    weights(&file, &arrays);
    let report = segmenter.load_backbone(&file, &model).expect("loaded");
    assert_eq!((report.loaded, report.fresh.len()), (count, 0), "{report}");
}

/// The auxiliary head is trained along by its share of the loss, resumed with the rest, and left out of inference.
#[test]
fn an_auxiliary_head_is_trained_and_only_if_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let with = |aux_weight: f32| {
        let mut config = chosen("mit-b0", HeadKind::UperNet, 4);
        (config.model.aux_weight, config.model.drop_path) = (aux_weight, 0.0);
        config
    };
    let auxiliary = |trainer: &Trainer| -> Vec<(String, Vec<f32>)> {
        let all = trainer.segmenter().variables().trainable().into_iter();
        all.filter(|(key, _)| key.starts_with("auxiliary_head."))
            .map(|(key, var)| (key, to_vec(&var)))
            .collect()
    };
    let mut without = Trainer::new(with(0.0), set.clone(), &counts, CPU).expect("a trainer");
    assert!(auxiliary(&without).is_empty());
    let alone = without.step().expect("a step");
    assert_eq!(alone.parts, [("main".to_owned(), alone.loss)]);

    let mut trainer = Trainer::new(with(0.4), set.clone(), &counts, CPU).expect("a trainer");
    let before = auxiliary(&trainer);
    assert_eq!(before.len(), 5, "a convolution, its norm and a classifier");
    let step = trainer.step().expect("a step");
    let [(main, first), (auxiliary_head, second)] = &step.parts[..] else { panic!("{:?}", step.parts) };
    assert_eq!((main.as_str(), auxiliary_head.as_str()), ("main", "auxiliary"));
    assert!((step.loss - (first + 0.4 * second)).abs() < 1e-5, "{step:?}");
    assert_eq!(*first, alone.loss, "the other head begins the same");
    for ((key, before), (_, after)) in before.iter().zip(auxiliary(&trainer)) {
        assert!(*before != after, "{key} did not move");
    }

    // Resumed as it would have gone on.
    let saved = folder.path().join("checkpoint.safetensors");
    trainer.save(&saved).expect("saved");
    let mut resumed = Trainer::restored(with(0.4), set.clone(), &saved, CPU).expect("restored");
    assert_eq!(trainer.step().expect("a step").loss, resumed.step().expect("a step").loss);
    assert!(state(&trainer, folder.path()) == state(&resumed, folder.path()));
    let error = Trainer::restored(with(0.0), set.clone(), &saved, CPU).err().expect("refused").to_string();
    assert!(error.contains("an auxiliary head (aux_weight above 0)"), "{error}");
    let segmenter = trained(&with(0.4), &set, &saved, CPU).expect("a segmenter");
    let image = ndarray::Array3::from_elem((64, 64, 3), 90u8);
    assert!(predict(&segmenter, image.view(), &Inference::default()).is_ok());
}

/// A frozen backbone stays as it was, with its statistics; it is saved and loaded, and nothing is kept for its training.
#[test]
fn a_frozen_backbone_stays_and_the_head_is_trained() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let mut config = chosen("tinyvit-5m", HeadKind::AllMlp, 4);
    (config.model.freeze_backbone, config.train.ema) = (true, 0.9);
    let mut trainer = Trainer::new(config.clone(), set.clone(), &counts, CPU).expect("a trainer");
    let variables = trainer.segmenter().variables().clone();
    let values = || -> BTreeMap<String, Vec<f32>> {
        variables.all().into_iter().map(|(key, v)| (key, to_vec(&v.var))).collect()
    };
    let before = values();
    (0..2).for_each(|_| assert!(trainer.step().expect("a step").loss.is_finite()));
    let (mut kept, mut moved) = (0, 0);
    for (key, after) in values() {
        let same = before[&key] == after;
        assert_eq!(same, key.starts_with("backbone."), "{key}");
        if same { kept += 1 } else { moved += 1 }
    }
    assert!(kept > 100 && moved > 10, "{kept} kept, {moved} moved");
    let (all, trainable) = (variables.parameters(), variables.trainable_parameters());
    let groups = trainer.groups();
    let frozen: Vec<usize> = groups.iter().filter(|g| g.frozen).map(|g| g.parameters).collect();
    assert_eq!(frozen, [5_071_124], "TinyViT's size");
    assert_eq!((trainable, all), (all - frozen[0], groups.iter().map(|g| g.parameters).sum()));

    let saved = folder.path().join("checkpoint.safetensors");
    trainer.save(&saved).expect("saved");
    let checkpoint = checkpoint::Checkpoint::load(&saved).expect("a checkpoint");
    for (key, variable) in variables.all() {
        assert!(checkpoint.contains(&key), "{key}");
        for kept in ["adam.m", "adam.v", "ema"].map(|prefix| format!("{prefix}/{key}")) {
            assert_eq!(checkpoint.contains(&kept), variable.is_trainable(), "{kept}");
        }
    }
    let mut resumed = Trainer::restored(config, set, &saved, CPU).expect("restored");
    assert_eq!(trainer.step().expect("a step").loss, resumed.step().expect("a step").loss);
    assert!(state(&trainer, folder.path()) == state(&resumed, folder.path()));
}

/// A run can be made on one thread and trained on another.
#[test]
fn runs_can_move_to_another_thread() {
    fn send<T: Send>() {}
    send::<Segmenter>();
    send::<Trainer>();
    send::<nerve_vision::segmentation::Published>();
}
