//! Faults that are planted in the kernels are found by the comparisons above.

use super::*;

/// Kernels of one op with a fault, beside all others as they are.
struct Faulty<'a> {
    right: ShimGpu<'a>,
    wrong: ShimGpu<'a>,
    kernels: &'static [&'static str],
}

impl Gpu for Faulty<'_> {
    fn processors(&self) -> u32 {
        self.right.processors()
    }
    fn shared_memory(&self) -> u32 {
        self.right.shared_memory()
    }
    fn alloc(&mut self, bytes: usize) -> Result<crate::gpu::Address, crate::gpu::GpuError> {
        self.right.alloc(bytes)
    }
    fn free(&mut self, at: crate::gpu::Address) {
        self.right.free(at);
    }
    fn upload(&mut self, to: crate::gpu::Address, bytes: &[u8]) -> Result<(), crate::gpu::GpuError> {
        self.right.upload(to, bytes)
    }
    fn download(&self, from: crate::gpu::Address, out: &mut [u8]) -> Result<(), crate::gpu::GpuError> {
        self.right.download(from, out)
    }
    fn clear(&mut self, at: crate::gpu::Address, bytes: usize) -> Result<(), crate::gpu::GpuError> {
        self.right.clear(at, bytes)
    }
    fn start(
        &mut self,
        name: &'static str,
        threads: u32,
        blocks: u32,
        shared: u32,
        params: &[u8],
    ) -> Result<(), crate::gpu::GpuError> {
        let gpu = if self.kernels.contains(&name) { &mut self.wrong } else { &mut self.right };
        gpu.start(name, threads, blocks, shared, params)
    }
}

/// The relative difference of the first table's and the first layer's gradients to the processor's, or what stopped the
/// step.
fn with_fault(
    (op, name, kernels): (&str, &str, &'static [&'static str]),
    (right, wrong): (&str, &str),
    order: u32,
) -> Option<Result<f64, String>> {
    // Faults are planted into the processor's kernels.
    if std::env::var_os(DEVICE).is_some() {
        return None;
    }
    let (compiled, faulty) = (Compiled::get()?, Compiled::with_fault(op, name, right, wrong)?);
    let setup = Setup { min_transmittance: 0.2, size: 2.0, ..Setup::default() };
    let mut cpu = setup.engine(Isa::best(), 1);
    let gpu = Faulty { right: ShimGpu::new(compiled, order), wrong: ShimGpu::new(&faulty, order), kernels };
    let mut engine =
        CudaEngine::new(Device::Cuda(0), &setup.spec(), &options(Purpose::Train), Box::new(gpu)).unwrap();
    for block in cpu.layout().params.ids() {
        engine.write(block, &cpu.read(block).unwrap()).unwrap();
    }
    let given = Shots::new(3, 1.0, (0..60).map(|i| [0, 1, 7, 20, 90][i % 5])).given(7);
    cpu.step(&given.step(0.0)).unwrap();
    if let Err(error) = engine.step(&given.step(0.0)) {
        return Some(Err(error.to_string()));
    }
    let off = |name: &str| difference(&state(&engine, name), &state(&cpu, name));
    Some(Ok(off("adam.m/grid.00").max(off("adam.m/density.0.weight"))))
}

/// Without a fault the comparison is silent, so what it says below is the fault's.
#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let same = ("uint32_t base = 0;\n        DO_NOT_UNROLL", "uint32_t base = 0;\n        DO_NOT_UNROLL");
    for order in [0, 1] {
        let Some(found) = with_fault(("mlp", "none", &["backward_f32"]), same, order) else { return };
        assert!(found.unwrap() < 1e-4);
    }
}

#[test]
fn a_missing_barrier_is_found() {
    let right = "            // They have been read by all.\n            __syncthreads();";
    let found: Option<Vec<_>> = [0, 1]
        .iter()
        .map(|order| with_fault(("mlp", "barrier", &["backward_f32"]), (right, ""), *order))
        .collect();
    let Some(found) = found else { return };
    // In one of the orders of the threads a row is overwritten before another warp has read it.
    assert!(found.iter().any(|f| f.as_ref().is_ok_and(|off| *off > 1e-3)), "{found:?}");
}

#[test]
fn a_barrier_that_some_never_reach_is_an_error() {
    let right = "            // They have been read by all.\n            __syncthreads();";
    let wrong = "            if (warp() == 0) __syncthreads();";
    let Some(found) = with_fault(("mlp", "hang", &["backward_f32"]), (right, wrong), 0) else { return };
    // Warps are out of step from there on, until some have ended and others wait.
    assert!(found.as_ref().is_err_and(|e| e.contains("barrier") && e.contains("backward_f32")), "{found:?}");
}

#[test]
fn an_off_by_one_in_the_compaction_is_found() {
    let (right, wrong) = ("p.source[start++] = from + k;", "p.source[start++] = from + k + 1;");
    let Some(found) = with_fault(("march", "shifted", &["gather"]), (right, wrong), 0) else { return };
    assert!(found.unwrap() > 1e-2);
}

#[test]
fn a_gradient_that_is_not_scaled_is_found() {
    let (right, wrong) = (
        "d[3] = dt * (before * (1.0f - alpha) * worth - behind) * up;",
        "d[3] = dt * (before * worth - behind) * up;",
    );
    let Some(found) = with_fault(("composite", "unscaled", &["composite"]), (right, wrong), 0) else {
        return;
    };
    assert!(found.unwrap() > 1e-2);
}
