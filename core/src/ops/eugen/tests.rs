use super::*;
use crate::graph::check::{Case, agrees};
use crate::ops::check::{FdOptions, TestRng, close, finite_difference, narrow, widen};
use crate::simd::Isa;

/// The special cases, and higher orders of both nonlinearities.
fn cases() -> Vec<FeatureConfig> {
    let order = |order, phi| FeatureConfig { order, features: 16, phi, ..FeatureConfig::default() };
    vec![
        FeatureConfig::low_rank(16),
        FeatureConfig::snnk(16),
        FeatureConfig::magnituder(32),
        FeatureConfig::unbiased(16, &[0.5, 1.0, -0.25]),
        order(1, Nonlinearity::Relu),
        order(2, Nonlinearity::Relu),
        order(3, Nonlinearity::Identity),
        order(3, Nonlinearity::Relu),
    ]
}

fn fresh(config: &FeatureConfig, inputs: usize, seed: u64) -> Vec<f32> {
    draw(&config.start(), config.shape(inputs), seed, 7)
}

#[test]
fn gradients_match_finite_differences() {
    for config in cases() {
        let (inputs, rows) = (3, 2);
        let mut rng = TestRng::new(4);
        let g = widen(&fresh(&config, inputs, 1));
        let x = rng.normals(rows * inputs, 1.0);
        let dy = rng.normals(rows * config.outputs(), 1.0);
        let loss = |g: &[f64], x: &[f64]| -> f64 {
            reference::forward(&config, g, x, inputs).iter().zip(&dy).map(|(y, dy)| y * dy).sum()
        };
        let [dx, dg] = reference::backward(&config, &g, &x, &dy, inputs);
        let options = FdOptions { eps: 1e-6, tolerance: 1e-5, ..FdOptions::default() };
        finite_difference(|x| loss(&g, x), &x, &dx, options).expect("dx");
        let options = FdOptions { limit: Some(120), ..options };
        finite_difference(|g| loss(g, &x), &g, &dg, options).expect("dg");
    }
}

#[test]
fn the_op_matches_the_reference() {
    for config in cases() {
        for (rows, inputs) in [(1, 1), (7, 5), (150, 33)] {
            let x = TestRng::new(rows as u64).normals(rows * inputs, 1.0);
            let g = widen(&fresh(&config, inputs, 3));
            agrees(Case {
                inputs: &[(&x, &[rows, inputs]), (&g, &config.shape(inputs))],
                op: &|t| features(&t[0], &t[1], &config),
                forward: &|v| reference::forward(&config, &v[1], &v[0], inputs),
                backward: &|v, dy| reference::backward(&config, &v[1], &v[0], dy, inputs).to_vec(),
            });
        }
    }
}

/// Rows further apart than their values, as a field's slots have them, by every instruction set.
#[test]
fn every_instruction_set_agrees() {
    let (rows, inputs, stride) = (130, 20, 32);
    let x = narrow(&TestRng::new(8).normals(rows * stride, 1.0));
    let dense: Vec<f64> = x.chunks_exact(stride).flat_map(|row| widen(&row[..inputs])).collect();
    for config in cases() {
        let g = fresh(&config, inputs, 5);
        let want = reference::forward(&config, &widen(&g), &dense, inputs);
        let ldo = config.outputs() + 16;
        for isa in Isa::available() {
            let mut out = vec![7.0; rows * ldo];
            let x = cpu::Rows { values: &x, stride, inputs, count: rows };
            cpu::forward(isa, &config, &g, x, &mut out, ldo);
            let got: Vec<f32> =
                out.chunks_exact(ldo).flat_map(|row| row[..config.outputs()].to_vec()).collect();
            close(&got, &want, 1e-5, 1e-4).unwrap_or_else(|e| panic!("{isa:?} {config:?}: {e}"));
            assert!(out.chunks_exact(ldo).all(|row| row[config.outputs()..] == [7.0; 16]));
        }
    }
}

/// Estimates of `act(w . x + b)` of many draws.
fn estimates(config: &FeatureConfig, w: &[f32], x: &[f32], draws: u64) -> Vec<f64> {
    let inputs = x.len();
    let bias = f64::from(config.polynomial[0]);
    let one = |seed| {
        let g = fresh(config, inputs, seed);
        let f = reference::forward(config, &widen(&g), &widen(x), inputs);
        let theta = weights(config, &g, w, inputs);
        bias + f.iter().zip(&theta).map(|(f, t)| f * f64::from(*t)).sum::<f64>()
    };
    (0..draws).map(one).collect()
}

/// Mean, variance, and the standard errors of both.
fn moments(samples: &[f64]) -> [f64; 4] {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let central = |power| samples.iter().map(|s| (s - mean).powi(power)).sum::<f64>() / n;
    let (second, fourth) = (central(2), central(4));
    [mean, second, (second / n).sqrt(), ((fourth - second * second) / n).sqrt()]
}

fn sample() -> (Vec<f32>, Vec<f32>) {
    let mut rng = TestRng::new(12);
    let (mut w, x) = (narrow(&rng.normals(4, 0.5)), narrow(&rng.normals(4, 0.5)));
    // The bias, and the norm's weight.
    w.extend([0.3, 0.0]);
    (w, x)
}

/// `w+ . x+`, and `|w+|^2 |x+|^2`.
fn products(w: &[f32], x: &[f32]) -> (f64, f64) {
    let (w, x) = (widen(w), widen(x));
    let square = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
    let t = w.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>() + w[x.len()];
    (t, square(&w) * (2.0 * square(&x) + 1.0))
}

/// The construction has the mean and the variance that its formulas say, order by order and together.
#[test]
fn the_polynomial_construction_is_unbiased() {
    let (w, x) = sample();
    let (t, norms) = products(&w, &x);
    let polynomials: [&[f32]; 4] =
        [&[0.2, 0.7], &[0.0, 0.0, -0.6], &[0.1, 0.0, 0.0, 0.4], &[0.3, 0.5, -0.4, 0.2]];
    for polynomial in polynomials {
        let config = FeatureConfig { rows: RowKind::Independent, ..FeatureConfig::unbiased(16, polynomial) };
        let [mean, variance, of_mean, of_variance] = moments(&estimates(&config, &w, &x, 6000));
        let act: f64 = polynomial.iter().enumerate().map(|(i, a)| f64::from(*a) * t.powi(i as i32)).sum();
        let term = |(i, a): (usize, &f32)| {
            let (i, a) = (i as i32, f64::from(*a));
            a * a / 16.0 * ((norms + 2.0 * t * t).powi(i) - t.powi(2 * i))
        };
        let want: f64 = polynomial.iter().enumerate().skip(1).map(term).sum();
        assert!((mean - act).abs() < 4.0 * of_mean, "{polynomial:?}: {mean} +- {of_mean}, {act}");
        let error = (variance - want).abs();
        assert!(error < 4.0 * of_variance, "{polynomial:?}: variance {variance} +- {of_variance}, {want}");
    }
}

/// Orthogonal rows are unbiased as well, and vary less.
#[test]
fn orthogonal_rows_vary_less() {
    let (w, x) = sample();
    let (t, _) = products(&w, &x);
    let orthogonal = FeatureConfig::unbiased(16, &[0.0, 1.0]);
    let independent = FeatureConfig { rows: RowKind::Independent, ..orthogonal.clone() };
    let [mean, less, of_mean, of_less] = moments(&estimates(&orthogonal, &w, &x, 6000));
    let [_, more, _, of_more] = moments(&estimates(&independent, &w, &x, 6000));
    assert!((mean - t).abs() < 4.0 * of_mean, "{mean} +- {of_mean}, {t}");
    assert!(less + 4.0 * of_less < more - 4.0 * of_more, "{less} +- {of_less}, {more} +- {of_more}");
}

/// Rows of one block are orthogonal and have the lengths of normal ones; those of other blocks are drawn anew.
#[test]
fn rows_are_orthogonal_in_blocks() {
    let config = FeatureConfig { features: 32, ..FeatureConfig::default() };
    let (inputs, m) = (18, 32);
    let g = fresh(&config, inputs, 2);
    let row = |f: usize| (0..20).map(|c| f64::from(g[c * m + f])).collect::<Vec<_>>();
    let product = |a: usize, b: usize| row(a).iter().zip(row(b)).map(|(a, b)| a * b).sum::<f64>();
    for (a, b) in (0..20).flat_map(|a| (0..a).map(move |b| (a, b))) {
        assert!(product(a, b).abs() < 1e-6, "rows {a} and {b}: {}", product(a, b));
    }
    assert!(product(19, 20).abs() > 1e-4);
    let mean = (0..m).map(|f| product(f, f) * m as f64).sum::<f64>() / m as f64;
    assert!((mean - 20.0).abs() < 6.0, "squared lengths of 20 normal values, {mean}");
}

/// Draws depend on the seed and the place, and a width's draws are its own.
#[test]
fn draws_are_functions_of_seed_and_place() {
    let (start, shape) = (FeatureConfig::default().start(), [3, 6, 16]);
    assert_eq!(draw(&start, shape, 1, 2), draw(&start, shape, 1, 2));
    assert_ne!(draw(&start, shape, 1, 2), draw(&start, shape, 2, 2));
    assert_ne!(draw(&start, shape, 1, 2), draw(&start, shape, 1, 3));
}

/// Of ViT-B's 86.6 million parameters, 6 of 12 MLPs at m = 256 save 30.0 %; of a classic radiance field's pair of layers at
/// m = 64, three quarters.
#[test]
fn parameters_are_those_of_the_paper() {
    let (dim, hidden, blocks) = (768, 3072, 12);
    let mlp = 2 * dim * hidden + hidden + dim;
    let attention = dim * 3 * dim + 3 * dim + dim * dim + dim;
    let rest = 16 * 16 * 3 * dim + dim + dim + 197 * dim + 2 * dim + dim * 1000 + 1000;
    let all = blocks * (mlp + attention + 4 * dim) + rest;
    assert_eq!(all, 86_567_656);
    let config = FeatureConfig { features: 256, ..FeatureConfig::default() };
    let saved = 6 * (mlp - config.parameters(dim, dim));
    assert_eq!(config.parameters(dim, dim), 394_496);
    assert_eq!((1000.0 * saved as f64 / all as f64).round(), 300.0, "{saved}");
    let pair = FeatureConfig::default();
    assert_eq!((2 * (256 * 256 + 256), pair.parameters(256, 256)), (131_584, 33_152));
    assert_eq!(pair.products(256, 256), 33_152 - 256);
}

#[test]
fn settings_are_checked() {
    for config in cases() {
        assert_eq!(config.validate(), Ok(()));
        let text = toml::to_string(&config).expect("text");
        assert_eq!(toml::from_str::<FeatureConfig>(&text).expect("a config"), config);
    }
    let wrong = |config: FeatureConfig| config.validate().expect_err("refused").setting;
    assert_eq!(wrong(FeatureConfig { order: 5, ..FeatureConfig::default() }), "--eugen-order");
    assert_eq!(wrong(FeatureConfig { features: 0, ..FeatureConfig::default() }), "--eugen-features");
    let short = FeatureConfig { order: 2, ..FeatureConfig::unbiased(16, &[0.0, 1.0]) };
    assert_eq!(wrong(short), "--eugen-polynomial");
}
