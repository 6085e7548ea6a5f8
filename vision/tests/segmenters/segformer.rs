//! MiT and SegFormer against Hugging Face's (`../fixtures/make_mit.py`).

use crate::support::{Fixture, noise, weighted};
use nerve_core::graph::{Error, Gradients, Mode, Randomness, Variables, differentiate, read};
use nerve_vision::backbones::Backbone;
use nerve_vision::backbones::mit::{Mit, MitConfig};
use nerve_vision::segformer::{Segformer, SegformerConfig, SegformerKeys};

const TRAIN: Mode = Mode::Train(Randomness { seed: 1, step: 1 });

fn small(hidden: [usize; 4], heads: [usize; 4], channels: usize) -> SegformerConfig {
    let encoder = MitConfig {
        hidden_sizes: hidden.to_vec(),
        num_attention_heads: heads.to_vec(),
        depths: vec![1, 2, 1, 1],
        mlp_ratios: vec![2, 3, 2, 2],
        ..MitConfig::default()
    };
    SegformerConfig { encoder, decoder_hidden_size: channels, ..SegformerConfig::b(0, 5).expect("B0") }
}

#[test]
fn maps_and_scores_are_those_of_hugging_face() {
    let config = small([8, 16, 24, 32], [1, 2, 3, 4], 16);
    let variables = Variables::unset();
    let scope = variables.detached();
    let model = Segformer::new(&scope, &config).expect("a model");
    let mut fixture = Fixture::open("mit.safetensors");
    fixture.load(&variables, &SegformerKeys);
    let encoder = Mit::new(&scope.at("segformer"), &config.encoder).expect("its encoder");
    for (height, width, batch) in [(64, 96, 2), (50, 71, 1)] {
        let x = noise(&[batch, height, width, 3]);
        for (i, map) in encoder.maps(&x, Mode::Eval).expect("maps").iter().enumerate() {
            fixture.agrees(&format!("{height}x{width}.map{i}"), map);
        }
        let logits = model.forward(&x, Mode::Eval).expect("scores");
        fixture.agrees(&format!("{height}x{width}.logits"), &logits);
    }
}

#[test]
fn gradients_are_those_of_pytorch() {
    let mut config = small([8, 8, 12, 16], [1, 2, 3, 2], 8);
    config.encoder.sr_ratios = vec![4, 2, 2, 1];
    config.encoder.drop_path_rate = 0.0;
    config.classifier_dropout_prob = 0.0;
    let variables = Variables::unset();
    let model = Segformer::new(&variables.tracked(), &config).expect("a model");
    let mut fixture = Fixture::open("mit_gradients.safetensors");
    fixture.load(&variables, &SegformerKeys);
    for (name, mode) in [("eval", Mode::Eval), ("train", TRAIN)] {
        let mut gradients = Gradients::default();
        // Once: a norm's running statistics follow every pass.
        let loss = || {
            let logits = model.forward(&noise(&[2, 41, 54, 3]), mode)?;
            fixture.agrees(&format!("{name}.logits"), &logits);
            Ok::<_, Error>(weighted(&[logits]))
        };
        differentiate(&mut gradients, loss).expect("gradients");
        let mut compared = 0;
        for (key, variable) in variables.all().iter().filter(|(_, v)| v.is_trainable()) {
            let ours = gradients.get(&variable.var).unwrap_or_else(|| panic!("no gradient of {key}"));
            let stored = format!("{name}.{key}");
            compared += 1;
            // Softmax does not see what all keys have in common, nor does a norm over the batch see what a map has
            // everywhere: these are zero but for rounding.
            let everywhere = key.contains("linear_c.") || key.ends_with("encoder.layer_norm.3.bias");
            let lost =
                key.ends_with("self.key.bias") || name == "train" && everywhere && key.ends_with("bias");
            if lost {
                let weight = stored.replace(".bias", ".weight");
                let scale = fixture.values(&weight).iter().fold(0f64, |m, v| m.max(v.abs()));
                let most = ours.iter().fold(0f32, |m, v| m.max(v.abs()));
                assert!(f64::from(most) < 1e-5 * scale, "{stored}: {most}, of the weight {scale}");
            } else {
                fixture.near(&stored, ours);
            }
        }
        assert!(compared > 100, "{compared} variables");
    }
    for (stored, key) in [("mean", "running_mean"), ("var", "running_var")] {
        let var = variables.get(&format!("decode_head.batch_norm.{key}")).expect("a buffer").var;
        fixture.near(stored, &read(&var).expect("values"));
    }
}

#[test]
fn published_sizes_have_their_parameters() {
    let expected = [
        (3_319_392, 3_752_694),
        (13_151_424, 13_715_798),
        (24_196_288, 27_461_974),
        (44_072_128, 47_337_814),
        (60_842_688, 64_108_374),
        (81_443_008, 84_708_694),
    ];
    for (size, (encoder, whole)) in expected.into_iter().enumerate() {
        let config = SegformerConfig::b(size, 150).expect("a size");
        let variables = Variables::unset();
        Mit::new(&variables.detached().at("segformer"), &config.encoder).expect("an encoder");
        assert_eq!(variables.parameters(), encoder, "B{size}");
        Segformer::new(&variables.detached(), &config).expect("a model");
        assert_eq!(variables.parameters(), whole, "B{size}");
    }
}

#[test]
fn images_too_small_are_refused() {
    let variables = Variables::random(1);
    let model = Mit::new(&variables.detached(), &MitConfig::default()).expect("a model");
    model.maps(&noise(&[1, 29, 29, 3]), Mode::Eval).expect("the least");
    assert!(model.maps(&noise(&[1, 28, 29, 3]), Mode::Eval).is_err());
}
