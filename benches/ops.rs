//! Each op on its own, on one thread, on every instruction set of this CPU.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nerve::core::ops::hash_grid::{GridLevel, HashGridConfig, Points, backward_level, forward_level};
use nerve::core::ops::march::{Bitfield, CELLS, Live, Ray, SIDE, Staged, Steps, clip, march, morton};
use nerve::core::ops::small_gemm::{Epilogue, Left, Shape, small_gemm};
use nerve::core::ops::{adam, composite, sh};
use nerve::core::params::{Values, zeros};
use nerve::core::rng::{Rng, Stream};
use nerve::core::simd::{Isa, flush_denormals};
use std::hint::black_box;
use std::time::Duration;

/// Samples per ray in encoding and compositing.
const PER_RAY: usize = 32;

fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    flush_denormals();
    let mut group = c.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(100));
    group.measurement_time(Duration::from_millis(400));
    group
}

/// Random numbers in [0, 1).
fn random(n: usize, word: u64) -> Values {
    let rng = Rng::new(3);
    let mut values = zeros(n);
    for (i, value) in values.iter_mut().enumerate() {
        *value = rng.uniform4(Stream::Init, word, i as u32)[0];
    }
    values
}

/// One coordinate of samples along rays between random points.
fn along_rays(n: usize, axis: u64) -> Values {
    let (from, to) = (random(n / PER_RAY, 2 * axis), random(n / PER_RAY, 2 * axis + 1));
    let mut values = zeros(n);
    for (i, value) in values.iter_mut().enumerate() {
        let at = (i % PER_RAY) as f32 / PER_RAY as f32;
        *value = from[i / PER_RAY] + at * (to[i / PER_RAY] - from[i / PER_RAY]);
    }
    values
}

/// A level's name: how it is stored, and the cells of a side.
fn name(level: &GridLevel) -> String {
    let kind = if level.dense { "dense" } else { "hashed" };
    format!("{kind}_{}_of_{}k", level.resolution, level.entries / 1000)
}

fn hash_grid(c: &mut Criterion) {
    const POINTS: usize = 1 << 14;
    let [x, y, z] = [0, 1, 2].map(|axis| along_rays(POINTS, axis));
    let points = Points { x: &x, y: &y, z: &z };
    let level = |log2_entries, l: usize| {
        let levels = HashGridConfig { log2_entries, ..HashGridConfig::default() }.levels();
        levels.map(|levels| levels[l]).unwrap_or_else(|e| panic!("a default grid: {e}"))
    };
    // A table in the L1 cache, one in L2 by dense and by hashed indices, and two of 4 MB: coarse, finest.
    let classes = [level(19, 0), level(19, 3), level(15, 15), level(19, 6), level(19, 15)];
    for backward in [false, true] {
        let mut group = group(c, if backward { "hash_grid/backward" } else { "hash_grid/forward" });
        group.throughput(Throughput::Elements(POINTS as u64));
        for level in &classes {
            let (mut table, mut features) = (random(level.entries * 2, 9), random(POINTS * 2, 8));
            for isa in Isa::available() {
                group.bench_function(BenchmarkId::new(name(level), isa.name()), |b| {
                    b.iter(|| match backward {
                        false => forward_level(isa, level, &table, points, &mut features),
                        true => backward_level(isa, level, points, POINTS, &features, &mut table),
                    });
                });
            }
        }
        group.finish();
    }
}

fn adam(c: &mut Criterion) {
    /// A table of 4 MB, and with its moments and gradient 16 MB.
    const VALUES: usize = 1 << 20;
    let mut group = group(c, "adam");
    let [mut w, mut g, mut m, mut v] = [0, 1, 2, 3].map(|word| random(VALUES, word));
    // An update takes the gradient away; sparse ones find a quarter of the 64-byte lines touched, as in a scene.
    for (name, sparse, touched) in
        [("dense", false, 0), ("sparse_of_quarter", true, 4), ("sparse_of_all", true, 1)]
    {
        group.throughput(Throughput::Elements(VALUES as u64));
        let adam = adam::Adam { rate: 1e-2, betas: [0.9, 0.99], eps: 1e-15, decay: 0.0, sparse };
        for isa in Isa::available() {
            group.bench_function(BenchmarkId::new(name, isa.name()), |b| {
                b.iter_custom(|n| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..n {
                        for line in g.chunks_mut(16).step_by(touched.max(1)) {
                            line.fill(1e-3);
                        }
                        let start = std::time::Instant::now();
                        adam::update(isa, &adam, 5, &mut w, &mut g, &mut m, &mut v);
                        spent += start.elapsed();
                    }
                    spent
                });
            });
        }
    }
    group.finish();
}

/// The products of one tile of 512 samples through the field's layers. Elements are operations, padding included.
fn products(c: &mut Criterion) {
    let mut group = group(c, "matmul");
    const TILE: usize = 512;
    let mask = random(TILE * 64, 3);
    // Rows, columns, depth; whether A is read by columns; whether a hidden layer's ReLU follows, or its backward.
    let shapes = [
        ("forward_32_64", TILE, 64, 32, false, Epilogue::Relu),
        ("forward_64_16", TILE, 16, 64, false, Epilogue::None),
        ("forward_64_64", TILE, 64, 64, false, Epilogue::Relu),
        ("d_input_64_64", TILE, 64, 64, false, Epilogue::MaskBy(&mask, 64)),
        ("d_input_16_64", TILE, 64, 16, false, Epilogue::MaskBy(&mask, 64)),
        ("d_weight_64_64", 64, 64, TILE, true, Epilogue::None),
        ("d_weight_16_64", 16, 64, TILE, true, Epilogue::None),
    ];
    for (name, m, n, k, transposed, epilogue) in shapes {
        let (a, b) = (random(m * k, 1), random(k * n, 2));
        let mut out = zeros(m * n);
        let (row, col) = if transposed { (1, m) } else { (k, 1) };
        group.throughput(Throughput::Elements(2 * (m * n * k) as u64));
        for isa in Isa::available() {
            group.bench_function(BenchmarkId::new(name, isa.name()), |bencher| {
                let left = Left { values: &a, row, col };
                bencher.iter(|| {
                    small_gemm(isa, Shape { m, n, k }, left, &b, n, &mut out, n, false, epilogue);
                });
            });
        }
    }
    group.finish();
}

fn compositing(c: &mut Criterion) {
    const SAMPLES: usize = 512;
    let mut group = group(c, "composite");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    let [sigma, dt, t] = [0, 1, 2].map(|word| random(SAMPLES, word));
    let color = random(SAMPLES * 16, 4);
    let mut alpha = zeros(SAMPLES);
    for isa in Isa::available() {
        group.bench_function(BenchmarkId::new("absorb", isa.name()), |b| {
            b.iter(|| composite::absorb(isa, &sigma, &dt, &mut alpha));
        });
    }
    let rays =
        |alpha: &Values, color: &Values, mut f: Box<dyn FnMut(usize, composite::RaySamples<'_>) + '_>| {
            for at in (0..SAMPLES).step_by(PER_RAY) {
                let range = at..at + PER_RAY;
                let (alpha, t) = (&alpha[range.clone()], &t[range]);
                f(at, composite::RaySamples { alpha, t, color: &color[at * 16..], stride: 16 });
            }
        };
    group.bench_function("forward", |b| {
        b.iter(|| {
            rays(
                &alpha,
                &color,
                Box::new(|_, ray| {
                    let mut out = [0.0; 5];
                    composite::forward(ray, composite::Carry::default(), &mut out);
                    black_box(out);
                }),
            );
        });
    });
    let (mut d_sigma, mut d_color) = (zeros(SAMPLES), zeros(SAMPLES * 16));
    group.bench_function("backward", |b| {
        b.iter(|| {
            rays(
                &alpha,
                &color,
                Box::new(|at, ray| {
                    let sigma = &mut d_sigma[at..at + PER_RAY];
                    let grad = composite::RaySamplesGrad { sigma, color: &mut d_color[at * 16..] };
                    composite::backward(ray, &dt[at..at + PER_RAY], &[0.1, 0.2, 0.3, 0.0, 0.4], grad);
                }),
            );
        });
    });
    group.finish();
}

fn harmonics(c: &mut Criterion) {
    const DIRECTIONS: usize = 4096;
    let mut group = group(c, "sh");
    group.throughput(Throughput::Elements(DIRECTIONS as u64));
    let [x, y, z] = [0, 1, 2].map(|word| random(DIRECTIONS, word));
    let mut out = zeros(DIRECTIONS * sh::COEFFICIENTS);
    group.bench_function("degree_4", |b| {
        b.iter(|| {
            for (i, out) in out.chunks_exact_mut(sh::COEFFICIENTS).enumerate() {
                sh::encode([x[i], y[i], z[i]], out);
            }
        });
    });
    group.finish();
}

/// Rays from around toward the middle of an object's surface: a shell of cells, 3 % of the cube.
fn marching(c: &mut Criterion) {
    const RAYS: usize = 1024;
    let mut bits = Bitfield::new(1, false);
    for cell in 0..CELLS {
        let place = morton::decode(cell as u32).map(|c| (c as f32 + 0.5) / SIDE as f32 - 0.5);
        let radius = place.iter().map(|p| p * p).sum::<f32>().sqrt();
        bits.set(cell, (0.28..0.31).contains(&radius));
    }
    let (origins, ends) = ([0, 1, 2].map(|a| random(RAYS, a)), [3, 4, 5].map(|a| random(RAYS, a)));
    let rays: Vec<Ray> = (0..RAYS)
        .map(|i| {
            let away: [f32; 3] = std::array::from_fn(|a| origins[a][i] - 0.5);
            let length = |v: [f32; 3]| v.iter().map(|v| v * v).sum::<f32>().sqrt();
            let origin = away.map(|v| 0.5 + 1.5 * v / length(away));
            let end: [f32; 3] = std::array::from_fn(|a| 0.2 + 0.6 * ends[a][i]);
            let direction: [f32; 3] = std::array::from_fn(|a| end[a] - origin[a]);
            let direction = direction.map(|v| v / length(direction));
            let (near, far) = clip(origin, direction, 1.0);
            Ray { origin, direction, near, far, camera: 0 }
        })
        .collect();
    let (steps, mut staged) = (Steps::new(512, 1), Staged::default());
    let mut run = |isa| {
        staged.clear();
        let mut live: Vec<Live> = (0..).zip(&rays).map(|(ray, r)| Live { ray, from: r.near }).collect();
        march(isa, &bits, &steps, &rays, &mut live, 512, &mut staged);
        staged.samples.t.len()
    };
    let mut group = group(c, "march");
    for isa in Isa::available() {
        group.throughput(Throughput::Elements(run(isa) as u64));
        group.bench_function(BenchmarkId::new("samples_in_a_shell", isa.name()), |b| b.iter(|| run(isa)));
        group.throughput(Throughput::Elements(RAYS as u64));
        group.bench_function(BenchmarkId::new("rays_through_a_shell", isa.name()), |b| b.iter(|| run(isa)));
    }
    group.finish();
}

criterion_group!(benches, hash_grid, adam, products, compositing, harmonics, marching);
criterion_main!(benches);
