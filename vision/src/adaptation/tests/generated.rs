//! Every adapter against the plain construction of its weights in f64, for all blocks and tasks.
use nerve_core::graph::{Variables, read};
use nerve_core::ops::parity::{PARITY_L2, PARITY_MAX, close};

use super::reference::{Layer, Matrix, affine, embedded, get, matrix};
use super::{Adaptation, TASKS, move_all, swin, values};
use crate::adaptation::{MethodSettings, Placement};
use crate::backbones::{Branch, Part};

/// Compares a method's adapters of all branches, where `want` gives one, with theirs; returns how many there were.
fn compare(
    name: &str,
    settings: &MethodSettings,
    want: impl Fn(&Variables, usize, &Branch) -> Option<Layer>,
) -> usize {
    let config = swin();
    let adaptation = Adaptation::new(Variables::random(7), &config, name, TASKS, settings).expect(name);
    move_all(&adaptation.variables, 0.05);
    let mut compared = 0;
    for task in 0..TASKS {
        let adapted = adaptation.method.adapted(task).expect("adapters");
        let adapters = adapted.adapters.expect("adapters");
        for branch in adaptation.backbone.branches() {
            let (input, output) = (values(3, &[1, branch.channels]), values(90, &[1, branch.channels]));
            let found = adapters.adapt(&branch, &input, output.clone()).expect("adapted");
            let wide = |x: &nerve_core::graph::Tensor| -> Vec<f64> {
                read(x).expect("values").iter().map(|v| f64::from(*v)).collect()
            };
            let (x, y) = (wide(&input), wide(&output));
            let want = match want(&adaptation.variables, task, &branch) {
                None => y,
                Some(layer) => {
                    compared += 1;
                    layer.apply(if settings.parallel { &x } else { &y }, &y)
                }
            };
            close(&read(&found).expect("values"), &want, PARITY_L2, PARITY_MAX)
                .unwrap_or_else(|e| panic!("{name}, task {task}, {branch:?}: {e}"));
        }
    }
    compared
}

fn part(branch: &Branch) -> &'static str {
    if branch.part == Part::Mlp { "mlp" } else { "attention" }
}

fn own(task: usize, branch: &Branch) -> String {
    format!("method.tasks.{task}.blocks.{}.{}", branch.block, part(branch))
}

fn mlp_only(branch: &Branch) -> Option<()> {
    (branch.part == Part::Mlp).then_some(())
}

/// Three blocks of 32, 64 and 64 channels, two tasks.
const MLPS: usize = 3 * TASKS;

#[test]
fn adapters_of_their_own() {
    for parallel in [false, true] {
        let settings = MethodSettings { parallel, ..MethodSettings::default() };
        let found = compare("adapter", &settings, |variables, task, branch| {
            mlp_only(branch)?;
            Some(Layer::independent(variables, &own(task, branch), branch.channels, branch.channels / 2))
        });
        assert_eq!(found, MLPS);
    }
    let found = compare("low-rank-adapter", &MethodSettings::default(), |variables, task, branch| {
        let (scope, d) = (own(task, branch), branch.channels);
        let factor = |name: &str, rows| matrix(variables, &format!("{scope}.{name}"), rows);
        let down = factor("down.left", d / 2).times(&factor("down.right", 2));
        let up = factor("up.left", d).times(&factor("up.right", 2));
        Some(Layer::at(variables, &scope, down, up))
    });
    assert_eq!(found, 2 * MLPS);
}

/// `W^T = sum_i A_i (x) B_i`.
fn hypercomplex(
    variables: &Variables,
    scope: &str,
    [inputs, outputs]: [usize; 2],
    rank: Option<usize>,
) -> Matrix {
    let (n, p, q) = (4, inputs / 4, outputs / 4);
    let rule = get(variables, "method.rule");
    let slice = |all: &[f64], i: usize, rows: usize, columns: usize| {
        Matrix::new(rows, columns, &all[i * rows * columns..(i + 1) * rows * columns])
    };
    let part = |name: &str| get(variables, &format!("{scope}.{name}"));
    let factor = |i: usize| match rank {
        None => slice(&part("factors"), i, p, q),
        Some(rank) => slice(&part("left"), i, p, rank).times(&slice(&part("right"), i, rank, q)),
    };
    let products = (0..n).map(|i| slice(&rule, i, n, n).kron(&factor(i)));
    products.reduce(|a, b| a.plus(&b)).expect("a sum").transposed()
}

#[test]
fn hypercomplex_ones() {
    for (name, both, reduction, rank) in
        [("phm", false, 8, None), ("compacter", true, 2, Some(1)), ("compacter++", false, 2, Some(1))]
    {
        let found = compare(name, &MethodSettings::default(), |variables, task, branch| {
            if !both {
                mlp_only(branch)?;
            }
            let (scope, d) = (own(task, branch), branch.channels);
            let hidden = d / reduction;
            let down = hypercomplex(variables, &format!("{scope}.down"), [d, hidden], rank);
            let up = hypercomplex(variables, &format!("{scope}.up"), [hidden, d], rank);
            Some(Layer::at(variables, &scope, down, up))
        });
        assert_eq!(found, if both { 2 * MLPS } else { MLPS }, "{name}");
    }
}

fn embedding(variables: &Variables, task: usize) -> Vec<f64> {
    get(variables, "method.task_embeddings")[task * 512..(task + 1) * 512].to_vec()
}

#[test]
fn generated_a_block() {
    for (name, both, reduction, rank) in [
        ("hyperformer", true, 8, None),
        ("polyhistor", false, 16, Some(1)),
        ("polyhistor", false, 2, Some(3)),
    ] {
        for mip in [false, true] {
            let settings =
                MethodSettings { mip, rank, reduction: Some(reduction), ..MethodSettings::default() };
            let found = compare(name, &settings, |variables, task, branch| {
                if !both {
                    mlp_only(branch)?;
                }
                let (d, hidden) = (branch.channels, branch.channels / reduction);
                let block = format!("method.blocks.{}", branch.block);
                let task = embedding(variables, task);
                let u = embedded(variables, &format!("{block}.embedder"), &task, mip);
                let scope = format!("{block}.{}", part(branch));
                let layer = Layer::generated(&affine(variables, &scope, &u), d, hidden, rank);
                let added = || Layer::independent(variables, &format!("{scope}.added"), d, hidden);
                Some(if mip { layer.plus(&added()) } else { layer })
            });
            assert_eq!(found, if both { 2 * MLPS } else { MLPS }, "{name}");
        }
    }
}

#[test]
fn generated_once_and_scaled() {
    let (width, hidden) = (32, 16);
    for (placement, rank, mip) in [(Placement::Mlp, 12, false), (Placement::Both, 5, true)] {
        let settings =
            MethodSettings { placement: Some(placement), rank: Some(rank), mip, ..MethodSettings::default() };
        let both = placement == Placement::Both;
        let found = compare("polyhistor-lite", &settings, |variables, task, branch| {
            if !both {
                mlp_only(branch)?;
            }
            let (s, block) = (branch.channels / width, format!("method.blocks.{}", branch.block));
            let layers = get(variables, &format!("{block}.embeddings"));
            let template = |i: usize| {
                let mut v = embedding(variables, task);
                v.extend_from_slice(&layers[i * 512..(i + 1) * 512]);
                if both {
                    let positions = get(variables, "method.position_embeddings");
                    let place = if branch.part == Part::Attention { 0 } else { 512 };
                    v.extend_from_slice(&positions[place..place + 512]);
                }
                let u = embedded(variables, "method.embedder", &v, mip);
                Layer::generated(&affine(variables, "method", &u), width, hidden, Some(rank))
            };
            let scaled = if s == 1 {
                template(0)
            } else {
                let kernel = |name: &str, i: usize, columns: usize| {
                    let all = get(variables, &format!("{block}.{name}"));
                    Matrix::new(s, columns, &all[i * s * columns..(i + 1) * s * columns])
                };
                let layer = |i: usize| {
                    let template = template(i);
                    let vector =
                        |name, v: &[f64]| kernel(name, i, 1).kron(&Matrix::new(v.len(), 1, v)).values;
                    let [down, up, weight, bias] = &template.vectors;
                    Layer {
                        down: kernel("kernels", i, s).kron(&template.down),
                        up: kernel("kernels", i, s).kron(&template.up),
                        vectors: [
                            vector("bias_kernels", down),
                            vector("bias_kernels", up),
                            vector("norm_kernels", weight),
                            vector("norm_kernels", bias),
                        ],
                    }
                };
                (0..s).map(layer).reduce(|a, b| a.plus(&b)).expect("a sum")
            };
            let scope = format!("{block}.{}.added", part(branch));
            let added = || Layer::independent(variables, &scope, branch.channels, hidden * s);
            Some(if mip { scaled.plus(&added()) } else { scaled })
        });
        assert_eq!(found, if both { 2 * MLPS } else { MLPS });
    }
}
