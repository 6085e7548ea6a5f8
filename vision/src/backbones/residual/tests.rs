use std::cell::RefCell;

use nerve_core::graph::{Gradients, Scope, Variables, bail, differentiate, read};
use nerve_core::layers::Linear;
use nerve_core::ops::parity::{PARITY_L2, PARITY_MAX, close, widen};

use super::*;
use crate::backbones::BackboneConfig;
use crate::backbones::mit::MitConfig;
use crate::backbones::swin::SwinConfig;
use crate::backbones::tiny_vit::TinyVitConfig;
use crate::backbones::vit::VitConfig;

/// One of each kind.
fn configs() -> [Box<dyn BackboneConfig>; 4] {
    let (depths, num_heads) = (vec![1, 2], vec![2, 4]);
    [
        Box::new(SwinConfig { embed_dim: 8, depths, num_heads, window_size: 3, ..SwinConfig::tiny() }),
        Box::new(VitConfig {
            image: [32, 32],
            dim: 12,
            depth: 2,
            heads: 3,
            hidden: 20,
            ..VitConfig::tiny(8)
        }),
        Box::new(MitConfig {
            hidden_sizes: vec![8, 16, 24, 32],
            num_attention_heads: vec![1, 2, 3, 4],
            depths: vec![1, 2, 1, 1],
            ..MitConfig::default()
        }),
        Box::new(TinyVitConfig {
            embed_dims: [8, 16, 24, 32],
            depths: [1, 2, 1, 1],
            num_heads: [2, 2, 3, 4],
            window_sizes: [3, 3, 4, 3],
            ..TinyVitConfig::default()
        }),
    ]
}

fn images() -> Tensor {
    crate::check::images(40, 36)
}

fn values(x: &Tensor) -> Vec<f32> {
    read(&x.contiguous().expect("contiguous")).expect("values").to_vec()
}

/// Changes nothing, and lists the branches.
#[derive(Default)]
struct Listing(RefCell<Vec<Branch>>);

impl Adapters for Listing {
    fn adapt(&self, branch: &Branch, x: &Tensor, output: Tensor) -> Result<Tensor> {
        assert_eq!(x.dims(), output.dims());
        assert_eq!(output.dims().last(), Some(&branch.channels));
        self.0.borrow_mut().push(*branch);
        Ok(output)
    }
}

#[test]
fn every_branch_is_offered_in_order_and_a_neutral_adapter_changes_nothing() {
    for config in configs() {
        let model = config.build(&Variables::random(3).detached()).expect("a model");
        let listing = Listing::default();
        let pass = Pass { adapters: Some(&listing), ..Mode::Eval.into() };
        let adapted = model.features(&images(), pass).expect("features").maps;
        let plain = model.maps(&images(), Mode::Eval).expect("maps");
        assert_eq!(
            adapted.iter().map(values).collect::<Vec<_>>(),
            plain.iter().map(values).collect::<Vec<_>>()
        );
        let branches = model.branches();
        assert_eq!(listing.0.into_inner(), branches);
        assert!(
            branches.is_sorted_by(|a, b| a.layer() < b.layer()),
            "each has a place of its own: {config:?}"
        );
    }
}

/// `y + W y`, serial, at the MLPs.
struct Serial(Vec<(Branch, Linear)>);

impl Serial {
    fn new(scope: &Scope, branches: &[Branch]) -> Self {
        let layer = |branch: &Branch| {
            let scope = scope.at("adapters").at(branch.block);
            (*branch, Linear::new(&scope, branch.channels, branch.channels).expect("a layer"))
        };
        Self(branches.iter().filter(|branch| branch.part == Part::Mlp).map(layer).collect())
    }
}

impl Adapters for Serial {
    fn adapt(&self, branch: &Branch, _: &Tensor, output: Tensor) -> Result<Tensor> {
        match self.0.iter().find(|(of, _)| of == branch) {
            Some((_, layer)) => add(&output, &layer.forward(&output)?),
            None => Ok(output),
        }
    }
}

#[test]
fn adapters_learn_beside_a_frozen_backbone() {
    for config in configs() {
        let variables = Variables::random(3);
        let scope = variables.tracked();
        let model = config.build(&scope.at("backbone").frozen()).expect("a model");
        let adapters = Serial::new(&scope, &model.branches());
        assert!(!adapters.0.is_empty());
        let mut gradients = Gradients::default();
        let loss = || {
            let pass = Pass { adapters: Some(&adapters), ..Mode::Eval.into() };
            let maps = model.features(&images(), pass)?.maps;
            let Some(last) = maps.last() else { bail!("no maps") };
            (last * last)?.sum_all()
        };
        differentiate(&mut gradients, loss).expect("gradients");
        let trainable = variables.trainable();
        assert_eq!(trainable.len(), 2 * adapters.0.len());
        assert_eq!(gradients.len(), trainable.len(), "the backbone has no buffers");
        for (key, var) in trainable {
            assert!(gradients.get(&var).is_some_and(|g| g.iter().any(|v| *v != 0.0)), "{key}: {config:?}");
        }
        assert!(variables.trainable_parameters() < variables.parameters());
    }
}

/// Compares every trace with the layers it is of.
struct Compare<'a> {
    variables: &'a Variables,
    taps: RefCell<Vec<Branch>>,
}

impl MlpTap for Compare<'_> {
    fn tap(&self, branch: &Branch, trace: MlpTrace<'_>) -> Result<()> {
        let get = |name: String| self.variables.get(&name).map(|v| v.var.as_detached_tensor());
        let key = format!("blocks.{}.mlp", branch.block);
        let linear = |layer: &str| {
            let part = |name: &str| get(format!("{key}.{layer}.{name}")).expect("a variable");
            Linear::from_tensors(part("weight"), Some(part("bias"))).expect("a layer")
        };
        let hidden = nerve_core::ops::gelu::gelu(&linear("fc1").forward(trace.input)?)?;
        let output = linear("fc2").forward(trace.hidden)?;
        for (found, want) in [(trace.hidden, &hidden), (trace.output, &output)] {
            close(&values(found), &widen(&values(want)), PARITY_L2, PARITY_MAX).expect("the layer's");
        }
        self.taps.borrow_mut().push(*branch);
        Ok(())
    }
}

#[test]
fn mlps_can_be_listened_to() {
    let [_, vit, ..] = configs();
    let variables = Variables::random(3);
    let model = vit.build(&variables.detached()).expect("a model");
    let tap = Compare { variables: &variables, taps: RefCell::default() };
    let pass = Pass { tap: Some(&tap), ..Mode::Eval.into() };
    let tapped = model.features(&images(), pass).expect("features").maps;
    let plain = model.maps(&images(), Mode::Eval).expect("maps");
    assert_eq!(values(&tapped[0]), values(&plain[0]));
    assert_eq!(tap.taps.into_inner().iter().map(|b| b.block).collect::<Vec<_>>(), [0, 1]);

    /// Counts.
    #[derive(Default)]
    struct Count(RefCell<Vec<Branch>>);
    impl MlpTap for Count {
        fn tap(&self, branch: &Branch, trace: MlpTrace<'_>) -> Result<()> {
            assert_eq!(trace.input.dims(), trace.output.dims());
            assert!(trace.hidden.dims().last() > trace.output.dims().last());
            self.0.borrow_mut().push(*branch);
            Ok(())
        }
    }
    for config in configs() {
        let model = config.build(&Variables::random(3).detached()).expect("a model");
        let count = Count::default();
        model.features(&images(), Pass { tap: Some(&count), ..Mode::Eval.into() }).expect("features");
        let mlps: Vec<_> = model.branches().into_iter().filter(|b| b.part == Part::Mlp).collect();
        assert_eq!(count.0.into_inner(), mlps, "{config:?}");
    }
}

#[test]
fn classifiers_have_a_global_embedding() {
    let [_, vit, mit, _] = configs();
    let features = |config: &dyn BackboneConfig| {
        let model = config.build(&Variables::random(3).detached()).expect("a model");
        model.features(&images(), Mode::Eval.into()).expect("features")
    };
    let swin = SwinConfig {
        embed_dim: 8,
        depths: vec![1, 2],
        num_heads: vec![2, 4],
        window_size: 3,
        ..SwinConfig::tiny()
    };
    let classifier = swin.timm();
    let found = features(&*classifier);
    let (global, map) = (found.global.expect("an embedding"), values(&found.maps[1]));
    assert_eq!(global.dims(), [2, 16]);
    let mean = |image: usize, c: usize| {
        let cells = map.len() / 32;
        (0..cells).map(|i| f64::from(map[(image * cells + i) * 16 + c])).sum::<f64>() / cells as f64
    };
    let want: Vec<f64> = (0..32).map(|i| mean(i / 16, i % 16)).collect();
    close(&values(&global), &want, PARITY_L2, PARITY_MAX).expect("the mean of the last map");
    assert_eq!(features(&*vit).global.expect("the class token").dims(), [2, 12]);
    assert!(features(&*mit).global.is_none() && features(&swin).global.is_none());
}
