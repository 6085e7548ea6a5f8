use nerve_core::graph::{Mode, Variables};
use nerve_vision::backbones::vit::{Positions, PublishedVit, Vit, VitConfig, VitKeys};
use nerve_vision::load::{LoadReport, WeightSource, load};

use crate::common::{Cases, agree, agree_all, gradients_agree, weights};

fn build(source: &mut WeightSource, config: &VitConfig) -> (Variables, Vit) {
    let variables = Variables::unset();
    let model = Vit::new(&variables.tracked(), config).expect("a model");
    let keys = VitKeys::of(source, config);
    load(&variables, "", source, &keys).and_then(LoadReport::strict).expect("a strict load");
    (variables, model)
}

fn compare(model: &Vit, cases: &mut Cases) {
    assert!(cases.count() >= 1);
    for i in 0..cases.count() {
        let features = model.forward(&cases.tensor(&format!("{i}.image")), Mode::Eval).expect("features");
        agree_all(&format!("case {i}, map"), &features.maps, &cases.numbered(&format!("{i}.map")));
        agree(&format!("case {i}, tokens"), &features.tokens, &cases.tensor(&format!("{i}.tokens")));
    }
}

/// As in `make_vit.py`.
fn small() -> VitConfig {
    VitConfig {
        image: [32, 32],
        dim: 24,
        depth: 3,
        heads: 3,
        hidden: 96,
        out: Some(vec![0, 1, 2]),
        ..VitConfig::tiny(8)
    }
}

#[test]
fn timm() {
    let (variables, model) = build(&mut weights("vit_timm.safetensors"), &small());
    let mut cases = Cases::open("vit_timm_cases.safetensors");
    compare(&model, &mut cases);
    let (image, weights) = (cases.tensor("1.image"), cases.numbered("1.weight"));
    gradients_agree(&mut cases, &variables, &weights, || {
        let features = model.forward(&image, Mode::Eval)?;
        Ok([&features.maps[..], &[features.tokens]].concat())
    });
}

#[test]
fn timm_with_registers_and_bare() {
    let registers =
        VitConfig { registers: 2, positions: Positions::Patches, layer_scale: Some(0.1), ..small() };
    let bare = VitConfig { class_token: false, pre_norm: true, qkv_bias: false, ..small() };
    for (name, config) in [("registers", registers), ("bare", bare)] {
        let (_, model) = build(&mut weights(&format!("vit_{name}.safetensors")), &config);
        compare(&model, &mut Cases::open(&format!("vit_{name}_cases.safetensors")));
    }
}

#[test]
fn hugging_face() {
    for name in ["vit_hf", "dinov2", "dinov2_registers"] {
        let mut source = weights(name);
        let published: PublishedVit = source.config().expect("a configuration").expect("a file");
        let config = VitConfig::try_from(published).expect("a configuration");
        let config = VitConfig { out: Some(vec![0, 1, 2]), ..config };
        let (_, model) = build(&mut source, &config);
        compare(&model, &mut Cases::open(&format!("{name}_cases.safetensors")));
    }
}

/// A file whose positions are for another image size than the model's: as the model resamples them.
#[test]
fn positions_are_resized_on_loading() {
    let (_, wanted) = build(&mut weights("vit_timm.safetensors"), &small());
    let config = VitConfig { image: [40, 56], ..small() };
    let (_, model) = build(&mut weights("vit_timm.safetensors"), &config);
    let image = Cases::open("vit_timm_cases.safetensors").tensor("1.image");
    let run = |model: &Vit| model.forward(&image, Mode::Eval).expect("features").tokens;
    agree("tokens", &run(&model), &run(&wanted));
}
