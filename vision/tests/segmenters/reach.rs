//! Every trainable variable of whole segmenters receives a gradient.
use nerve_core::graph::{Mode, Randomness, Tensor, Variables, read};
use nerve_vision::backbones::Backbone;
use nerve_vision::backbones::mit::{Mit, MitConfig};
use nerve_vision::backbones::tiny_vit::{TinyVit, TinyVitConfig};
use nerve_vision::heads::Head;
use nerve_vision::heads::all_mlp::{AllMlp, AllMlpConfig};
use nerve_vision::segformer::{Segformer, SegformerConfig};

use crate::check::gradient_reach;
use crate::support::noise;

/// Moves every variable away from where it begins: norms that begin at zero hide what is before them.
fn stir(variables: &Variables) {
    for (_, variable) in variables.all() {
        let var = &variable.var;
        let moved = (noise(var.dims()) * 0.1).and_then(|moved| moved + var.as_tensor()).expect("values");
        if variable.is_trainable() {
            var.set(&moved).expect("set");
        }
        assert!(read(var).expect("values").iter().any(|v| *v != 0.0) || !variable.is_trainable());
    }
}

#[test]
fn segformer_learns_everywhere() {
    let config = SegformerConfig::b(0, 5).expect("B0");
    let variables = Variables::random(1);
    let model = Segformer::new(&variables.tracked(), &config).expect("a model");
    stir(&variables);
    let x = noise(&[2, 64, 96, 3]);
    gradient_reach(&variables, || Ok(vec![model.forward(&x, Mode::Eval)?])).expect("all are reached");
}

#[test]
fn tiny_vit_with_all_mlp_learns_everywhere() {
    let config = TinyVitConfig::default();
    let variables = Variables::random(1);
    let scope = variables.tracked();
    let trunk = TinyVit::new(&scope.at("backbone"), &config).expect("a trunk");
    let inputs = trunk.levels().iter().map(|level| level.channels).collect();
    let head = AllMlpConfig { inputs, channels: 128, classes: 11, dropout: 0.1 };
    let head = AllMlp::new(&scope.at("head"), &head).expect("a head");
    stir(&variables);
    // At stride 8 the map is 8 x 12: padded to windows of 7.
    let x = noise(&[1, 64, 96, 3]);
    let scores = || -> nerve_core::graph::Result<Vec<Tensor>> {
        let maps = trunk.maps(&x, Mode::Eval)?;
        let scores = head.forward(&maps, Mode::Eval)?;
        assert_eq!(scores.dims(), [1, 16, 24, 11]);
        Ok(vec![scores])
    };
    gradient_reach(&variables, scores).expect("all are reached");
}

#[test]
fn branches_are_dropped_in_training_alone() {
    let models: [Box<dyn Backbone>; 2] = [
        Box::new(
            TinyVit::new(
                &Variables::random(1).detached(),
                &TinyVitConfig { drop_path_rate: 0.5, ..TinyVitConfig::default() },
            )
            .expect("a trunk"),
        ),
        Box::new(
            Mit::new(
                &Variables::random(1).detached(),
                &MitConfig { drop_path_rate: 0.5, ..MitConfig::default() },
            )
            .expect("an encoder"),
        ),
    ];
    let x = noise(&[4, 64, 64, 3]);
    for model in models {
        let last = |mode| read(&model.maps(&x, mode).expect("maps")[3]).expect("values").to_vec();
        let train = |step| Mode::Train(Randomness { seed: 1, step });
        assert_eq!(last(train(1)), last(train(1)));
        assert_ne!(last(train(1)), last(train(2)));
        assert_eq!(last(Mode::Eval), last(Mode::Eval));
    }
}
