use nerve_core::graph::{Device, Mode, Randomness, Tensor, Variables};

use super::Head;
use super::fcn::{FcnHead, FcnHeadConfig};
use super::semantic_fpn::{SemanticFpn, SemanticFpnConfig};
use super::uper_net::{UperNetHead, UperNetHeadConfig};
use crate::backbones::Level;
use crate::check::gradient_reach;

const TRAIN: Mode = Mode::Train(Randomness { seed: 1, step: 0 });

fn maps() -> Vec<Tensor> {
    let map = |(channels, height, width): (usize, usize, usize)| {
        let values = (0..2 * height * width * channels).map(|i| (i * 7919 % 1009) as f32 / 504.0 - 1.0);
        Tensor::from_vec(values.collect::<Vec<_>>(), (2, height, width, channels), &Device::Cpu)
            .expect("a map")
    };
    [(3, 13, 18), (4, 7, 9), (5, 4, 5)].map(map).to_vec()
}

#[test]
fn every_variable_has_a_gradient() {
    let config =
        UperNetHeadConfig { inputs: vec![3, 4, 5], channels: 6, pool_scales: vec![1, 2, 6], classes: 4 };
    for mode in [Mode::Eval, TRAIN] {
        let variables = Variables::random(5);
        let head = UperNetHead::new(&variables.tracked(), &config).expect("a head");
        gradient_reach(&variables, || Ok(vec![head.forward(&maps(), mode)?])).expect("UPerNet");

        let variables = Variables::random(5);
        let config = FcnHeadConfig { inputs: 4, channels: 6, convs: 2, concat_input: true, classes: 3 };
        let head = FcnHead::new(&variables.tracked(), &config).expect("a head");
        gradient_reach(&variables, || Ok(vec![head.forward(&maps()[1], mode)?])).expect("FCN");

        let variables = Variables::random(5);
        let levels = [(3, 4), (4, 8), (5, 16)].map(|(channels, stride)| Level { channels, stride });
        let config =
            SemanticFpnConfig { pyramid: 6, channels: 6, ..SemanticFpnConfig::new(levels.to_vec(), 3) };
        let head = SemanticFpn::new(&variables.tracked(), &config).expect("a head");
        gradient_reach(&variables, || Ok(vec![head.forward(&maps(), mode)?])).expect("Semantic FPN");
    }
}

#[test]
fn what_cannot_be_is_said() {
    let scope = Variables::unset().detached();
    let config = UperNetHeadConfig { inputs: vec![3, 4], channels: 6, pool_scales: vec![1], classes: 4 };
    let head = UperNetHead::new(&scope, &config).expect("a head");
    let error = head.forward(&maps(), Mode::Eval).expect_err("a map too many").to_string();
    assert!(error.contains("3 maps, not 2"), "{error}");
    let scope = Variables::unset().detached();
    let levels = vec![Level { channels: 3, stride: 4 }, Level { channels: 4, stride: 12 }];
    let error =
        SemanticFpn::new(&scope, &SemanticFpnConfig::new(levels, 3)).expect_err("strides").to_string();
    assert!(error.contains("strides 4 and 12"), "{error}");
}
