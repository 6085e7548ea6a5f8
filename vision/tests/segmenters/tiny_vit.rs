//! TinyViT against MobileSAM's published code and timm's (`../fixtures/make_tiny_vit.py`).

use crate::support::{Fixture, noise, shared, weighted};
use nerve_core::graph::{Error, Gradients, Mode, Randomness, Tensor, Variables, differentiate, read};
use nerve_vision::backbones::Backbone;
use nerve_vision::backbones::tiny_vit::{Neck, TinyVit, TinyVitConfig, TinyVitKeys};
use nerve_vision::load::{Destination, Keys, LoadReport, WeightSource, load};

const TRAIN: Mode = Mode::Train(Randomness { seed: 1, step: 1 });

fn small() -> TinyVitConfig {
    TinyVitConfig {
        embed_dims: [8, 16, 24, 32],
        depths: [1, 2, 1, 1],
        num_heads: [2, 2, 3, 4],
        window_sizes: [3, 3, 4, 3],
        mlp_ratio: 2,
        ..TinyVitConfig::default()
    }
}

#[test]
fn stages_and_neck_are_those_of_the_published_code() {
    let variables = Variables::unset();
    let trunk = TinyVit::new(&variables.detached(), &small()).expect("a trunk");
    let neck = Neck::new(&variables.detached(), 32, 12).expect("a neck");
    let mut fixture = Fixture::open("tiny_vit.safetensors");
    fixture.load(&variables, &TinyVitKeys { neck: true });
    for (height, width, batch) in [(48, 48, 2), (48, 80, 1)] {
        let maps = trunk.maps(&noise(&[batch, height, width, 3]), Mode::Eval).expect("maps");
        for (i, map) in maps.iter().enumerate() {
            fixture.agrees(&format!("{height}x{width}.map{i}"), map);
        }
        fixture.agrees(&format!("{height}x{width}.neck"), &neck.forward(&maps[3]).expect("an embedding"));
    }
}

#[test]
fn stages_and_gradients_are_those_of_timm() {
    let config = TinyVitConfig { last_stride: 2, ..small() };
    let variables = Variables::unset();
    let trunk = TinyVit::new(&variables.tracked(), &config).expect("a trunk");
    let mut fixture = Fixture::open("tiny_vit_timm.safetensors");
    fixture.load(&variables, &TinyVitKeys { neck: false });
    for (height, width) in [(50, 71), (96, 64)] {
        let maps = trunk.maps(&noise(&[2, height, width, 3]), Mode::Eval).expect("maps");
        for (i, map) in maps.iter().enumerate() {
            fixture.agrees(&format!("{height}x{width}.map{i}"), map);
        }
    }
    let mut gradients = Gradients::default();
    let loss = || Ok::<_, Error>(weighted(&trunk.maps(&noise(&[2, 50, 71, 3]), TRAIN)?));
    differentiate(&mut gradients, loss).expect("gradients");
    let mut compared = 0;
    for name in fixture.names("gradient.") {
        let Destination::Variable(key) = (TinyVitKeys { neck: false }).destination(&name) else {
            panic!("{name} is no variable");
        };
        let var = variables.get(&key).expect("a variable").var;
        fixture.near(&format!("gradient.{name}"), gradients.get(&var).expect("a gradient"));
        compared += 1;
    }
    let trainable = variables.all().iter().filter(|(_, v)| v.is_trainable()).count();
    assert_eq!(compared, trainable);
}

/// The real weights, by an independent run of the published model.
#[test]
fn mobile_sam_encodes_as_published() {
    let Some(path) = shared("mobile_sam_encodes_as_published", "weights/mobile_sam_encoder.safetensors")
    else {
        return;
    };
    let variables = Variables::unset();
    let config = TinyVitConfig::default();
    let trunk = TinyVit::new(&variables.detached(), &config).expect("a trunk");
    let neck = Neck::new(&variables.detached(), config.embed_dims[3], Neck::MOBILE_SAM).expect("a neck");
    let mut source = WeightSource::open(&path).expect("the weights");
    load(&variables, "", &mut source, &TinyVitKeys { neck: true })
        .and_then(LoadReport::strict)
        .expect("a strict load");
    let mut fixture = Fixture::open("mobile_sam.safetensors");
    for (height, width, step) in [(64, 96, 2), (240, 304, 97)] {
        let maps = trunk.maps(&noise(&[1, height, width, 3]), Mode::Eval).expect("maps");
        let neck = neck.forward(&maps[3]).expect("an embedding");
        let mut compare = |name: &str, map: &Tensor| {
            let values: Vec<f32> = read(map).expect("values").iter().copied().step_by(step).collect();
            fixture.near(&format!("{height}x{width}.{name}"), &values);
        };
        for (i, map) in maps.iter().enumerate() {
            compare(&format!("map{i}"), map);
        }
        compare("neck", &neck);
    }
    // Without the neck its weights are known, and not needed.
    let variables = Variables::unset();
    TinyVit::new(&variables.detached(), &config).expect("a trunk");
    load(&variables, "", &mut source, &TinyVitKeys { neck: false })
        .and_then(LoadReport::strict)
        .expect("a strict load");
}

#[test]
fn sizes_are_those_of_the_paper() {
    for config in [TinyVitConfig::default(), TinyVitConfig::timm()] {
        let variables = Variables::random(1);
        let trunk = TinyVit::new(&variables.detached(), &config).expect("a trunk");
        assert_eq!(variables.parameters(), 5_071_124);
        let maps = trunk.maps(&noise(&[1, 65, 34, 3]), Mode::Eval).expect("maps");
        let sizes: Vec<&[usize]> = maps.iter().map(Tensor::dims).collect();
        let last: &[usize] = if config.last_stride == 1 { &[1, 5, 3, 320] } else { &[1, 3, 2, 320] };
        assert_eq!(sizes, [&[1, 17, 9, 64][..], &[1, 9, 5, 128], &[1, 5, 3, 160], last]);
    }
}
