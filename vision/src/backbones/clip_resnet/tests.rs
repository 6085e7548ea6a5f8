use nerve_core::graph::{Randomness, Variables};

use super::*;
use crate::check::{gradient_reach, images};

fn small() -> ClipResNetConfig {
    ClipResNetConfig { layers: [1, 2, 1, 1], width: 4, image: 64, embed: 8 }
}

#[test]
fn maps_have_their_strides_and_every_variable_a_gradient() {
    let variables = Variables::random(3);
    let model = ClipResNet::new(&variables.tracked(), &small()).expect("a model");
    let mode = Mode::Train(Randomness { seed: 1, step: 0 });
    let run = || {
        let maps = model.forward(&images(64, 96), mode)?;
        for (map, level) in maps.iter().zip(model.levels()) {
            assert_eq!(map.dims(), [2, 64 / level.stride, 96 / level.stride, level.channels]);
        }
        Ok(maps)
    };
    gradient_reach(&variables, run).expect("all are reached");
    assert_eq!(model.branches().len(), 5);
}

#[test]
fn what_cannot_be_is_said() {
    let scope = Variables::unset().detached();
    for config in [
        ClipResNetConfig { layers: [1, 0, 1, 1], ..small() },
        ClipResNetConfig { width: 5, ..small() },
        ClipResNetConfig { image: 16, ..small() },
    ] {
        let error = ClipResNet::new(&scope, &config).expect_err("it cannot be").to_string();
        assert!(error.contains("not possible"), "{error}");
    }
}
