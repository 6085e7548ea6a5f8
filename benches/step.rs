//! A whole training step on the design's work: random rays of 32 samples, every sample in the whole step.

mod work;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nerve::nerf::NerfConfig;
use std::time::Duration;

/// T, threads, samples per step, Adam over whole tables.
const CASES: [(u32, usize, usize, bool); 6] = [
    (19, 2, 1 << 16, false),
    (19, 1, 1 << 16, false),
    (19, 2, 1 << 16, true),
    (19, 2, 1 << 14, false),
    (15, 2, 1 << 16, false),
    (15, 1, 1 << 16, false),
];

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    for (log2_entries, threads, samples, dense) in CASES {
        let mut config = NerfConfig::default();
        config.grid.log2_entries = log2_entries;
        config.train.dense_adam = dense;
        let mut bench = match work::Bench::new(&config, threads, samples) {
            Ok(bench) => bench,
            Err(e) => panic!("the default configuration: {e}"),
        };
        let adam = if dense { "dense" } else { "sparse" };
        let id = BenchmarkId::new(format!("T2^{log2_entries}/{threads}threads/{adam}"), samples);
        group.throughput(Throughput::Elements(samples as u64));
        group.bench_function(id, |b| b.iter(|| bench.step()));
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
