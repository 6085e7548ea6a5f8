use nerve_core::graph::{DType, Device, Mode, Variables};

use super::*;
use crate::backbones::Features;
use crate::clip::{AttentionPoolConfig, ProjectionConfig};
use nerve_core::graph::Tensor;

#[test]
fn decoders_have_the_published_size() {
    for (embed, millions) in [(1024, 3.95), (512, 3.55)] {
        let variables = Variables::unset();
        ContextDecoder::new(&variables.detached(), &DecoderSize::default(), embed, embed).expect("a decoder");
        let found = variables.parameters() as f64 / 1e6;
        assert!((found - millions).abs() < 0.005, "{found} million, not {millions}");
    }
}

fn shape(prompting: Prompting) -> LanguageShape {
    LanguageShape {
        classes: 2,
        text: TextShape::Vectors(8),
        projection: ProjectionConfig::Pool(AttentionPoolConfig::new(6, 8, [2, 2])),
        own_projection: false,
        prompting,
        decoder: DecoderSize { width: 8, heads: 2, layers: 1, dropout: 0.0 },
        contexts: 0,
        class_contexts: false,
    }
}

/// Without prompting the given vectors are compared as they are, their length being of no account.
#[test]
fn given_vectors_are_compared_by_their_direction() {
    let variables = Variables::random(1);
    let language = Language::new(&variables.tracked(), &shape(Prompting::Off)).expect("a branch");
    let features = || {
        let values: Vec<f32> = (0..24).map(|i| ((i * 7 % 11) as f32) / 5.0 - 1.0).collect();
        let map = Tensor::from_vec(values, (1, 2, 2, 6), &Device::Cpu).expect("a map");
        Features { maps: vec![map], global: None, last: None }
    };
    let with = |vectors: Vec<f32>| {
        let vectors = Tensor::from_vec(vectors, (2, 8), &Device::Cpu).expect("vectors");
        variables.get("vectors").expect("a buffer").var.set(&vectors).expect("set");
        let found = language.forward(&features(), Mode::Eval).expect("a score map").scores;
        found.flatten_all().and_then(|s| s.to_vec1::<f32>()).expect("values")
    };
    let mut vectors: Vec<f32> = (0..16).map(|i| ((i * 5 % 7) as f32) - 3.0).collect();
    let once = with(vectors.clone());
    vectors[8..].iter_mut().for_each(|v| *v *= -3.0);
    let other = with(vectors);
    for (place, (a, b)) in once.iter().zip(&other).enumerate() {
        let wanted = if place % 2 == 0 { *a } else { -*a };
        assert!((b - wanted).abs() < 1e-5 && a.abs() <= 1.0, "{place}: {a} {b}");
    }
}

#[test]
fn what_cannot_be_is_said() {
    let scope = Variables::unset().detached();
    let error = Language::new(&scope, &shape(Prompting::Pre)).expect_err("no encoder").to_string();
    assert!(error.contains("--text"), "{error}");
    let other = LanguageShape { text: TextShape::Vectors(9), ..shape(Prompting::Off) };
    let error = Language::new(&scope, &other).expect_err("other channels").to_string();
    assert!(error.contains("8 channels, texts of 9"), "{error}");
    let zeros = Tensor::zeros((1, 2, 2, 5), DType::F32, &Device::Cpu).expect("a map");
    let language = Language::new(&scope.at("ok"), &shape(Prompting::Off)).expect("a branch");
    let features = Features { maps: vec![zeros], global: None, last: None };
    assert!(language.forward(&features, Mode::Eval).is_err());
}
