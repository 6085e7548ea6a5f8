//! What this machine can do at most, measured by the simplest loops that do it: multiply-adds, sequential reads,
//! random 8-byte reads and read-modify-writes in a hash table's 4 MB.

use nerve::core::params::zeros;
use nerve::core::simd::{Isa, Kernel, Simd, flush_denormals};
use serde::Serialize;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// Entries of the table that is accessed at random: the default's 2^19 pairs of f32.
const ENTRIES: usize = 1 << 19;

/// Values that are read in sequence, per thread: 128 MiB.
const STREAM: usize = 32 << 20;

/// Repetitions; the best counts, because other work on the machine can only slow a loop down.
const REPEATS: usize = 5;

/// The machine's limits on a number of threads, summed over them.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Roof {
    /// Threads that ran at the same time, each on its own data.
    pub threads: usize,
    /// f32 multiply-adds in registers, 10^9 operations a second (a multiply-add is two).
    pub gflops: f64,
    /// Sequential reads, 10^9 bytes a second.
    pub read_gbytes: f64,
    /// Random 8-byte reads, 10^6 a second.
    pub mgathers: f64,
    /// Random 8-byte read-modify-writes, 10^6 a second.
    pub mscatters: f64,
}

impl Roof {
    /// Measures on `threads` threads. Takes about two seconds.
    pub fn measure(isa: Isa, threads: usize) -> Self {
        Self {
            threads,
            gflops: rate(threads, || move || isa.run(MultiplyAdds)) / 1e9,
            read_gbytes: rate(threads, || {
                let values = zeros(STREAM);
                move || isa.run(Read(&values))
            }) / 1e9,
            mgathers: rate(threads, || {
                let table = zeros(2 * ENTRIES);
                move || isa.run(Gathers(pairs(&table)))
            }) / 1e6,
            mscatters: rate(threads, || {
                let mut table = zeros(2 * ENTRIES);
                move || isa.run(Scatters(pairs_mut(&mut table)))
            }) / 1e6,
        }
    }

    /// The larger of two measurements of each limit.
    pub fn best(self, other: Self) -> Self {
        Self {
            threads: self.threads,
            gflops: self.gflops.max(other.gflops),
            read_gbytes: self.read_gbytes.max(other.read_gbytes),
            mgathers: self.mgathers.max(other.mgathers),
            mscatters: self.mscatters.max(other.mscatters),
        }
    }
}

/// What all threads do in a second, at best. `make` prepares a thread's loop, which returns how much it did.
fn rate<F: FnMut() -> usize>(threads: usize, make: impl Fn() -> F + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let worker = || {
        flush_denormals();
        let mut run = make();
        run();
        let once = || {
            barrier.wait();
            let start = Instant::now();
            let done = run();
            done as f64 / start.elapsed().as_secs_f64()
        };
        std::iter::repeat_with(once).take(REPEATS).collect::<Vec<f64>>()
    };
    let rates: Vec<Vec<f64>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        // A worker that panicked has said why.
        workers.into_iter().filter_map(|w| w.join().ok()).collect()
    });
    (0..REPEATS).map(|r| rates.iter().map(|w| w[r]).sum()).fold(0.0, f64::max)
}

/// Independent chains of multiply-adds: enough to hide their latency, few enough for sixteen registers.
struct MultiplyAdds;

impl Kernel for MultiplyAdds {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        const CHAINS: usize = 12;
        const ROUNDS: usize = 10_000_000;
        let (a, b) = (s.splat(black_box(0.999_999)), s.splat(black_box(1e-9)));
        let mut sums = [s.splat(1.0); CHAINS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = s.fma(*sum, a, b);
            }
        }
        black_box(sums.map(|sum| s.reduce_add(sum)));
        2 * CHAINS * ROUNDS * S::LANES
    }
}

/// A sum over all values. Plain loops: the compiler makes vectors of them.
struct Read<'a>(&'a [f32]);

impl Kernel for Read<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        let mut sums = [0.0f32; 64];
        for values in self.0.as_chunks::<64>().0 {
            for i in 0..64 {
                sums[i] += values[i];
            }
        }
        black_box(sums);
        size_of_val(self.0)
    }
}

/// Accesses of one run.
const ACCESSES: u32 = 1 << 22;

/// A pseudo-random entry (the finalizer of MurmurHash3's first half): no access waits for another.
#[inline(always)]
fn entry(i: u32) -> usize {
    let h = i.wrapping_mul(0x85eb_ca6b);
    let h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    (h >> (32 - ENTRIES.ilog2())) as usize
}

struct Gathers<'a>(&'a [[f32; 2]]);

impl Kernel for Gathers<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        let table = self.0;
        let mut sums = [[0.0f32; 2]; 8];
        for i in (0..ACCESSES).step_by(sums.len()) {
            for (k, sum) in (i..).zip(&mut sums) {
                let [a, b] = table[entry(k)];
                *sum = [sum[0] + a, sum[1] + b];
            }
        }
        black_box(sums);
        ACCESSES as usize
    }
}

struct Scatters<'a>(&'a mut [[f32; 2]]);

impl Kernel for Scatters<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        for i in 0..ACCESSES {
            let pair = &mut self.0[entry(i)];
            *pair = [pair[0] + 1.0, pair[1] + 2.0];
        }
        black_box(self.0);
        ACCESSES as usize
    }
}

fn pairs(table: &[f32]) -> &[[f32; 2]] {
    table.as_chunks().0
}

fn pairs_mut(table: &mut [f32]) -> &mut [[f32; 2]] {
    table.as_chunks_mut().0
}
