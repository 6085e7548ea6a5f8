#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::hash_grid::HashGridConfig;
use crate::ops::loss::Penalty;
use crate::params::Init;

/// A small field of everything: HollowNeRF's stages, colors of cameras, a head of features.
fn spec() -> FieldSpec {
    let grid = HashGridConfig { levels: 3, log2_entries: 8, ..HashGridConfig::default() };
    let mut spec = FieldSpec::new(Encoding::HashGrid { grid, init: 1e-4 });
    let [scaled, geometry, harmonics, color, features] = [6, 16, 9, 3, 5].map(|columns| spec.slot(columns));
    let network = |name: &str, input: SlotId, inputs: usize, output: SlotId| MlpSpec {
        name: name.into(),
        ray_input: None,
        input,
        inputs,
        width: 32,
        hidden: 2,
        output,
        detach: false,
    };
    let gate = GateSpec { input: scaled, alphas: [1e4, 1e5], switch: 0.3, start: 0.1 };
    spec.stages = vec![
        StageSpec::Saliency { input: SlotId::ENCODING, output: scaled },
        StageSpec::Gate(gate),
        StageSpec::Mlp(network("density", scaled, 6, geometry)),
        StageSpec::Density { input: geometry, column: 0 },
        StageSpec::Directions { output: harmonics, octaves: None },
        StageSpec::Mlp(MlpSpec { ray_input: Some(harmonics), ..network("color", geometry, 15, color) }),
        StageSpec::Mlp(network("features", geometry, 16, features)),
        StageSpec::Composite { spread: Spread { depth: 0.1, ..Spread::default() } },
    ];
    let head = |name: &str, input: SlotId, loss: HeadLoss| Head {
        name: name.into(),
        input,
        activation: Activation::Sigmoid,
        loss,
        weight: 1.0,
        detach_density: true,
    };
    spec.heads = vec![
        head("color", color, HeadLoss::Photometric(Penalty::Huber)),
        head("features", features, HeadLoss::Channels(Penalty::Mse)),
    ];
    spec.saliency = Some(SaliencySpec { side: 8, init: 1.0, limit: 10.0 });
    spec.cameras = CameraSpec { count: 7, poses: false, colors: true, trace: false };
    spec
}

#[test]
fn a_layout_has_names_handles_and_columns() {
    let layout = spec().layout().unwrap();
    let blocks = layout.params.blocks();
    let names: Vec<&str> = blocks.iter().map(|b| &*b.name).collect();
    let networks = ["density", "color", "features"].map(|n| (0..3).map(move |l| format!("{n}.{l}.weight")));
    let mut want: Vec<String> = (0..3).map(|l| format!("grid.{l:02}")).collect();
    want.extend(networks.into_iter().flatten());
    want.extend(["cameras.colors".to_owned(), "saliency".to_owned()]);
    assert_eq!(names, want);
    let of = |id: &crate::params::BlockId| &blocks[id.index()];
    let handles = &layout.handles;
    assert!(handles.tables.iter().zip(&layout.levels).all(|(t, l)| of(t).shape == [l.entries, l.features]));
    assert_eq!(of(&handles.networks[1][0]).shape, [32, 9 + 15]);
    assert_eq!(of(&handles.networks[2][2]).shape, [5, 32]);
    assert_eq!(of(&handles.networks[0][1]).init, Init::Uniform((6.0f32 / 32.0).sqrt()));
    assert_eq!((handles.poses, &of(&handles.colors.unwrap()).shape[..]), (None, &[7, 12][..]));
    assert_eq!(of(&handles.saliency.unwrap()).init, Init::Constant(1.0));
    let groups: Vec<&str> = layout.params.values_by_group().iter().map(|(name, _)| *name).collect();
    assert_eq!(groups, ["grid", "mlp", "cameras.colors", "saliency"]);
    assert_eq!(layout.outputs, Outputs { heads: vec![0..3, 3..8], depth: 8, opacity: 9 });
    assert_eq!(layout.targets, Targets { heads: vec![0..7, 7..12], distance: Some(12) });
    assert_eq!((layout.outputs.width(), layout.targets.width()), (10, 13));
}

#[test]
fn specs_survive_a_file() {
    let spec = spec();
    let text = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<FieldSpec>(&text).unwrap(), spec);
    for encoding in [Encoding::Coordinates, Encoding::Frequency { octaves: 10 }] {
        let plain = FieldSpec::new(encoding);
        let text = serde_json::to_string(&plain).unwrap();
        assert_eq!(serde_json::from_str::<FieldSpec>(&text).unwrap(), plain);
    }
    assert_eq!(Encoding::Frequency { octaves: 10 }.outputs(), 63, "NeRF's");
}

/// Every mistake is named by its part.
#[test]
fn what_cannot_be_is_named() {
    assert_eq!(spec().validate(), Ok(()));
    let mlp =
        |spec: &mut FieldSpec, stage: usize, change: &dyn Fn(&mut MlpSpec)| match &mut spec.stages[stage] {
            StageSpec::Mlp(mlp) => change(mlp),
            _ => panic!("no network"),
        };
    type Change<'a> = &'a dyn Fn(&mut FieldSpec);
    let mistakes: &[(&str, Change<'_>)] = &[
        ("octaves", &|s| s.encoding = Encoding::Frequency { octaves: 99 }),
        ("slot 0", &|s| s.encoding = Encoding::Coordinates),
        ("slot 2", &|s| s.slots[2] = 0),
        ("levels", &|s| {
            s.encoding = Encoding::HashGrid {
                grid: HashGridConfig { levels: 0, ..HashGridConfig::default() },
                init: 1.0,
            }
        }),
        ("box_side", &|s| s.box_side = f32::NAN),
        ("min_transmittance", &|s| s.min_transmittance = 1.0),
        ("network `color`: reads slot 3", &|s| drop(s.stages.remove(4))),
        ("network `density`: fills slot 1", &|s| mlp(s, 2, &|m| m.output = SlotId(1))),
        ("network `density`: fills slot 99", &|s| mlp(s, 2, &|m| m.output = SlotId(99))),
        ("row per ray", &|s| mlp(s, 5, &|m| m.ray_input = Some(SlotId(1)))),
        ("0 that decide density", &|s| drop(s.stages.remove(3))),
        ("last of them", &|s| s.stages.swap(6, 7)),
        ("gate: stands behind", &|s| {
            let gate = s.stages.remove(1);
            s.stages.insert(3, gate);
        }),
        ("saliency", &|s| s.saliency = None),
        ("saliency", &|s| s.slots[1] = 7),
        ("saliency", &|s| mlp(s, 6, &|m| (m.input, m.inputs) = (SlotId::ENCODING, 6))),
        ("gate", &|s| {
            s.stages[1] =
                StageSpec::Gate(GateSpec { input: SlotId(1), alphas: [0.0, 1.0], switch: 0.5, start: 0.5 })
        }),
        ("network `color`: sees 17", &|s| mlp(s, 5, &|m| m.inputs = 17)),
        ("0 hidden layers", &|s| mlp(s, 5, &|m| m.hidden = 0)),
        ("another has its name", &|s| mlp(s, 5, &|m| m.name = "density".into())),
        ("column 16", &|s| s.stages[3] = StageSpec::Density { input: SlotId(2), column: 16 }),
        ("5 harmonics", &|s| s.slots[3] = 5),
        ("compositing", &|s| {
            s.stages[7] = StageSpec::Composite { spread: Spread { distortion: -1.0, ..Spread::default() } }
        }),
        ("nothing can be learned", &|s| s.heads.clear()),
        ("one name", &|s| s.heads[1].name = "color".into()),
        ("head `features`", &|s| s.heads[1].input = SlotId(1)),
        ("reads its slot", &|s| s.heads[1].input = SlotId(2)),
        ("reads its slot", &|s| s.heads[1].input = s.heads[0].input),
        ("weight", &|s| s.heads[1].weight = f32::INFINITY),
        ("5 channels", &|s| s.heads[1].loss = HeadLoss::Photometric(Penalty::Mse)),
        ("a limit of 0", &|s| s.saliency = Some(SaliencySpec { side: 8, init: 0.0, limit: 0.0 })),
        ("poses are not found", &|s| s.cameras.trace = true),
        ("there is none to learn of", &|s| s.cameras.count = 0),
        ("there is none", &|s| s.heads[0].loss = HeadLoss::Channels(Penalty::Mse)),
        ("average", &|s| s.average = Some(1.5)),
    ];
    for (part, change) in mistakes {
        let mut wrong = spec();
        change(&mut wrong);
        let error = wrong.validate().expect_err(part).to_string();
        assert!(error.contains(part), "{part}: {error}");
        assert!(wrong.layout().is_err());
    }
}
