//! All methods on small backbones of each kind, and on Swin-T where counts are published.
mod counts;
mod generated;
mod reference;

use std::sync::Arc;

use nerve_core::graph::{
    Device, Gradients, Matcher, Mode, Optimizer, ParamGroup, Result, Tensor, Variables, differentiate,
    to_vec, update_in_place,
};

use super::*;
use crate::backbones::BackboneConfig;
use crate::backbones::mit::MitConfig;
use crate::backbones::swin::SwinConfig;
use crate::backbones::tiny_vit::TinyVitConfig;
use crate::backbones::vit::VitConfig;

pub(super) const TASKS: usize = 2;

pub(super) fn swin() -> SwinConfig {
    let (depths, num_heads) = (vec![1, 2], vec![2, 4]);
    SwinConfig { embed_dim: 32, depths, num_heads, window_size: 3, ..SwinConfig::tiny() }
}

fn configs() -> [Box<dyn BackboneConfig>; 4] {
    [
        Box::new(swin()),
        Box::new(VitConfig {
            image: [32, 32],
            dim: 32,
            depth: 2,
            heads: 2,
            hidden: 40,
            out: Some(vec![0, 1]),
            norm_maps: true,
            ..VitConfig::tiny(8)
        }),
        Box::new(TinyVitConfig {
            embed_dims: [32, 64, 96, 64],
            depths: [1, 1, 2, 1],
            num_heads: [2, 2, 3, 2],
            window_sizes: [3, 3, 4, 3],
            ..TinyVitConfig::default()
        }),
        Box::new(MitConfig {
            hidden_sizes: vec![32, 32, 64, 64],
            num_attention_heads: vec![1, 2, 2, 2],
            depths: vec![1, 1, 1, 1],
            ..MitConfig::default()
        }),
    ]
}

/// A frozen backbone and a method for it.
pub(super) struct Adaptation<'a> {
    pub(super) variables: Variables,
    config: &'a dyn BackboneConfig,
    pub(super) backbone: Box<dyn Backbone>,
    pub(super) method: Box<dyn Method>,
    name: MethodName,
}

impl<'a> Adaptation<'a> {
    pub(super) fn new(
        variables: Variables,
        config: &'a dyn BackboneConfig,
        name: &str,
        tasks: usize,
        settings: &MethodSettings,
    ) -> Result<Self> {
        let name: MethodName = name.parse().expect("a method");
        let scope = variables.tracked();
        let backbone = config.build(&scope.at(BACKBONE).frozen())?;
        // As in trained weights, blocks of convolutions are more than their activation.
        for (_, last) in variables.all().iter().filter(|(key, _)| key.ends_with("conv3.bn.weight")) {
            update_in_place(&last.var, |w| w.fill(0.5))?;
        }
        let site = Site {
            variables: &variables,
            scope: &scope,
            backbone: &*backbone,
            method: name,
            tasks: name.sets(tasks),
            heads: tasks,
            settings,
        };
        let method = (name.entry().build)(&site)?;
        drop(scope);
        Ok(Self { variables, config, backbone, method, name })
    }

    fn maps(&self, task: usize, images: &Tensor) -> Result<Vec<Tensor>> {
        // What all tasks share has one set.
        let adapted = self.method.adapted(task.min(self.name.sets(TASKS) - 1))?;
        let scope = self.variables.tracked().substituting(Arc::new(adapted.weights.clone()));
        let backbone = self.config.build(&scope.at(BACKBONE).frozen())?;
        let pass = adapted.pass(Mode::Eval.into());
        if let Some(updates) = self.method.stream(task)? {
            return backbone.stream(&backbone.stages(images, pass)?.ends, &*updates);
        }
        self.method.maps(task, backbone.features(images, pass)?.maps, Mode::Eval)
    }

    /// The sum of all maps of all tasks, each value weighted differently.
    fn loss(&self, images: &Tensor) -> Result<Tensor> {
        let mut total = Tensor::zeros((), images.dtype(), images.device())?;
        for task in 0..TASKS {
            for map in self.maps(task, images)? {
                total = (total + (&map * &values(13 + task, map.dims()))?.sum_all()?)?;
            }
        }
        Ok(total)
    }
}

pub(crate) fn values(seed: usize, shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (seed..seed + n).map(|i| (i * 7919 % 1009) as f32 / 504.0 - 1.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("values")
}

/// Moves every trained variable off its beginning, where some have no gradient yet.
pub(super) fn move_all(variables: &Variables, by: f32) {
    for (i, (_, var)) in variables.trainable().into_iter().enumerate() {
        let moves =
            values(31 * i, var.dims()).flatten_all().and_then(|v| v.to_vec1::<f32>()).expect("values");
        update_in_place(&var, |own| own.iter_mut().zip(&moves).for_each(|(v, m)| *v += by * m))
            .expect("moved");
    }
}

#[test]
fn gradients_reach_all_that_is_trained_and_the_trunk_stays() {
    // MiT's keys are a single one in so small a map, which softmax knows nothing of.
    for config in &configs()[..3] {
        let images = values(5, &[1, 40, 36, 3]);
        for name in MethodName::all().map(|name| name.to_string()) {
            let mips: &[bool] =
                if name.contains("hyper") || name.contains("poly") { &[false, true] } else { &[false] };
            for mip in mips {
                let settings = MethodSettings { mip: *mip, prompts: Some(3), ..MethodSettings::default() };
                let variables = Variables::random(3);
                let adaptation = match Adaptation::new(variables, &**config, &name, TASKS, &settings) {
                    Ok(adaptation) => adaptation,
                    Err(error) => {
                        let error = error.to_string();
                        assert!(error.contains("this backbone"), "{name}: {error}");
                        continue;
                    }
                };
                let variables = &adaptation.variables;
                move_all(variables, 0.1);
                let all = || ParamGroup {
                    name: "all".into(),
                    matcher: Matcher::All,
                    lr: 0.01,
                    decay: 0.0,
                    frozen: false,
                };
                let trunk = |variables: &Variables| -> Vec<Vec<f32>> {
                    let all = variables.all().into_iter().filter(|(_, v)| !v.is_trainable());
                    all.map(|(_, v)| to_vec(&v.var)).collect()
                };
                let before = trunk(variables);
                // The last block's shared update of its last layer reaches no task: streams have their own in its place.
                let last = backbone_end(&*adaptation.backbone);
                let unused = |key: &str| key.starts_with("method.shared") && key.contains(&last);
                let trainable: Vec<_> =
                    variables.trainable().into_iter().filter(|(key, _)| !unused(key)).collect();
                assert!(trainable.iter().all(|(key, _)| key.starts_with(METHOD)), "{name}");
                if trainable.is_empty() {
                    assert_eq!(name, "decoders");
                    continue;
                }
                let mut optimizer = Optimizer::new(variables, None, &[all()]).expect("an optimizer");
                let mut gradients = Gradients::default();
                differentiate(&mut gradients, || adaptation.loss(&images)).expect("gradients");
                for (key, var) in &trainable {
                    let gradient =
                        gradients.get(var).unwrap_or_else(|| panic!("{name}: nothing reaches {key}"));
                    assert!(gradient.iter().all(|g| g.is_finite()), "{name}: {key}");
                    assert!(gradient.iter().any(|g| *g != 0.0), "{name}: {key} has no gradient: {config:?}");
                }
                let values: Vec<_> = trainable.iter().map(|(_, var)| to_vec(var)).collect();
                optimizer.step(&mut gradients, 1.0, 1.0).expect("a step");
                assert!(trainable.iter().zip(&values).all(|((_, var), old)| to_vec(var) != *old), "{name}");
                assert!(before == trunk(variables), "{name} changed what is frozen");
            }
        }
    }
}

#[test]
fn methods_that_begin_at_the_identity_do() {
    let (config, images) = (swin(), values(5, &[1, 40, 36, 3]));
    for name in [
        "single-full",
        "multi-full",
        "decoders",
        "bitfit",
        "relative-bias",
        "lora",
        "shared-lora",
        "side",
        "mtlora",
    ] {
        let variables = Variables::random(3);
        let adaptation =
            Adaptation::new(variables, &config, name, TASKS, &MethodSettings::default()).expect("a method");
        let plain = adaptation.backbone.maps(&images, Mode::Eval).expect("maps");
        let flat = |maps: &[Tensor]| -> Vec<f32> {
            maps.iter()
                .flat_map(|m| m.flatten_all().and_then(|m| m.to_vec1::<f32>()).expect("values"))
                .collect()
        };
        assert!(flat(&adaptation.maps(0, &images).expect("maps")) == flat(&plain), "{name}");
        move_all(&adaptation.variables, 0.1);
        let moved = flat(&adaptation.maps(0, &images).expect("maps")) != flat(&plain);
        assert_eq!(moved, name != "decoders", "{name}");
    }
}

#[test]
fn what_a_backbone_lacks_is_told() {
    let vit = &configs()[1];
    let build = |name: &str| {
        Adaptation::new(Variables::random(3), &**vit, name, TASKS, &MethodSettings::default()).map(drop)
    };
    let error = build("relative-bias").expect_err("no tables").to_string();
    assert!(error.contains("Swin and TinyViT"), "{error}");
    let mit = &configs()[3];
    let prompts =
        Adaptation::new(Variables::random(3), &**mit, "vpt-deep", TASKS, &MethodSettings::default())
            .map(drop);
    assert!(prompts.expect_err("no prompts").to_string().contains("no prompt tokens"));
    let reduced = MethodSettings { reduction: Some(64), ..MethodSettings::default() };
    let error = Adaptation::new(Variables::random(3), &**vit, "adapter", TASKS, &reduced).map(drop);
    assert!(error.expect_err("too narrow").to_string().contains("--reduction"));
}

#[test]
fn a_side_branch_sends_nothing_through_the_trunk() {
    let config = swin();
    let settings = MethodSettings { reduction: Some(4), ..MethodSettings::default() };
    let adaptation =
        Adaptation::new(Variables::random(3), &config, "side", TASKS, &settings).expect("a method");
    move_all(&adaptation.variables, 0.1);
    // Not even the images of the pass are asked for a gradient, had they one.
    let images = nerve_core::graph::Var::from_tensor(&values(5, &[1, 24, 24, 3])).expect("images");
    let mut gradients = Gradients::default();
    let loss = || {
        let maps = adaptation.backbone.maps(&images.as_detached_tensor(), Mode::Eval)?;
        let maps = adaptation.method.maps(1, maps, Mode::Eval)?;
        maps[1].sqr()?.sum_all()
    };
    differentiate(&mut gradients, loss).expect("gradients");
    for (key, var) in adaptation.variables.trainable() {
        let reached = gradients.get(&var).is_some();
        // The first map's way back ends at the first map.
        let first = key.contains("stages.0.up");
        assert_eq!(reached, key.starts_with("method.tasks.1.") && !first, "{key}");
    }
}

fn backbone_end(backbone: &dyn Backbone) -> String {
    backbone.last_blocks().last().map(|(key, _)| format!("{key}.mlp.fc2")).unwrap_or_default()
}

/// MTLoRA's rules for a last block: the shared update of its MLP's first layer is not in the task's output of that layer,
/// but in what the shared stream hands to the second; with B at zero all streams are the shared one.
#[test]
fn streams_leave_out_the_shared_update() {
    let (config, images) = (swin(), values(5, &[1, 24, 24, 3]));
    let adaptation =
        Adaptation::new(Variables::random(3), &config, "mtlora", TASKS, &MethodSettings::default())
            .expect("a method");
    let flat = |task| -> Vec<f32> {
        let maps = adaptation.maps(task, &images).expect("maps");
        maps.iter().flat_map(|m| m.flatten_all().and_then(|m| m.to_vec1::<f32>()).expect("values")).collect()
    };
    let plain: Vec<f32> = adaptation
        .backbone
        .maps(&images, Mode::Eval)
        .expect("maps")
        .iter()
        .flat_map(|m| m.flatten_all().and_then(|m| m.to_vec1::<f32>()).expect("values"))
        .collect();
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(near(&flat(0), &plain) && near(&flat(1), &plain));
    let set = |key: &str, value: f32| {
        let var = adaptation.variables.get(key).unwrap_or_else(|| panic!("no {key}")).var;
        // Not the same in all channels, which the norms of maps would take out.
        let vary = |b: &mut [f32]| b.iter_mut().enumerate().for_each(|(i, b)| *b = value * (i % 5) as f32);
        update_in_place(&var, vary).expect("set");
    };
    // The projection's shared update changes the shared stream alone: streams have their own in its place.
    set("method.shared.backbone.layers.1.blocks.1.attn.proj.weight.b", 0.05);
    let shared = adaptation.method.adapted(0).expect("weights").weights;
    assert!(shared.contains_key("backbone.layers.1.blocks.1.attn.proj.weight"));
    let one_map: usize = 6 * 6 * 32;
    assert!(near(&flat(0)[..one_map], &plain[..one_map]), "the first stage is before it");
    set("method.tasks.1.backbone.layers.1.blocks.1.mlp.fc2.weight.b", 0.5);
    assert!(!near(&flat(0), &flat(1)), "a task's own");
}
