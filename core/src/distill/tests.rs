#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{TestRng, close, narrow, widen};
use crate::ops::eugen::{FeatureConfig, draw, features};

/// Samples of a smooth function of correlated inputs, and noise.
fn samples(rows: usize, inputs: usize, outputs: usize) -> (Vec<f32>, Vec<f32>) {
    let mut rng = TestRng::new(5);
    let mix = rng.normals(inputs * inputs, 1.0);
    let map = rng.normals(outputs * inputs, 0.5);
    let (mut f, mut y) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let z = rng.normals(inputs, 1.0);
        let x: Vec<f64> =
            (0..inputs).map(|i| 0.7 + (0..inputs).map(|j| mix[i * inputs + j] * z[j]).sum::<f64>()).collect();
        for o in 0..outputs {
            let t: f64 = (0..inputs).map(|i| map[o * inputs + i] * x[i]).sum();
            y.push((t.tanh() * 3.0 - 1.0 + 0.1 * rng.normal()) as f32);
        }
        f.extend(narrow(&x));
    }
    (f, y)
}

/// `(F F^T + ridge) w = F y` of centered values by Gauss and Jordan's elimination with pivots, in f64.
fn direct(f: &[f32], y: &[f32], n: usize, l: usize, lambda: f64) -> (Vec<f64>, Vec<f64>) {
    let (f, y, rows) = (widen(f), widen(y), f.len() / n);
    let mean = |v: &[f64], width: usize, i: usize| v.iter().skip(i).step_by(width).sum::<f64>() / rows as f64;
    let (mf, my): (Vec<f64>, Vec<f64>) =
        ((0..n).map(|i| mean(&f, n, i)).collect(), (0..l).map(|o| mean(&y, l, o)).collect());
    let width = n + l;
    let mut a = vec![vec![0.0; width]; n];
    for r in 0..rows {
        for (i, row) in a.iter_mut().enumerate() {
            let fi = (f[r * n + i] - mf[i]) / rows as f64;
            (0..n).for_each(|j| row[j] += fi * (f[r * n + j] - mf[j]));
            (0..l).for_each(|o| row[n + o] += fi * (y[r * l + o] - my[o]));
        }
    }
    let ridge = lambda * (0..n).map(|i| a[i][i]).sum::<f64>() / n as f64;
    (0..n).for_each(|i| a[i][i] += ridge);
    for i in 0..n {
        let pivot = (i..n).max_by(|p, q| a[*p][i].abs().total_cmp(&a[*q][i].abs())).unwrap();
        a.swap(i, pivot);
        let by = a[i][i];
        a[i].iter_mut().for_each(|v| *v /= by);
        for k in (0..n).filter(|k| *k != i) {
            let (by, from) = (a[k][i], a[i].clone());
            a[k].iter_mut().zip(from).for_each(|(v, from)| *v -= by * from);
        }
    }
    let weight: Vec<f64> = (0..l).flat_map(|o| a.iter().map(move |row| row[n + o])).collect();
    let bias = (0..l).map(|o| my[o] - (0..n).map(|i| weight[o * n + i] * mf[i]).sum::<f64>()).collect();
    (weight, bias)
}

#[test]
fn solutions_are_those_of_a_direct_solve() {
    for (rows, n, l, lambda) in [(40, 3, 2, 1e-3), (700, 17, 5, 1e-4), (3000, 40, 3, 1e-5)] {
        let (f, y) = samples(rows, n, l);
        let mut normal = Normal::new(n, l);
        normal.add(&f, &y);
        let found = normal.solve(lambda).unwrap();
        let (weight, bias) = direct(&f, &y, n, l, lambda);
        close(&found.weight, &weight, 1e-3, 1e-3).unwrap();
        close(&found.bias, &bias, 1e-3, 1e-3).unwrap();
        // The error is that of the predictions.
        let (mut left, mut all) = (0.0, 0.0);
        let means: Vec<f64> = (0..l)
            .map(|o| y.iter().skip(o).step_by(l).map(|y| f64::from(*y)).sum::<f64>() / rows as f64)
            .collect();
        for (f, y) in f.chunks_exact(n).zip(y.chunks_exact(l)) {
            for (o, y) in y.iter().enumerate() {
                let w = &weight[o * n..(o + 1) * n];
                let got = bias[o] + w.iter().zip(f).map(|(w, f)| w * f64::from(*f)).sum::<f64>();
                left += (got - f64::from(*y)).powi(2);
                all += (f64::from(*y) - means[o]).powi(2);
            }
        }
        assert!((found.error - left / all).abs() < 1e-4, "{} {}", found.error, left / all);
    }
}

/// Samples that come bit by bit give what they give at once.
#[test]
fn streamed_is_batch() {
    let (n, l) = (12, 4);
    let (f, y) = samples(2000, n, l);
    let mut batch = Normal::new(n, l);
    batch.add(&f, &y);
    let mut streamed = Normal::new(n, l);
    let mut at = 0;
    for rows in [1, 300, 7, 256, 999, 437] {
        streamed.add(&f[at * n..(at + rows) * n], &y[at * l..(at + rows) * l]);
        at += rows;
    }
    assert_eq!((at, streamed.count()), (2000, batch.count()));
    let (one, two) = (batch.solve(1e-4).unwrap(), streamed.solve(1e-4).unwrap());
    close(&two.weight, &widen(&one.weight), 1e-5, 1e-5).unwrap();
    close(&two.bias, &widen(&one.bias), 1e-5, 1e-5).unwrap();
    assert!(Normal::new(n, l).solve(1e-4).is_err());
    batch.add(&vec![f32::NAN; n], &vec![0.0; l]);
    assert!(batch.solve(1e-4).unwrap_err().to_string().contains("not finite"));
}

#[test]
fn a_subset_is_as_if_nothing_else_were_recorded() {
    let (n, l) = (9, 3);
    let (f, y) = samples(800, n, l);
    let mut all = Normal::new(n, l);
    all.add(&f, &y);
    let chosen = [1, 4, 8];
    let few: Vec<f32> = f.chunks_exact(n).flat_map(|row| chosen.map(|c| row[c])).collect();
    let mut alone = Normal::new(3, l);
    alone.add(&few, &y);
    let (one, two) = (all.subset(&chosen).solve(1e-4).unwrap(), alone.solve(1e-4).unwrap());
    close(&one.weight, &widen(&two.weight), 1e-5, 1e-5).unwrap();
    assert!((one.error - two.error).abs() < 1e-6 && one.error > all.solve(1e-4).unwrap().error);
}

/// At full rank the map is the regression; below, the error falls with the rank, and a map of that rank is found.
#[test]
fn low_ranks_are_the_best() {
    let (n, l, rows) = (14, 10, 3000);
    let mut rng = TestRng::new(8);
    // Outputs through three values alone, and a little noise.
    let (down, up) = (rng.normals(3 * n, 1.0), rng.normals(l * 3, 1.0));
    let (mut f, mut y) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let x = rng.normals(n, 1.0);
        let z: Vec<f64> = (0..3).map(|r| (0..n).map(|i| down[r * n + i] * x[i]).sum()).collect();
        y.extend(
            (0..l).map(|o| {
                (0.5 + (0..3).map(|r| up[o * 3 + r] * z[r]).sum::<f64>() + 0.01 * rng.normal()) as f32
            }),
        );
        f.extend(narrow(&x));
    }
    let mut normal = Normal::new(n, l);
    normal.add(&f, &y);
    let errors: Vec<f64> = (1..5).map(|rank| low_rank(&normal, rank, 1e-6, 1).unwrap().error).collect();
    assert!(errors[0] > 10.0 * errors[2] && errors[1] > 10.0 * errors[2], "{errors:?}");
    assert!(errors[2] < 1e-3 && errors[3] <= errors[2] + 1e-6, "{errors:?}");
    let (found, full) = (low_rank(&normal, l, 1e-6, 1).unwrap(), normal.solve(1e-6).unwrap());
    let rank = found.down.len() / n;
    let product: Vec<f32> = (0..l * n)
        .map(|at| (0..rank).map(|r| found.up[at / n * rank + r] * found.down[r * n + at % n]).sum())
        .collect();
    close(&product, &widen(&full.weight), 1e-3, 1e-3).unwrap();
    close(&found.bias, &widen(&full.bias), 1e-2, 1e-2).unwrap();
}

#[test]
fn what_matters_most_is_kept() {
    let readers: [&[f32]; 2] = [&[0.0, 1.0, 2.0, 0.1], &[0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 9.0]];
    assert_eq!(most_important(&[100.0, 1.0, 1.0, 1.0], &readers, 2), [2, 3]);
}

/// Training the projections makes the fit better.
#[test]
fn trained_projections_fit_better() {
    let (inputs, outputs, rows) = (6, 4, 3000);
    let (x, y) = samples(rows, inputs, outputs);
    let config = FeatureConfig { features: 16, ..FeatureConfig::default() };
    let g = draw(&config.start(), config.shape(inputs), 1, 2);
    let fit = |g: &[f32]| {
        let tensor = |values: &[f32], shape: &[usize]| {
            crate::graph::Tensor::from_slice(values, shape, &crate::graph::Device::Cpu).unwrap()
        };
        let x = tensor(&x, &[rows, inputs]);
        let f = features(&x, &tensor(g, &config.shape(inputs)), &config).unwrap();
        let mut normal = Normal::new(config.outputs(), outputs);
        normal.add(&crate::graph::read(&f).unwrap(), &y);
        normal.solve(1e-5).unwrap()
    };
    let before = fit(&g);
    let theta = (&before.weight[..], &before.bias[..]);
    let trained = train_projections(&config, &g, theta, &x, &y, inputs, outputs, 150, 3).unwrap();
    let after = fit(&trained);
    assert!(after.error < 0.9 * before.error, "{} {}", after.error, before.error);
}

#[test]
fn options_are_checked() {
    use clap::{Args, FromArgMatches};
    let command = DistillOptions::augment_args(clap::Command::new("distill"));
    let parsed = DistillOptions::from_arg_matches(&command.get_matches_from(["distill"])).unwrap();
    assert_eq!(parsed.validate(), Ok(()));
    let wrong = |options: DistillOptions| options.validate().unwrap_err().to_string();
    assert!(wrong(DistillOptions { m: 20, ..parsed.clone() }).contains("--m is 20"));
    assert!(wrong(DistillOptions { k: 9, ..parsed.clone() }).contains("--k is 9"));
    assert!(
        wrong(DistillOptions { k: 2, form: Form::Thin, ..parsed.clone() }).contains("EUGen layers alone")
    );
    assert!(wrong(DistillOptions { ridge: 0.0, ..parsed }).contains("--ridge"));
}
