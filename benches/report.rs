//! What `compare` reports: medians, ratios, shares of the limits, as tables.

use crate::roof::Roof;
use crate::work::PER_RAY;
use nerve::core::device::CpuInfo;
use nerve::core::engine::StepStats;
use serde::{Deserialize, Serialize};

/// One way to train.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Case {
    /// Base-2 logarithm of a level's most entries.
    pub log2_entries: u32,
    /// Workers.
    pub threads: usize,
    /// Samples per step.
    pub samples: usize,
    /// Whether our Adam goes over whole tables.
    pub dense_adam: bool,
    /// Products in bf16, their sums in f32.
    pub bf16: bool,
    /// Whether the peer runs it too.
    pub peer: bool,
}

/// Steps of one case.
#[derive(Debug, Default)]
pub struct Turns {
    /// Ours: time in ms.
    pub ours: Vec<(f64, StepStats)>,
    /// The peer's, one per turn.
    pub theirs: Vec<TorchStep>,
}

/// A case's outcome. Times are medians in ms.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// What was run.
    pub case: Case,
    /// Our step.
    pub step_ms: f64,
    /// Drawing, marching, encoding; the networks and compositing, both ways; their update; scatter and the tables'
    /// update.
    pub phases_ms: [f64; 4],
    /// 10^6 samples a second.
    pub msamples: f64,
    /// The peer's step.
    pub peer_step_ms: Option<f64>,
    /// The fastest steps, ours and the peer's: what other work on the machine disturbs least.
    pub best_ms: [Option<f64>; 2],
    /// Forward, backward, optimizer.
    pub peer_phases_ms: Option<[f64; 3]>,
    /// Our samples per second over the peer's.
    pub ratio: Option<f64>,
    /// Multiply-adds of the networks' products over the limit: of the whole step, and of its second phase.
    pub flops_share: [f64; 2],
    /// The encoding's reads per second of the first phase over the limit.
    pub gather_share: f64,
    /// The scatter's writes per second of the fourth phase over the limit.
    pub scatter_share: f64,
}

/// What `peer_nerf_torch.py` tells about its steps.
#[derive(Clone, Debug, Deserialize)]
pub struct TorchStep {
    /// PyTorch's version.
    pub torch: String,
    /// Median time of a step.
    pub step_ms_median: f64,
    /// Time of the fastest step.
    pub step_ms_min: f64,
    /// Medians of forward, backward, optimizer.
    pub fwd_bwd_opt_ms: [f64; 3],
}

/// All that is printed.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The processor.
    pub cpu: CpuInfo,
    /// The instruction set that ours used.
    pub isa: &'static str,
    /// `/proc/loadavg` before and after.
    pub load: [String; 2],
    /// The peer's version, if it ran.
    pub torch: Option<String>,
    /// The limits, by threads.
    pub roof: Vec<Roof>,
    /// The cases.
    pub outcomes: Vec<Outcome>,
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    // Of an even number, the mean of the middle two: neither side may have the better of its pair.
    let (low, high) = (values.get(values.len().saturating_sub(1) / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

/// Multiply-adds of one sample's products in a whole step, as the formulas have them, without padding: forward,
/// and the gradients of inputs and weights. The color network's 16 direction inputs are multiplied once per ray
/// and have no gradient of their own.
fn operations_per_sample() -> f64 {
    let per_sample = 32 * 64 + 64 * 16 + 16 * 64 + 64 * 64 + 64 * 3;
    let per_ray = 16 * 64;
    2.0 * (3.0 * f64::from(per_sample) + 2.0 * f64::from(per_ray) / PER_RAY as f64)
}

impl Turns {
    /// The medians, and their place below the limits of as many threads.
    pub fn outcome(&self, case: Case, roof: &Roof) -> Outcome {
        let Self { ours, theirs } = self;
        let middle = |f: &dyn Fn(&(f64, StepStats)) -> f64| median(ours.iter().map(f)).unwrap_or(f64::NAN);
        let step_ms = middle(&|o| o.0);
        let phase = |f: fn(&StepStats) -> std::time::Duration| middle(&|o| f(&o.1).as_secs_f64() * 1e3);
        let phases_ms = [
            phase(|s| s.phases.draw),
            phase(|s| s.phases.stages),
            phase(|s| s.phases.dense),
            phase(|s| s.phases.tables),
        ];
        let peer_step_ms = median(theirs.iter().map(|t| t.step_ms_median));
        let peer_phase = |i: usize| median(theirs.iter().map(|t| t.fwd_bwd_opt_ms[i]));
        let samples = case.samples as f64;
        let operations = samples * operations_per_sample();
        // Eight corners on each of 16 levels.
        let accesses = samples * 8.0 * 16.0;
        let best = |times: &mut dyn Iterator<Item = f64>| times.min_by(f64::total_cmp);
        Outcome {
            case,
            step_ms,
            best_ms: [best(&mut ours.iter().map(|o| o.0)), best(&mut theirs.iter().map(|t| t.step_ms_min))],
            phases_ms,
            msamples: samples / step_ms / 1e3,
            peer_step_ms,
            peer_phases_ms: peer_phase(0).zip(peer_phase(1)).zip(peer_phase(2)).map(|((a, b), c)| [a, b, c]),
            ratio: peer_step_ms.map(|peer| peer / step_ms),
            flops_share: [step_ms, phases_ms[1]].map(|ms| operations / ms / 1e6 / roof.gflops),
            gather_share: accesses / phases_ms[0] / 1e3 / roof.mgathers,
            scatter_share: accesses / phases_ms[3] / 1e3 / roof.mscatters,
        }
    }
}

impl Report {
    /// Prints tables, in Markdown.
    pub fn print(&self) {
        let CpuInfo { model, logical_cores, .. } = &self.cpu;
        println!(
            "{}, {logical_cores} cores, {}; load {} before, {} after; PyTorch {}\n",
            model.as_deref().unwrap_or("unknown CPU"),
            self.isa,
            self.load[0],
            self.load[1],
            self.torch.as_deref().unwrap_or("not run"),
        );
        println!("| limit, threads | f32 FMA GFLOP/s | read GB/s | 8-byte gathers M/s | scatter-adds M/s |");
        println!("|---|---|---|---|---|");
        for r in &self.roof {
            let Roof { threads, gflops, read_gbytes, mgathers, mscatters } = r;
            println!("| {threads} | {gflops:.0} | {read_gbytes:.1} | {mgathers:.0} | {mscatters:.0} |");
        }
        println!(
            "\n| T | threads | samples | Adam, products | M samples/s | peer | ratio | step ms: draw, stages, dense, tables \
         | peer ms: fwd, bwd, opt | best ms: ours, peer | FLOP/s share: step, stages | gathers in draw | scatters in tables |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        for o in &self.outcomes {
            let Case { log2_entries, threads, samples, dense_adam, bf16, .. } = o.case;
            let adam = if dense_adam { "dense" } else { "sparse" };
            let products = if bf16 { "bf16" } else { "f32" };
            let dash = || "-".to_owned();
            let peer = o.peer_step_ms.map_or_else(dash, |ms| format!("{:.2}", samples as f64 / ms / 1e3));
            let ratio = o.ratio.map_or_else(dash, |r| format!("{r:.1}"));
            let [draw, stages, dense, tables] = o.phases_ms;
            let peer_ms = o.peer_phases_ms.map_or_else(dash, |[f, b, a]| format!("{f:.0}, {b:.0}, {a:.0}"));
            let best = o.best_ms.map(|ms| ms.map_or_else(dash, |ms| format!("{ms:.1}"))).join(", ");
            let [step_share, stages_share] = o.flops_share.map(|s| 100.0 * s);
            println!(
                "| 2^{log2_entries} | {threads} | {samples} | {adam}, {products} | {:.2} | {peer} | {ratio} \
             | {:.1}: {draw:.1}, {stages:.1}, {dense:.1}, {tables:.1} | {peer_ms} | {best} \
             | {step_share:.0} %, {stages_share:.0} % | {:.0} % | {:.0} % |",
                o.msamples,
                o.step_ms,
                100.0 * o.gather_share,
                100.0 * o.scatter_share,
            );
        }
        println!(
            "\nOur step includes copying the drawn rays and packing their samples; the peer's batch is made before \
         its clock starts. FLOP are the products' multiply-adds without padding. Shares of gathers and scatters \
         count 8 corners x 16 levels against random accesses to 4 MB; smaller tables and neighboring samples \
         may exceed them. The peer's Adam is dense, its moments are f32; ours are packed unless dense."
        );
    }
}
