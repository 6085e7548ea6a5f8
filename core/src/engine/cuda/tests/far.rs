//! Indices beyond 2^31 and 2^32: what lies there gives the same bits as what lies at the start of its buffer.

use super::altered::{Altered, Far};
use super::training::{step, views};
use super::*;
use crate::engine::cuda::views::camera;
use crate::engine::{Batch, Draw, Space};
use crate::gpu::Address;
use crate::gpu::params::{
    self, AdamParams, AdamState, ClampParams, Counters, DrawParams, GridLevel, LookUpBackwardParams,
    LookUpParams, LossScale, PenalizeParams, Range, Ray as DeviceRay, RayState, RoundParams, StepState, View,
};
use crate::ops::hash_grid::HashGridConfig;
use crate::ops::march::{Steps, Volume};
use bytemuck::{Pod, Zeroable};

const FAR: Far = Far { sample: 3_100_000_003, table: (1 << 32) + 12_344 };
/// Rays and samples that there is room for, so that the later rounds' entries lie beyond 2^32, too.
const RAYS: usize = 1 << 31;
const SAMPLES: usize = 3_200_000_000;

/// These tests need buffers that are larger than a device's memory.
fn on_processor() -> Option<&'static Compiled> {
    if std::env::var_os(DEVICE).is_some() { None } else { Compiled::get() }
}

fn usual(right: ShimGpu<'_>) -> Altered<'_> {
    Altered { right, wrong: None, far: None }
}

/// A step whose rays have more samples than go into the first rounds.
fn finely(step: Step<'_>) -> Step<'_> {
    let Batch::Drawn(draw) = step.batch else { return step };
    let volume = Volume { steps: Steps::new(400, 1), ..draw.space.volume };
    Step { batch: Batch::Drawn(Draw { space: Space { volume, ..draw.space }, ..draw }), ..step }
}

/// All that two steps leave behind, at the start of all buffers or far behind it.
fn two_steps(spec: &FieldSpec, gpu: Altered<'_>) -> Vec<(String, Vec<f64>)> {
    let far = gpu.far.is_some();
    let mut engine = CudaEngine::new(Device::Cuda(0), spec, &options(Purpose::Train), Box::new(gpu)).unwrap();
    if far {
        engine.arena.hold_rays(&mut *engine.gpu, &engine.plan, RAYS).unwrap();
        engine.arena.hold_samples(&mut *engine.gpu, &engine.plan, SAMPLES).unwrap();
        let moved = |level: &GridLevel| GridLevel { offset: level.offset + FAR.table, ..*level };
        let levels: Vec<GridLevel> = engine.plan.levels.iter().map(moved).collect();
        engine.gpu.upload(engine.levels, bytemuck::cast_slice(&levels)).unwrap();
    }
    let views = engine.add_views(views()).unwrap();
    let bits = Bitfield::new(1, true);
    for t in 0..2 {
        let stats = engine.step(&finely(step(&bits, views, t, 12, Some(0.01)))).unwrap();
        // Rays come to the last round.
        assert!(stats.samples > 112 * stats.hits && stats.kept > 0, "{stats:?}");
    }
    let values = |data: StateData<'_>| match data {
        StateData::F32(values) => values.iter().map(|v| f64::from(*v)).collect(),
        StateData::U32(values) => values.iter().map(|v| f64::from(*v)).collect(),
    };
    engine.state().unwrap().into_iter().map(|t| (t.name, values(t.data))).collect()
}

/// Room for the cameras of the views.
fn cameras(mut spec: FieldSpec) -> FieldSpec {
    spec.cameras.count = 8;
    spec
}

/// Fields whose steps take every kernel between them.
fn setups() -> Vec<(&'static str, FieldSpec)> {
    let base = Setup { width: 16, size: 0.5, min_transmittance: 1e-4, ..Setup::default() };
    let one = HashGridConfig { features: 1, ..base.grid.clone() };
    let four = HashGridConfig { features: 4, levels: 3, ..base.grid.clone() };
    let half = |setup: &Setup| FieldSpec { precision: Precision::F16, ..setup.spec() };
    let poses = Setup { pose: true, ..base.clone() };
    let hollow = Setup { saliency: Some(4), gate: Some(2.0), ..base.clone() };
    vec![
        ("f32", base.spec()),
        ("hollow", hollow.spec()),
        ("poses", cameras(poses.spec())),
        ("poses, f16", cameras(half(&poses))),
        ("f16", half(&Setup { grid: four, ..base.clone() })),
        ("f16, one feature", half(&Setup { grid: one, ..base })),
    ]
}

#[test]
fn steps_far_behind_the_start_of_their_buffers_are_the_same() {
    let Some(compiled) = on_processor() else { return };
    for (name, spec) in setups() {
        let Some(sparse) = ShimGpu::sparse(compiled) else { return };
        let near = two_steps(&spec, usual(ShimGpu::new(compiled, 0)));
        let far = two_steps(&spec, Altered { far: Some(FAR), ..usual(sparse) });
        for (near, far) in near.iter().zip(&far) {
            assert!(near == far, "{name}: {}", near.0);
        }
    }
}

/// An op, its kernels that run with the fault, and the fault.
fn fault(
    op: &'static str,
    kernels: &'static [&'static str],
    right: &str,
    wrong: &str,
) -> (&'static str, &'static [&'static str], String, String) {
    (op, kernels, right.into(), wrong.into())
}

/// Indices of 32 bits, planted one by one, give other results.
#[test]
fn indices_of_32_bits_are_found() {
    let Some(compiled) = on_processor() else { return };
    let (_, spec) = setups().swap_remove(2);
    let near = two_steps(&spec, usual(ShimGpu::new(compiled, 0)));
    let table = "\n    const T* table = static_cast<const T*>(p.tables) + ";
    let faults = [
        fault(
            "hash_grid",
            &["encode_f32"],
            &format!("{table}level.offset"),
            &format!("{table}uint32_t(level.offset)"),
        ),
        fault(
            "hash_grid",
            &["encode_backward_f32"],
            "(p.grads) + level.offset",
            "(p.grads) + int32_t(level.offset)",
        ),
        fault(
            "hash_grid",
            &["encode_f32"],
            "(p.out) + uint64_t(blockIdx.x / p.blocks) * p.capacity * p.features",
            "(p.out) + uint32_t(blockIdx.x / p.blocks * p.capacity * p.features)",
        ),
        fault(
            "hash_grid",
            &["trace_points_f32"],
            "(l * p.capacity + i) * f",
            "uint32_t((l * p.capacity + i) * f)",
        ),
        fault(
            "march",
            &["march"],
            "s.positions[a * s.capacity + at]",
            "s.positions[uint32_t(a * s.capacity + at)]",
        ),
        fault(
            "march",
            &["gather"],
            "uint64_t entry = uint64_t(round) * p.samples.most_rays + i",
            "uint32_t entry = round * p.samples.most_rays + uint32_t(i)",
        ),
        fault(
            "composite",
            &["composite"],
            "float* d = p.d_shaded + uint64_t(k) * 4;\n            uint32_t at",
            "float* d = p.d_shaded + k * 4;\n            uint32_t at",
        ),
        fault(
            "mlp",
            &["backward_f32"],
            "(column + first + row) * f + k",
            "uint32_t((column + first + row) * f + k)",
        ),
    ];
    for (at, (op, kernels, right, wrong)) in faults.into_iter().enumerate() {
        let Some(sparse) = ShimGpu::sparse(compiled) else { return };
        let Some(faulty) = Compiled::with_fault(op, &format!("far-{at}"), &right, &wrong) else { return };
        let wrong = Some((ShimGpu::new(&faulty, 0), kernels));
        let far = two_steps(&spec, Altered { wrong, far: Some(FAR), ..usual(sparse) });
        assert!(near != far, "{right} in 32 bits is not found");
    }
}

/// Rays of more samples than 32 bits count are refused before anything is done.
#[test]
fn more_samples_than_can_be_counted_are_refused() {
    if device(0).is_none() {
        return;
    }
    let setup = Setup { width: 16, ..Setup::default() };
    let cpu = setup.engine(Isa::best(), 1);
    let mut gpu = twin(0, &setup.spec(), &cpu);
    let views = gpu.add_views(views()).unwrap();
    let bits = Bitfield::new(1, true);
    let error = gpu.step(&step(&bits, views, 0, 1 << 23, None)).unwrap_err().to_string();
    assert!(error.contains("8388608 rays"), "{error}");
}

/// Memory of one kernel.
struct Memory<'a>(Altered<'a>);

impl Memory<'_> {
    /// Values `at` so many places behind the start of a buffer for `count`.
    fn put<T: Pod>(&mut self, count: u64, at: u64, values: &[T]) -> Address {
        let start = self.0.alloc(count as usize * size_of::<T>()).unwrap();
        self.0.upload(start.offset(at as usize * size_of::<T>()), bytemuck::cast_slice(values)).unwrap();
        start
    }

    fn one<T: Pod>(&mut self, value: T) -> Address {
        self.put(1, 0, &[value])
    }

    fn get<T: Pod + Zeroable>(&self, start: Address, at: u64, count: usize) -> Vec<T> {
        let mut out = vec![T::zeroed(); count];
        self.0
            .download(start.offset(at as usize * size_of::<T>()), bytemuck::cast_slice_mut(&mut out))
            .unwrap();
        out
    }

    /// Runs a kernel over values of which those in front of `first` have been done, a value a thread.
    fn run<P: Pod>(&mut self, kernel: crate::gpu::Kernel<P>, first: u64, count: u64, given: &P) {
        let threads = u64::from(kernel.threads);
        self.0.right.first_block = (first / threads) as u32;
        crate::gpu::launch(&mut self.0, kernel, count.div_ceil(threads) as u32, 0, given).unwrap();
    }
}

/// What the kernels of the update make of values from `first` on.
fn updated(gpu: Altered<'_>, first: u64) -> [Vec<u32>; 9] {
    const N: usize = 700;
    let (mut memory, count) = (Memory(gpu), first + N as u64);
    let values =
        |scale: f32| -> Vec<f32> { (0..N).map(|i| scale * ((i * 37 % 101) as f32 - 50.0)).collect() };
    let weights = memory.put(count, first, &values(1e-2));
    let copies = memory.put(count, first, &[0u16; N]);
    let grads = memory.put(count, first, &values(1e-3));
    let half: Vec<half::f16> = values(1e-3).into_iter().map(half::f16::from_f32).collect();
    let half_grads = memory.put(count, first, bytemuck::cast_slice::<_, u16>(&half));
    let [m, v, packed, average] = [(); 4].map(|()| memory.put(count, first, &[0.0f32; N]));
    let state =
        memory.one(AdamState { rate: 0.1, eps: 1e-8, keep: 0.99, beta1: 0.9, beta2: 0.99, frozen: 0 });
    let step = memory.one(StepState { rays: 2, pruning: 0.5, prunes: 1, ..StepState::default() });
    let (scale, counters) = (memory.one(LossScale { scale: 4.0, steps: 0 }), memory.one(Counters::default()));
    let given = AdamParams {
        weights,
        copies: Address::default(),
        grads,
        half_grads: 0,
        scaled: 1,
        packed: Address::default(),
        m,
        v,
        count,
        sparse: 0,
        pad: 0,
        state,
        average,
        average_decay: 0.5,
        pad2: 0,
        step,
        scale,
        counters,
    };
    memory.run(params::ADAM, first, count, &given);
    let given = AdamParams { grads: half_grads, half_grads: 1, packed, copies, ..given };
    memory.run(params::ADAM, first, count, &given);
    memory.run(params::ROUND_VALUES, first, count, &RoundParams { weights, copies, count });
    let given = PenalizeParams { grid: weights, grads, count, step, scale, counters };
    memory.run(params::PENALIZE_SALIENCY, first, count, &given);
    let given = ClampParams { grid: weights, count, limit: 0.3, pad: 0, step, counters };
    memory.run(params::CLAMP_SALIENCY, first, count, &given);
    let words = |at| memory.get::<u32>(at, first, N);
    let halves = |at| memory.get::<u16>(at, first, N).into_iter().map(u32::from).collect();
    [
        words(weights),
        words(grads),
        words(m),
        words(v),
        words(packed),
        words(average),
        halves(copies),
        halves(half_grads),
        memory.get(counters, 0, size_of::<Counters>() / 4),
    ]
}

#[test]
fn values_far_behind_the_start_are_updated_alike() {
    let Some(compiled) = on_processor() else { return };
    let near = updated(usual(ShimGpu::new(compiled, 0)), 0);
    // All but the last gradients, which are taken and zeroed, are something.
    assert_eq!(
        near.each_ref().map(|values| values.iter().any(|v| *v != 0)),
        [true, true, true, true, true, true, true, false, true]
    );
    let Some(sparse) = ShimGpu::sparse(compiled) else { return };
    assert_eq!(updated(usual(sparse), 1 << 32), near);
    let (right, wrong) = ("s.keep * p.weights[i]", "s.keep * p.weights[uint32_t(i)]");
    let Some(faulty) = Compiled::with_fault("adam", "far", right, wrong) else { return };
    let Some(sparse) = ShimGpu::sparse(compiled) else { return };
    let wrong = Some((ShimGpu::new(&faulty, 0), &["adam"][..]));
    assert_ne!(updated(Altered { wrong, ..usual(sparse) }, 1 << 32), near, "an index of 32 bits is found");
}

/// A saliency grid of more than 2^32 logits.
#[test]
fn logits_far_behind_the_start_are_looked_up_and_learnt() {
    const SIDE: u32 = 1700;
    let Some(compiled) = on_processor() else { return };
    let Some(sparse) = ShimGpu::sparse(compiled) else { return };
    let (mut memory, side) = (Memory(usual(sparse)), u64::from(SIDE));
    let cells = side * side * side;
    let grid = memory.put::<f32>(cells, 0, &[]);
    // The cube of eight in the last corner, x fastest.
    let index = |c: u64| {
        let [x, y, z] = [0, 1, 2].map(|a| side - 2 + (c >> a & 1));
        (z * side + y) * side + x
    };
    assert!(index(0) > 1 << 32);
    for c in 0..8 {
        memory.0.upload(grid.offset(4 * index(c) as usize), bytemuck::bytes_of(&(1.0 + c as f32))).unwrap();
    }
    // A quarter, a half and three quarters of the way from the one to the other.
    let at = |share: f64| ((f64::from(SIDE) - 1.5 + share) / f64::from(SIDE)) as f32;
    let positions = memory.put(3, 0, &[at(0.25), at(0.5), at(0.75)]);
    let (range, source) = (memory.one(Range { begin: 0, end: 1 }), memory.one(0u32));
    let logits = memory.one(0.0f32);
    let given = LookUpParams { grid, side: SIDE, pad: 0, positions, capacity: 1, range, logits };
    memory.run(params::LOOK_UP_SALIENCY, 0, 1, &given);
    let [logit] = memory.get::<f32>(logits, 0, 1)[..] else { panic!("one logit") };
    assert!((logit - (1.0 + 0.25 + 2.0 * 0.5 + 4.0 * 0.75)).abs() < 0.02, "{logit}");
    let grads = memory.put::<f32>(cells, 0, &[]);
    let d_logits = memory.one(1.0f32);
    let given =
        LookUpBackwardParams { side: SIDE, pad: 0, positions, capacity: 1, range, source, d_logits, grads };
    memory.run(params::SALIENCY_BACKWARD, 0, 1, &given);
    for c in 0..8 {
        let share = |a: usize| {
            let up = [0.25, 0.5, 0.75][a];
            if c >> a & 1 == 1 { up } else { 1.0 - up }
        };
        let (want, got) = (share(0) * share(1) * share(2), memory.get::<f32>(grads, index(c), 1)[0]);
        assert!((want - got).abs() < 1e-3, "corner {c}: {got} for {want}");
    }
}

/// A photograph of more than 2^31 pixels, of which one counts.
#[test]
fn pixels_far_behind_the_start_are_drawn() {
    const SIDE: u32 = 50_000;
    let Some(compiled) = on_processor() else { return };
    let Some(sparse) = ShimGpu::sparse(compiled) else { return };
    let mut memory = Memory(usual(sparse));
    let pixel = SIDE * (SIDE - 2) + 7;
    assert!(pixel > 1 << 31);
    let all = u64::from(SIDE) * u64::from(SIDE);
    let mut given = views().swap_remove(3).camera;
    (given.focal, given.principal) = ([f64::from(SIDE); 2], [f64::from(SIDE) / 2.0; 2]);
    let (_, direction) = given.cast(7.5, f64::from(SIDE) - 1.5);
    let forward = given.forward();
    let view = View {
        camera: camera(&given),
        pixels: memory.put(4 * all, 4 * u64::from(pixel), &[51u8, 102, 204, 255]),
        kept: memory.one(pixel),
        depth: memory.put(all, u64::from(pixel), &[3.0f32]),
        width: SIDE,
        height: SIDE,
        channels: 4,
        kept_count: 1,
        depth_scale: 2.0,
        ..View::default()
    };
    let [views, step] = [memory.one(view), memory.one(StepState { rays: 1, ..StepState::default() })];
    let (rays, states) = (memory.one(DeviceRay::default()), memory.one(RayState::default()));
    let targets = memory.one([0.0f32; 8]);
    let given = DrawParams {
        views,
        view_count: 1,
        step,
        side: 1.0,
        shortest: 0.01,
        longest: 0.01,
        near: 0.05,
        rays,
        states,
        targets,
        target_columns: 8,
        has_distance: 1,
        ..DrawParams::default()
    };
    memory.run(params::DRAW_RAYS, 0, 1, &given);
    let target = memory.get::<f32>(targets, 0, 8);
    assert_eq!(target[..4], [0.2, 0.4, 0.8, 1.0]);
    let along: f32 = (0..3).map(|a| direction[a] * forward[a]).sum();
    assert!((target[7] - 6.0 / along).abs() < 1e-4, "{target:?}");
    let ray = memory.get::<DeviceRay>(rays, 0, 1)[0];
    assert!((0..3).all(|a| (ray.direction[a] - direction[a]).abs() < 1e-6), "{ray:?} for {direction:?}");
}
