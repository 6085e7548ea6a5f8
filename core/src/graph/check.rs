//! How an op of the graph is verified: against its f64 reference, through both ways gradients can go.
use candle_core::{Device, Result, Tensor, Var};

use super::{Gradients, differentiate, read};
use crate::ops::add::add;
use crate::ops::check::{PARITY_L2, PARITY_MAX, TestRng, close, narrow, widen};

type Backward<'a> = &'a dyn Fn(&[Vec<f64>], &[f64]) -> Vec<Vec<f64>>;

/// An op and its reference.
pub(crate) struct Case<'a> {
    /// Values and shapes of the inputs that have gradients.
    pub(crate) inputs: &'a [(&'a [f64], &'a [usize])],
    /// The op on tensors.
    pub(crate) op: &'a dyn Fn(&[Tensor]) -> Result<Tensor>,
    /// The reference: the output for inputs.
    pub(crate) forward: &'a dyn Fn(&[Vec<f64>]) -> Vec<f64>,
    /// The reference: gradients of all inputs for a gradient of the output.
    pub(crate) backward: Backward<'a>,
}

/// Asserts that output and gradients of all inputs agree: with inputs that are variables, under [`differentiate`] and
/// under candle's own, and with inputs that are results of other ops, each of them used twice.
pub(crate) fn agrees(case: Case<'_>) {
    let inputs: Vec<Vec<f32>> = case.inputs.iter().map(|(v, _)| narrow(v)).collect();
    let wide: Vec<Vec<f64>> = inputs.iter().map(|v| widen(v)).collect();
    let vars: Vec<Var> = inputs
        .iter()
        .zip(case.inputs)
        .map(|(v, (_, shape))| Var::from_vec(v.clone(), *shape, &Device::Cpu).expect("a variable"))
        .collect();
    let direct: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = (case.op)(&direct).expect("the op");
    let want = (case.forward)(&wide);
    close(&read(&y).expect("values"), &want, PARITY_L2, PARITY_MAX).expect("forward");

    let dy = narrow(&TestRng::new(99).normals(want.len(), 1.0));
    let weight = Tensor::from_vec(dy.clone(), y.shape(), &Device::Cpu).expect("dy");
    let want = (case.backward)(&wide, &widen(&dy));
    let loss = |y: &Tensor| (y * &weight).and_then(|y| y.sum_all()).expect("a loss");

    let mut gradients = Gradients::default();
    let run = || (case.op)(&direct).map(|y| loss(&y));
    differentiate(&mut gradients, run).expect("backward");
    let theirs = loss(&y).backward().expect("candle's backward");
    for (i, (var, want)) in vars.iter().zip(&want).enumerate() {
        let ours = gradients.get(var).unwrap_or_else(|| panic!("no gradient of input {i}"));
        close(ours, want, PARITY_L2, PARITY_MAX).unwrap_or_else(|e| panic!("gradient of input {i}: {e}"));
        let theirs = theirs.get(var).expect("candle's gradient").contiguous().expect("contiguous");
        close(&read(&theirs).expect("values"), want, PARITY_L2, PARITY_MAX).expect("candle's way");
    }

    // A second pass adds up.
    differentiate(&mut gradients, run).expect("backward");
    for (var, want) in vars.iter().zip(&want) {
        let twice: Vec<f64> = want.iter().map(|v| 2.0 * v).collect();
        close(gradients.get(var).expect("a gradient"), &twice, PARITY_L2, PARITY_MAX).expect("summed");
    }

    // Inputs that are results of other ops, candle's and ours, used elsewhere too; an output that goes into an op of
    // ours: d/dx of op(x) * dy + sum of x.
    type Through<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor>;
    let ways: [Through<'_>; 2] = [&|t| t.affine(1.0, 0.0), &|t| add(t, &t.zeros_like()?)];
    for way in ways {
        let mut gradients = Gradients::default();
        let run = || {
            let through = direct.iter().map(way).collect::<Result<Vec<_>>>()?;
            let y = (case.op)(&through)?;
            let mut total = loss(&add(&y, &y.zeros_like()?)?);
            for t in &through {
                total = (total + t.sum_all()?)?;
            }
            Ok::<_, candle_core::Error>(total)
        };
        differentiate(&mut gradients, run).expect("backward");
        for (i, (var, want)) in vars.iter().zip(&want).enumerate() {
            let more: Vec<f64> = want.iter().map(|v| v + 1.0).collect();
            close(gradients.get(var).expect("a gradient"), &more, PARITY_L2, PARITY_MAX)
                .unwrap_or_else(|e| panic!("gradient through input {i}: {e}"));
        }
    }
}
