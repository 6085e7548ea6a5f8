//! scratch micro-benchmarks in thread CPU time
use nerve::core::ops::{adam, hash_grid, matmul::*};
use nerve::core::params::zeros;
use nerve::core::simd::Isa;
fn cpu() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}
fn time(n: usize, mut f: impl FnMut()) -> f64 {
    f();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let t = cpu();
        for _ in 0..n {
            f();
        }
        best = best.min((cpu() - t) / n as f64);
    }
    best
}
fn main() {
    let isa = Isa::best();
    for (name, m, n, k, arow, acol, mask) in [
        ("fwd 32->64", 512, 64, 32, 32, 1, 0),
        ("fwd 64->16", 512, 16, 64, 64, 1, 0),
        ("fwd 64->64", 512, 64, 64, 64, 1, 0),
        ("fwd relu", 512, 64, 64, 64, 1, 1),
        ("dX mask", 512, 64, 64, 64, 1, 2),
        ("dX k=16", 512, 64, 16, 16, 1, 2),
        ("dX k=3", 512, 64, 3, 16, 1, 2),
        ("dW 64x64", 64, 64, 512, 1, 64, 0),
        ("dW 16x64", 16, 64, 512, 1, 16, 0),
        ("dW 64x32", 64, 32, 512, 1, 64, 0),
        ("dW 64x16", 64, 16, 512, 1, 64, 0),
        ("dW 4x64", 4, 64, 512, 1, 16, 0),
    ] {
        let a = {
            let mut v = zeros((m + 8) * (k + 8).max(512) + 64 * 600);
            v.fill(0.5);
            v
        };
        let b = zeros((k.max(512)) * n + 64);
        let mut c = zeros(520 * n);
        let h = zeros(520 * n);
        let e = || match mask {
            1 => Epilogue::Relu,
            2 => Epilogue::MaskBy(&h, n),
            _ => Epilogue::None,
        };
        let t = time(200, || {
            matmul(
                isa,
                Shape { m, n, k },
                Left { values: &a, row: arow, col: acol },
                &b,
                n,
                &mut c,
                n,
                false,
                e(),
            )
        });
        println!("{name}: {:.1} GFLOP/s, {:.2} us", 2.0 * (m * n * k) as f64 / t / 1e9, t * 1e6);
    }
    let grid = hash_grid::HashGridConfig::default();
    let n = 65536;
    let mut p = [zeros(n), zeros(n), zeros(n)];
    let rng = nerve::core::rng::Rng::new(1);
    for r in 0..n / 32 {
        let a = rng.uniform4(nerve::core::rng::Stream::Init, 0, r as u32);
        let b = rng.uniform4(nerve::core::rng::Stream::Init, 1, r as u32);
        for s in 0..32 {
            for k in 0..3 {
                p[k][r * 32 + s] = a[k] + (b[k] - a[k]) * (s as f32 + 0.5) / 32.0;
            }
        }
    }
    let pts = hash_grid::Points { x: &p[0], y: &p[1], z: &p[2] };
    let mut out = zeros(2 * n);
    out.fill(1.0);
    let (mut tf, mut tb, mut ta) = (0.0, 0.0, 0.0);
    for l in grid.levels().expect("valid") {
        let mut table = zeros(l.entries * 2);
        let mut g = zeros(l.entries * 2);
        let mut m = zeros(l.entries * 2);
        let mut v = zeros(l.entries * 2);
        let f = time(4, || hash_grid::forward_level(isa, &l, &table, pts, &mut out));
        out.fill(1.0);
        let b = time(4, || hash_grid::backward_level(isa, &l, pts, n, &out, &mut g));
        let ad = adam::Adam { rate: 1e-2, betas: [0.9, 0.99], eps: 1e-15, decay: 0.0, sparse: true };
        let a = time(4, || {
            g.fill(1.0);
            adam::update(isa, &ad, 5, &mut table, &mut g, &mut m, &mut v)
        });
        println!(
            "res {} dense {} entries {}: fwd {:.3} ms bwd {:.3} ms adam {:.3} ms",
            l.resolution,
            l.dense,
            l.entries,
            f * 1e3,
            b * 1e3,
            a * 1e3
        );
        tf += f;
        tb += b;
        ta += a;
    }
    println!("sum fwd {:.2} bwd {:.2} adam {:.2} ms", tf * 1e3, tb * 1e3, ta * 1e3);
}
