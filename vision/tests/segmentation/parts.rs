//! Parts of a segmenter that are trained, or not: every variable, auxiliary heads, frozen backbones.
use std::collections::BTreeMap;

use nerve_core::checkpoint;
use nerve_core::graph::{Device, Mode, Randomness, Tensor, to_vec, update_in_place};
use nerve_vision::segmentation::{HeadKind, Inference, Segmenter, Trainer, predict, trained};

use crate::check::gradient_reach;
use crate::support::{CPU, chosen, counts, set, state};

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
