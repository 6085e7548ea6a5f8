//! scratch
#[path = "work.rs"]
mod work;
use nerve::nerf::NerfConfig;
use std::time::Instant;
fn main() {
    let a: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (log2, threads, samples) = (
        a.first().copied().unwrap_or(19),
        a.get(1).copied().unwrap_or(2),
        a.get(2).copied().unwrap_or(65536),
    );
    let mut c = NerfConfig::default();
    if std::env::var("BF16").is_ok() {
        c.train.precision = Some(nerve::core::ops::small_gemm::Precision::Bf16);
    }
    c.grid.log2_entries = log2 as u32;
    let mut b = work::Bench::new(&c, threads, samples);
    for _ in 0..20 {
        b.step();
    }
    let mut t = vec![];
    let mut p = vec![vec![]; 4];
    for _ in 0..40 {
        let s = Instant::now();
        let st = b.step();
        t.push(s.elapsed().as_secs_f64() * 1e3);
        for (v, d) in p.iter_mut().zip([st.phases.draw, st.phases.stages, st.phases.dense, st.phases.tables])
        {
            v.push(d.as_secs_f64() * 1e3);
        }
    }
    let med = |v: &mut Vec<f64>| {
        v.sort_by(f64::total_cmp);
        v[v.len() / 2]
    };
    let m = med(&mut t);
    println!(
        "T 2^{log2} threads {threads} samples {samples}: {m:.2} ms = {:.2} M/s (best {:.2}); draw {:.2} stages {:.2} dense {:.2} tables {:.2}",
        samples as f64 / m / 1e3,
        samples as f64 / t[0] / 1e3,
        med(&mut p[0]),
        med(&mut p[1]),
        med(&mut p[2]),
        med(&mut p[3])
    );
}
