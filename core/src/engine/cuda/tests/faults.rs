//! Faults that are planted in the kernels are found by the comparisons above.

use super::altered::Altered;
use super::*;

/// A line of an op's kernels, by the name of the fault, and the kernels that are run with it.
type Fault = (&'static str, &'static str, &'static [&'static str]);

/// The relative difference of the first table's and the first layer's gradients to the processor's, or what stopped the
/// step.
fn with_fault(fault: Fault, lines: (&str, &str), order: u32) -> Option<Result<f64, String>> {
    let setup = Setup { min_transmittance: 0.2, size: 2.0, ..Setup::default() };
    step_with_fault(fault, lines, order, &setup, &["adam.m/grid.00", "adam.m/density.0.weight"])
}

/// As [`with_fault`], of what is learned about poses.
fn with_fault_of_poses(fault: Fault, lines: (&str, &str)) -> Option<f64> {
    let setup = Setup { pose: true, min_transmittance: 0.2, size: 2.0, ..Setup::default() };
    step_with_fault(fault, lines, 0, &setup, &["adam.m/cameras.poses"]).map(Result::unwrap)
}

/// The largest relative difference of these blocks to the processor's after a step, or what stopped it.
fn step_with_fault(
    (op, name, kernels): Fault,
    (right, wrong): (&str, &str),
    order: u32,
    setup: &Setup,
    blocks: &[&str],
) -> Option<Result<f64, String>> {
    // Faults are planted into the processor's kernels.
    if std::env::var_os(DEVICE).is_some() {
        return None;
    }
    let (compiled, faulty) = (Compiled::get()?, Compiled::with_fault(op, name, right, wrong)?);
    let mut cpu = setup.engine(Isa::best(), 1);
    let wrong = Some((ShimGpu::new(&faulty, order), kernels));
    let gpu = Altered { right: ShimGpu::new(compiled, order), wrong, far: None };
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
    let off = |name: &&str| difference(&state(&engine, name), &state(&cpu, name));
    Some(Ok(blocks.iter().map(off).fold(0.0, f64::max)))
}

#[test]
fn faults_in_the_gradients_of_poses_are_found() {
    let moment =
        "double g = jacobian[k] * moment[0] + jacobian[3 + k] * moment[1] + jacobian[6 + k] * moment[2];";
    let transposed = "double g = jacobian[3 * k] * moment[0] + jacobian[3 * k + 1] * moment[1] + jacobian[3 * k + 2] * moment[2];";
    let (point, trace) =
        ("sum[a] = fmaf(level.scale, slope, sum[a]);", "float t = p.samples.t[p.source[k]];");
    for (op, name, kernels, fault, least) in [
        ("rigid", "same", &["turn_poses"][..], (moment, moment), None),
        ("rigid", "transposed", &["turn_poses"][..], (moment, transposed), Some(1e-3)),
        ("rigid", "misplaced", &["trace_rays"][..], (trace, "float t = p.samples.t[k];"), Some(1e-2)),
        ("hash_grid", "unscaled", &["trace_points_f32"][..], (point, "sum[a] += slope;"), Some(1e-1)),
    ] {
        let Some(off) = with_fault_of_poses((op, name, kernels), fault) else { return };
        match least {
            None => assert!(off < 1e-4, "{name}: {off}"),
            Some(least) => assert!(off > least, "{name}: {off}"),
        }
    }
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
