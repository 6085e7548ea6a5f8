//! Segmenters that are guided by language: with vectors of a file, and with a CLIP's text encoder.
use std::path::{Path, PathBuf};

use nerve_core::graph::{Device, Mode, Randomness, Tensor, to_vec};
use nerve_vision::segmentation::{HeadKind, Inference, Method, SegConfig, Trainer, predict, trained_alone};

use crate::check::gradient_reach;
use crate::support::{CPU, config, counts, set, state};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A file of vectors for these classes.
fn vectors(path: &Path, names: &[String]) {
    let (rows, channels) = (names.len(), 16);
    let names = serde_json::to_string(names).expect("JSON");
    let header = serde_json::json!({
        "__metadata__": {"names": names},
        "embeddings": {"dtype": "F32", "shape": [rows, channels], "data_offsets": [0, 4 * rows * channels]},
    });
    let header = header.to_string().into_bytes();
    let values = (0..rows * channels).flat_map(|i| ((i * 7919 % 101) as f32 / 50.0 - 1.0).to_le_bytes());
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &values.collect::<Vec<_>>()].concat();
    std::fs::write(path, file).expect("a file");
}

/// A tokenizer of single words for the small CLIP of the fixtures, which knows twenty tokens.
fn tokenizer(path: &Path, names: &[String]) {
    let mut vocabulary = serde_json::json!({"<|startoftext|>": 18, "<|endoftext|>": 19, "?": 0});
    for (i, name) in names.iter().enumerate() {
        vocabulary[name] = (i + 1).into();
    }
    let tokenizer = serde_json::json!({
        "version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "?"},
    });
    std::fs::write(path, tokenizer.to_string()).expect("a file");
}

fn guided(steps: u64, text: PathBuf) -> SegConfig {
    let mut config = config(steps);
    config.model.method = Method::DenseClip;
    config.model.head = HeadKind::SemanticFpn;
    config.model.language.text = Some(text);
    config.train.ema = 0.0;
    config
}

#[test]
fn vectors_of_a_file_guide_a_run_that_needs_it_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let names: Vec<String> = set.classes.iter().map(|class| class.name.clone()).collect();
    let file = folder.path().join("vectors.safetensors");
    vectors(&file, &names);
    let mut config = guided(12, file.clone());
    (config.train.lr, config.train.head_lr) = (1e-3, 5e-3);
    config.model.dropout = 0.0;
    let mut trainer = Trainer::new(config.clone(), set.clone(), &counts, CPU).expect("a trainer");
    let saved = folder.path().join("checkpoint.safetensors");
    let mut losses = Vec::new();
    for step in 0..12 {
        if step == 6 {
            trainer.save(&saved).expect("saved");
        }
        let step = trainer.step().expect("a step");
        let names: Vec<&str> = step.parts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["main", "language"]);
        losses.push(step.loss);
    }
    let end = state(&trainer, folder.path());
    assert!(losses[9..].iter().sum::<f64>() < 0.9 * losses[..3].iter().sum::<f64>(), "{losses:?}");
    // The checkpoint has all that it needs.
    std::fs::remove_file(&file).expect("removed");
    let mut again = Trainer::restored(config.clone(), set.clone(), &saved, CPU).expect("restored");
    (6..12).for_each(|_| drop(again.step().expect("a step")));
    assert!(state(&again, folder.path()) == end, "a resumed run differs");
    let (segmenter, classes) = trained_alone(&config, &saved, CPU).expect("a segmenter").expect("classes");
    let found =
        predict(&segmenter, ndarray::Array3::from_elem((50, 75, 3), 90u8).view(), &Inference::default());
    assert_eq!((found.expect("labels").labels.dim(), classes.len()), ((50, 75), names.len()));
    config.model.method = Method::Plain;
    let error = Trainer::restored(config, set, &saved, CPU).err().expect("another model").to_string();
    assert!(error.contains("denseclip with class vectors"), "{error}");
}

#[test]
fn a_frozen_text_encoder_stays_to_the_bit_and_all_else_has_gradients() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = set(&folder.path().join("labels"));
    let counts = counts(&set);
    let names: Vec<String> = set.classes.iter().map(|class| class.name.clone()).collect();
    let words = folder.path().join("tokenizer.json");
    tokenizer(&words, &names);
    let mut config = guided(50, fixture("clip_open.safetensors"));
    config.model.language.contexts = 4;
    let error =
        Trainer::new(config.clone(), set.clone(), &counts, CPU).err().expect("no tokenizer").to_string();
    assert!(error.contains("--tokenizer"), "{error}");
    config.model.language.tokenizer = Some(words);
    let mut trainer = Trainer::new(config, set, &counts, CPU).expect("a trainer");

    let values = |trainer: &Trainer, prefix: &str| -> Vec<Vec<f32>> {
        let all = trainer.segmenter().variables().all();
        all.into_iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, v)| to_vec(&v.var)).collect()
    };
    let parts = ["language.text.", "language.tokens", "language.contexts", "language.gamma", "backbone."];
    let before = parts.map(|part| values(&trainer, part));
    (0..50).for_each(|_| assert!(trainer.step().expect("a step").loss.is_finite()));
    let after = parts.map(|part| values(&trainer, part));
    assert!(before[0].len() > 20 && before[..2] == after[..2], "what is frozen has moved");
    assert!((2..5).all(|part| before[part] != after[part]), "what is trained has not moved");

    // A backbone's blocks begin with factors of zero, so only now.
    let values: Vec<f32> = (0..2 * 64 * 64 * 3).map(|i| (i * 7919 % 1009) as f32 / 504.0 - 1.0).collect();
    let images = Tensor::from_vec(values, (2, 64, 64, 3), &Device::Cpu).expect("images");
    let segmenter = trainer.segmenter();
    gradient_reach(segmenter.variables(), || {
        let found = segmenter.forward_train(&images, Mode::Train(Randomness { seed: 1, step: 0 }))?;
        Ok(vec![found.scores, found.score_map.expect("a score map")])
    })
    .expect("all are reached");
}
