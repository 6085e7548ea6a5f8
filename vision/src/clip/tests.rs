use nerve_core::graph::{DType, Device, Variables};

use super::*;
use crate::activation::Activation;
use crate::backbones::clip_resnet::ClipResNetConfig;
use crate::backbones::vit::VitConfig;
use crate::check::gradient_reach;
use crate::text::ClipTextConfig;

#[test]
fn sizes_are_those_published() {
    for (config, parameters) in [
        (ClipConfig::rn50(), 102_007_137),
        (ClipConfig::rn101(), 119_688_033),
        (ClipConfig::rn50x4(), 178_300_601),
        (ClipConfig::vit_b32(), 151_277_313),
        (ClipConfig::vit_b16(), 149_620_737),
        (ClipConfig::vit_l14(), 427_616_513),
    ] {
        let variables = Variables::unset();
        Clip::new(&variables.detached(), &config).expect("a model");
        assert_eq!(variables.parameters(), parameters, "{config:?}");
    }
}

fn small(image: ImageConfig) -> ClipConfig {
    let text = ClipTextConfig {
        vocabulary: 20,
        length: 9,
        heads: 2,
        depth: 1,
        hidden: 24,
        ..ClipTextConfig::new(12, 8)
    };
    ClipConfig { image, text }
}

fn images() -> Tensor {
    crate::check::images(64, 96)
}

#[test]
fn both_kinds_make_vectors_of_wholes_and_places() {
    let vit =
        VitConfig { image: [64; 2], dim: 12, depth: 2, heads: 3, hidden: 24, ..VitConfig::base(16).clip() };
    let net = ClipResNetConfig { layers: [1; 4], width: 4, image: 64, embed: 8 };
    for (image, grid) in [(ImageConfig::Vit(vit), [4, 6]), (ImageConfig::ResNet(net), [2, 3])] {
        let variables = Variables::random(2);
        let clip = Clip::new(&variables.tracked(), &small(image)).expect("a model");
        let run = || {
            let Embedded { global, map } = clip.image(&images(), Mode::Eval)?;
            assert_eq!((global.dims(), map.dims()), (&[2, 8][..], &[2, grid[0], grid[1], 8][..]));
            let text = clip.text().forward(&[vec![18, 3, 19]])?;
            Ok(vec![global, map, text, clip.logit_scale().clone()])
        };
        gradient_reach(&variables, run).expect("all are reached");
    }
}

#[test]
fn the_activation_is_that_of_both_encoders() {
    let config = ClipConfig::vit_b32().with_activation(Activation::Gelu);
    assert_eq!(config.text.activation, Activation::Gelu);
    assert!(matches!(config.image, ImageConfig::Vit(vit) if vit.activation == Activation::Gelu));
}

#[test]
fn a_pool_for_another_map_is_refused() {
    let config = AttentionPoolConfig::new(320, 8, [7, 7]);
    assert_eq!((config.heads, AttentionPoolConfig::new(96, 8, [7, 7]).heads), (5, 3));
    let pool = AttentionPool::new(&Variables::unset().detached(), &config).expect("a pool");
    let map = Tensor::zeros((1, 2, 2, 64), DType::F32, &Device::Cpu).expect("a map");
    assert!(pool.forward(&map).expect_err("other channels").to_string().contains("64 channels, not 320"));
    let broken = AttentionPoolConfig { heads: 3, ..config };
    assert!(AttentionPool::new(&Variables::unset().detached(), &broken).is_err());
}
