#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{FdOptions, TestRng, close, finite_difference, narrow, widen};
use crate::ops::hash_grid::{BLOCK, Points};
use crate::simd::Isa;

/// Points inside, on and beyond the border; padded to whole blocks.
fn points(rng: &mut TestRng, n: usize) -> [Vec<f32>; 3] {
    let padded = n.next_multiple_of(BLOCK);
    let mut axes: [Vec<f32>; 3] = std::array::from_fn(|_| narrow(&rng.uniforms(padded, -0.02, 1.02)));
    for (i, x) in [0.0, 1.0, 1e-7, 1.0 - 1e-7, 0.5].into_iter().enumerate() {
        axes.iter_mut().for_each(|axis| axis[i] = x);
    }
    axes
}

fn at([x, y, z]: &[Vec<f32>; 3], i: usize) -> [f64; 3] {
    [x[i], y[i], z[i]].map(f64::from)
}

#[test]
fn lookups_and_their_gradients_are_the_references() {
    for (side, n) in [(2, 5), (7, 200), (64, 700)] {
        let mut rng = TestRng::new(side as u64);
        let grid = narrow(&rng.normals(side * side * side, 3.0));
        let place = points(&mut rng, n);
        let [x, y, z] = &place;
        let view = Points { x, y, z };
        let want: Vec<f64> = (0..n).map(|i| reference::logit(side, &widen(&grid), at(&place, i))).collect();
        let d = narrow(&rng.normals(n, 1.0));
        let mut want_grad = vec![0.0; grid.len()];
        for (i, d) in d.iter().enumerate() {
            reference::backward(side, at(&place, i), f64::from(*d), &mut want_grad);
        }
        for isa in Isa::available() {
            let mut out = vec![f32::NAN; x.len()];
            forward(isa, side, &grid, view, &mut out);
            // A position's rounding counts `side` times as much in the grid.
            close(&out[..n], &want, 1e-5, 1e-4).unwrap();
            let mut grad = vec![0.0; grid.len()];
            backward(isa, side, view, n, &d, &mut grad);
            close(&grad, &want_grad, 1e-5, 1e-4).unwrap();
        }
    }
}

#[test]
fn a_logit_rules_its_cells_centre_and_borders_are_flat() {
    let side = 4;
    let grid: Vec<f64> = (0..64).map(f64::from).collect();
    for (i, want) in grid.iter().enumerate() {
        let centre = [i % 4, i / 4 % 4, i / 16].map(|c| (c as f64 + 0.5) / 4.0);
        assert_eq!(reference::logit(side, &grid, centre), *want);
    }
    assert_eq!(reference::logit(side, &grid, [0.0; 3]), 0.0);
    assert_eq!(reference::logit(side, &grid, [1.0; 3]), 63.0);
}

#[test]
fn scaled_rows_and_their_gradients_are_the_references() {
    let (n, columns, stride) = (37, 30, 32);
    let mut rng = TestRng::new(5);
    // Closed and open as far as logits are let go.
    let logit = narrow(&rng.uniforms(n, -10.0, 10.0));
    let rows = |rng: &mut TestRng| {
        let mut rows = narrow(&rng.normals(n * stride, 1.0));
        rows.chunks_exact_mut(stride).for_each(|row| row[columns..].fill(0.0));
        rows
    };
    let (from, d_to) = (rows(&mut rng), rows(&mut rng));
    for isa in Isa::available() {
        let (mut to, mut d_from) = (vec![f32::NAN; n * stride], vec![f32::NAN; n * stride]);
        let mut d_logit = vec![f32::NAN; n];
        scale(isa, n, &logit, &from, &mut to, stride);
        scale_backward(isa, n, &logit, &to, &d_to, &mut d_from, &mut d_logit, stride);
        for i in 0..n {
            let row = i * stride..(i + 1) * stride;
            let (logit, features) = (f64::from(logit[i]), widen(&from[row.clone()]));
            close(&to[row.clone()], &reference::scale(logit, &features), 1e-6, 1e-6).unwrap();
            let (d, d_features) = reference::scale_backward(logit, &features, &widen(&d_to[row.clone()]));
            close(&d_from[row], &d_features, 1e-6, 1e-6).unwrap();
            let size: f64 = features.iter().map(|f| f.abs()).sum();
            let slope = reference::sigmoid(logit) * reference::sigmoid(-logit);
            assert!((f64::from(d_logit[i]) - d).abs() < 1e-6 * size * slope, "{i}: {} {d}", d_logit[i]);
        }
    }
}

#[test]
fn the_references_gradients_match_differences() {
    let mut rng = TestRng::new(6);
    let (side, position) = (5, [0.31, 0.77, 0.02]);
    let (grid, features, d_v) = (rng.normals(125, 2.0), rng.normals(6, 1.0), rng.normals(6, 1.0));
    let loss = |grid: &[f64], features: &[f64]| -> f64 {
        let v = reference::scale(reference::logit(side, grid, position), features);
        v.iter().zip(&d_v).map(|(v, d)| v * d).sum()
    };
    let (d_logit, d_features) =
        reference::scale_backward(reference::logit(side, &grid, position), &features, &d_v);
    let mut d_grid = vec![0.0; grid.len()];
    reference::backward(side, position, d_logit, &mut d_grid);
    finite_difference(|g| loss(g, &features), &grid, &d_grid, FdOptions::default()).unwrap();
    finite_difference(|f| loss(&grid, f), &features, &d_features, FdOptions::default()).unwrap();
}

#[test]
fn the_penaltys_gradient_is_that_of_the_mean() {
    let mut rng = TestRng::new(7);
    let grid = narrow(&rng.uniforms(4096 * 3 + 16, -10.0, 10.0));
    let n = grid.len() as f64;
    let slope = 0.7;
    let slopes: Vec<f64> =
        widen(&grid).iter().map(|g| slope * reference::sigmoid(*g) * reference::sigmoid(-g) / n).collect();
    let options = FdOptions { limit: Some(200), ..FdOptions::default() };
    finite_difference(|g| slope * reference::mean(g), &widen(&grid), &slopes, options).unwrap();
    for isa in Isa::available() {
        assert!((mean(isa, &grid) / reference::mean(&widen(&grid)) - 1.0).abs() < 1e-6);
        let mut grad = vec![1.0; grid.len()];
        penalize(isa, 0.7 * 1e3, &grid, &mut grad);
        let want: Vec<f64> = slopes.iter().map(|d| 1.0 + d * n * 1e3).collect();
        close(&grad, &want, 1e-6, 1e-6).unwrap();
    }
}

#[test]
fn logits_are_kept_in_reach() {
    let mut grid = [-11.0, -10.0, 0.5, 12.0];
    clamp(10.0, &mut grid);
    assert_eq!(grid, [-10.0, -10.0, 0.5, 10.0]);
}
