use nerve_core::graph::{Mode, Randomness, Variables, read};

use super::*;
use crate::check::{gradient_reach, images};

fn small(form: SwinForm) -> SwinConfig {
    SwinConfig {
        embed_dim: 8,
        depths: vec![2, 2],
        num_heads: vec![2, 4],
        window_size: 3,
        form,
        ..SwinConfig::tiny()
    }
}

#[test]
fn sizes_are_those_published() {
    for (config, millions) in [
        (SwinConfig::tiny(), 27.5),
        (SwinConfig::small(), 48.8),
        (SwinConfig::base(), 86.7),
        (SwinConfig::large(), 195.0),
    ] {
        let variables = Variables::unset();
        Swin::new(&variables.detached(), &config.with_form(SwinForm::Timm)).expect("a model");
        let found = variables.parameters() as f64 / 1e6;
        assert!((found - millions).abs() < 0.1, "{found} million, not {millions}");
    }
}

#[test]
fn every_variable_has_a_gradient() {
    for form in [SwinForm::Dense, SwinForm::Classifier, SwinForm::Timm] {
        let variables = Variables::random(3);
        let model = Swin::new(&variables.tracked(), &small(form)).expect("a model");
        gradient_reach(&variables, || model.maps(&images(37, 50), Mode::Eval)).expect("all are reached");
    }
}

#[test]
fn training_drops_branches() {
    let variables = Variables::random(3);
    let config = SwinConfig { drop_path_rate: 0.6, ..small(SwinForm::Dense) };
    let model = Swin::new(&variables.detached(), &config).expect("a model");
    let images = images(24, 24);
    let run = |mode| {
        let maps = model.maps(&images, mode).expect("maps");
        read(&maps[1].contiguous().expect("contiguous")).expect("values").to_vec()
    };
    let train = |step| Mode::Train(Randomness { seed: 1, step });
    assert_eq!(run(Mode::Eval), run(Mode::Eval));
    assert_eq!(run(train(1)), run(train(1)));
    assert!(run(train(1)) != run(Mode::Eval) && run(train(1)) != run(train(2)));
}

#[test]
fn what_cannot_be_is_said() {
    let scope = Variables::unset().detached();
    for (config, field) in [
        (SwinConfig { num_heads: vec![2], ..small(SwinForm::Dense) }, "num_heads"),
        (SwinConfig { num_heads: vec![2, 3], ..small(SwinForm::Dense) }, "3 heads"),
        (SwinConfig { window_size: 0, ..small(SwinForm::Dense) }, "window_size"),
        (SwinConfig { out_indices: Some(vec![0, 1]), ..small(SwinForm::Dense) }, "out_indices"),
        (SwinConfig { use_absolute_embeddings: true, ..small(SwinForm::Dense) }, "use_absolute_embeddings"),
    ] {
        let error = Swin::new(&scope, &config).expect_err("it cannot be").to_string();
        assert!(error.contains(field), "{error}");
    }
}
