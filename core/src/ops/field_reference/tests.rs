#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::activation::reference::SOFTPLUS;
use crate::ops::check::{FdOptions, TestRng, close, finite_difference};
use crate::ops::hash_grid::HashGridConfig;

fn network(rng: &mut TestRng, widths: &[usize]) -> Vec<Matrix> {
    let layer = |w: &[usize]| {
        let deviation = (2.0 / w[0] as f64).sqrt();
        Matrix { rows: w[1], columns: w[0], values: rng.normals(w[0] * w[1], deviation) }
    };
    widths.windows(2).map(layer).collect()
}

/// A small field: one dense and two hashed levels, hidden layers of 8.
fn field(rng: &mut TestRng) -> FieldReference {
    let config =
        HashGridConfig { levels: 3, features: 2, log2_entries: 8, base_resolution: 4, finest_resolution: 24 };
    let levels = config.levels().unwrap();
    assert!(levels[0].dense && !levels[2].dense);
    let tables = levels.iter().map(|level| rng.normals(level.entries * 2, 1.0)).collect();
    let density = network(rng, &[config.outputs(), 8, GEOMETRY]);
    let color = network(rng, &[16 + GEOMETRY, 8, 8, 3]);
    FieldReference::new(levels, config.features, tables, density, color)
}

fn rays(rng: &mut TestRng, rays: usize, samples: usize) -> Vec<ReferenceRay> {
    let mut ray = || {
        let (direction, dt) = (rng.direction(), 0.08);
        let along = |i: usize| {
            let t = (i as f64 + 0.5) * dt;
            ReferenceSample { position: direction.map(|d| 0.5 + 0.9 * d * (t - 0.3)), t, dt }
        };
        let samples = (0..samples).map(along).collect();
        let target = [0; 4].map(|_| rng.uniform(0.1, 0.9));
        let background = [0; 3].map(|_| rng.uniform(0.0, 1.0));
        ReferenceRay { direction, samples, target, background, camera: 0, distance: 0.0 }
    };
    (0..rays).map(|_| ray()).collect()
}

/// A block of parameters, and the same block of the gradients.
type Block =
    (&'static str, fn(&mut FieldReference) -> Vec<&mut Vec<f64>>, fn(&FieldGradients) -> Vec<&Vec<f64>>);

const BLOCKS: [Block; 4] = [
    ("tables", |f| f.tables.iter_mut().collect(), |g| g.tables.iter().collect()),
    ("density", |f| f.density.iter_mut().map(|w| &mut w.values).collect(), |g| values(&g.density)),
    ("color", |f| f.color.iter_mut().map(|w| &mut w.values).collect(), |g| values(&g.color)),
    (
        "saliency",
        |f| f.saliency.iter_mut().map(|(_, grid)| grid).collect(),
        |g| if g.saliency.is_empty() { vec![] } else { vec![&g.saliency] },
    ),
];

fn values(layers: &[Matrix]) -> Vec<&Vec<f64>> {
    layers.iter().map(|w| &w.values).collect()
}

fn check_all_gradients(field: &FieldReference, rays: &[ReferenceRay]) {
    let (_, gradients, _) = field.loss_and_gradients(rays);
    for (name, parameters, gradient) in BLOCKS {
        for (k, analytic) in gradient(&gradients).into_iter().enumerate() {
            assert!(analytic.iter().any(|&g| g != 0.0), "{name} {k} is not reached");
            let mut moved = field.clone();
            let start = parameters(&mut moved)[k].clone();
            let loss = |values: &[f64]| {
                parameters(&mut moved)[k].copy_from_slice(values);
                moved.loss_and_gradients(rays).0
            };
            // Steps short of the nearest ReLU kink of some 400 units.
            let options = FdOptions { eps: 1e-5, limit: Some(400), ..FdOptions::default() };
            if let Err(mismatch) = finite_difference(loss, &start, analytic, options) {
                panic!("{name} {k}: {mismatch}");
            }
        }
    }
}

#[test]
fn every_gradient_matches_finite_differences() {
    let mut rng = TestRng::new(20);
    let field = field(&mut rng);
    check_all_gradients(&field, &rays(&mut rng, 3, 6));
}

/// Once with gates on their slopes, once with open ones.
#[test]
fn so_it_does_with_a_saliency_grid_and_a_gate() {
    for (seed, alpha) in [(24, 0.3), (25, 3.0)] {
        let mut rng = TestRng::new(seed);
        let saliency = Some((4, rng.normals(64, 1.0)));
        let field = FieldReference { saliency, gate: Some(alpha), ..field(&mut rng) };
        check_all_gradients(&field, &rays(&mut rng, 3, 6));
    }
}

#[test]
fn so_it_does_with_softplus_huber_and_an_early_end() {
    let mut rng = TestRng::new(21);
    let field = FieldReference {
        density_activation: SOFTPLUS,
        penalty: Penalty::Huber { delta: 0.1 },
        min_transmittance: 0.9,
        ..field(&mut rng)
    };
    let rays = rays(&mut rng, 3, 12);
    let (_, _, outputs) = field.loss_and_gradients(&rays);
    assert!(outputs.iter().any(|out| out.live_samples < 12), "{outputs:?}");
    check_all_gradients(&field, &rays);
}

/// Two cameras with colors of their own; weights held together, and around distances that two of the rays know.
fn shown(rng: &mut TestRng) -> (FieldReference, Vec<ReferenceRay>) {
    let codes = (0..2).map(|_| rng.normals(12, 0.2).try_into().unwrap()).collect();
    let place = |t: f64| 0.8 * t.ln_1p();
    let length = |t: f64, dt: f64| 0.8 * dt / (1.0 + t);
    let spread = Some(SpreadReference { distortion: 0.7, depth: 0.4, place, length });
    let field = FieldReference { codes, spread, ..field(rng) };
    let mut rays = rays(rng, 3, 6);
    (rays[1].camera, rays[0].distance, rays[1].distance) = (1, 0.13, 0.31);
    (field, rays)
}

#[test]
fn so_it_does_with_colors_and_spread() {
    let (field, rays) = shown(&mut TestRng::new(26));
    check_all_gradients(&field, &rays);
    let (_, gradients, _) = field.loss_and_gradients(&rays);
    for (camera, analytic) in gradients.codes.iter().enumerate() {
        let mut moved = field.clone();
        let loss = |values: &[f64]| {
            moved.codes[camera].copy_from_slice(values);
            moved.loss_and_gradients(&rays).0
        };
        finite_difference(loss, &field.codes[camera], analytic, FdOptions::default()).unwrap();
    }
}

#[test]
fn positions_and_directions_have_right_gradients() {
    let (field, rays) = shown(&mut TestRng::new(27));
    let (_, gradients, _) = field.loss_and_gradients(&rays);
    let mut moved = rays.clone();
    for (r, ray) in rays.iter().enumerate() {
        // Steps short of the nearest cell, of 1 / 24, and of the nearest ReLU kink.
        let options = FdOptions { eps: 1e-6, ..FdOptions::default() };
        for (i, sample) in ray.samples.iter().enumerate() {
            let of_position = |p: &[f64]| {
                moved[r].samples[i].position.copy_from_slice(p);
                field.loss_and_gradients(&moved).0
            };
            finite_difference(of_position, &sample.position, &gradients.positions[r][i], options).unwrap();
            moved[r].samples[i] = *sample;
        }
        let of_direction = |d: &[f64]| {
            moved[r].direction.copy_from_slice(d);
            field.loss_and_gradients(&moved).0
        };
        finite_difference(of_direction, &ray.direction, &gradients.directions[r], options).unwrap();
        moved[r].direction = ray.direction;
    }
}

#[test]
fn it_renders_what_it_queries() {
    let mut rng = TestRng::new(22);
    let field = field(&mut rng);
    let rays = rays(&mut rng, 4, 5);
    let (loss, _, outputs) = field.loss_and_gradients(&rays);
    let mut mean = 0.0;
    for (ray, output) in rays.iter().zip(&outputs) {
        let (mut color, mut transmittance) = ([0.0; 3], 1.0);
        for sample in &ray.samples {
            let (sigma, rgb) = field.query(sample.position, ray.direction);
            let alpha = 1.0 - (-sigma * sample.dt).exp();
            color = [0, 1, 2].map(|c| color[c] + transmittance * alpha * rgb[c]);
            transmittance *= 1.0 - alpha;
        }
        close(&output.color, &color, 1e-12, 1e-12).unwrap();
        assert!((output.opacity - (1.0 - transmittance)).abs() < 1e-12);
        for (c, value) in color.iter().enumerate() {
            let target = ray.target[c] * ray.target[3] + (1.0 - ray.target[3]) * ray.background[c];
            mean += (value + transmittance * ray.background[c] - target).powi(2) / 12.0;
        }
    }
    assert!((loss - mean).abs() < 1e-12);
}

#[test]
fn an_empty_ray_shows_its_background_and_moves_nothing() {
    let mut rng = TestRng::new(23);
    let field = field(&mut rng);
    let (loss, gradients, outputs) = field.loss_and_gradients(&rays(&mut rng, 1, 0));
    assert_eq!((outputs[0].color, outputs[0].opacity), ([0.0; 3], 0.0));
    assert!(loss > 0.0);
    assert!(BLOCKS.iter().all(|(_, _, of)| of(&gradients).into_iter().flatten().all(|&g| g == 0.0)));
}
