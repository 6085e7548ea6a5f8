use nerve_core::graph::{Mode, Variables};
use nerve_vision::backbones::swin::{Swin, SwinConfig, SwinForm, SwinKeys};
use nerve_vision::load::{LoadReport, WeightSource, load};

use crate::common::{Cases, agree, agree_all, gradients_agree, weights};

fn build(source: &mut WeightSource, config: &SwinConfig) -> (Variables, Swin) {
    let variables = Variables::unset();
    let model = Swin::new(&variables.tracked(), config).expect("a model");
    let keys = SwinKeys::of(source, "", config);
    load(&variables, "", source, &keys).and_then(LoadReport::strict).expect("a strict load");
    (variables, model)
}

fn compare(model: &Swin, cases: &mut Cases) {
    assert!(cases.count() >= 2);
    for i in 0..cases.count() {
        let features = model.forward(&cases.tensor(&format!("{i}.image")), Mode::Eval).expect("features");
        agree_all(&format!("case {i}, map"), &features.maps, &cases.numbered(&format!("{i}.map")));
        if let Some(last) = features.last {
            let wanted = cases.tensor(&format!("{i}.last"));
            agree(&format!("case {i}, last"), &last.reshape(wanted.dims()).expect("a shape"), &wanted);
        }
    }
}

#[test]
fn timm() {
    let config = SwinConfig {
        embed_dim: 8,
        depths: vec![2, 2, 2],
        num_heads: vec![1, 2, 4],
        window_size: 3,
        form: SwinForm::Timm,
        ..SwinConfig::tiny()
    };
    let (variables, model) = build(&mut weights("swin_timm.safetensors"), &config);
    let mut cases = Cases::open("swin_timm_cases.safetensors");
    compare(&model, &mut cases);
    let (image, weights) = (cases.tensor("1.image"), cases.numbered("1.weight"));
    gradients_agree(&mut cases, &variables, &weights, || Ok(model.forward(&image, Mode::Eval)?.maps));
}

#[test]
fn hugging_face() {
    let mut source = weights("swin_hf");
    let config: SwinConfig = source.config().expect("a configuration").expect("a file");
    let config = SwinConfig { out_indices: None, ..config.with_form(SwinForm::Classifier) };
    let (_, model) = build(&mut source, &config);
    compare(&model, &mut Cases::open("swin_hf_cases.safetensors"));
}

#[test]
fn hugging_face_backbone() {
    let mut source = weights("swin_backbone");
    let config: SwinConfig = source.config().expect("a configuration").expect("a file");
    assert_eq!(config.out_indices.as_deref(), Some(&[1, 2, 3][..]));
    let (_, model) = build(&mut source, &config);
    compare(&model, &mut Cases::open("swin_backbone_cases.safetensors"));
}
