//! Losses of dense tasks, of outputs `(batch, height, width, outputs)` at the labels' size.
//!
//! As multi-task dense prediction has them (Maninis et al. 2019): cross-entropy of classes; cross-entropy of saliency
//! balanced by the batch's shares, and of edges with 0.95 for edges; for normals the L1 distance to the output brought to
//! unit length; for depth the L1 distance. Ignored pixels count for nothing; where all are, the loss is 0.
use std::sync::Arc;

use nerve_core::graph::{Result, Tensor};
use nerve_core::ops::cross_entropy::cross_entropy;

/// The weight of edges, as published.
const EDGES: f32 = 0.95;
/// Added to squares under a root.
const EPS: f64 = 1e-12;

/// Of classes, each weighted alike.
pub(super) fn classes(scores: &Tensor, labels: &Arc<[u8]>) -> Result<Tensor> {
    let count = scores.dim(3)?;
    cross_entropy(scores, labels.clone(), vec![1.0; count].into())
}

/// How yes and no are weighted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Balance {
    /// By the share of the other in the batch: both sides count alike.
    Batch,
    /// As edges are.
    Edges,
}

/// Of one score a pixel, that of yes: the mean over pixels of `-w log p(label)`, where `w` is the other side's share (of
/// [`Balance::Batch`]), or 0.95 for yes and 0.05 for no.
pub(super) fn binary(score: &Tensor, labels: &Arc<[u8]>, balance: Balance) -> Result<Tensor> {
    // The score of no is 0: the cross-entropy of two classes is that of the sigmoid.
    let both = score.pad_with_zeros(3, 1, 0)?;
    let [no, yes] = [0, 1].map(|label| labels.iter().filter(|l| **l == label).count() as f64);
    let all = (no + yes).max(1.0);
    let weights = match balance {
        Balance::Batch => [(yes / all) as f32, (no / all) as f32],
        Balance::Edges => [1.0 - EDGES, EDGES],
    };
    // The op divides by the sum of weights, not by the number of pixels.
    let sum = f64::from(weights[0]) * no + f64::from(weights[1]) * yes;
    cross_entropy(&both, labels.clone(), weights.to_vec().into())? * (sum / all)
}

/// Of three outputs a pixel: `target` is `(batch, height, width, 3)`, zero where ignored; `pixels` are those that count.
pub(super) fn normals(x: &Tensor, target: &Tensor, mask: &Tensor, pixels: usize) -> Result<Tensor> {
    let length = (x.sqr()?.sum_keepdim(3)? + EPS)?.sqrt()?;
    let apart = (x.broadcast_div(&length)? - target)?.abs()?.broadcast_mul(mask)?;
    apart.sum_all()? / (3 * pixels.max(1)) as f64
}

/// Of one output a pixel: `target` and `mask` are `(batch, height, width, 1)`; `pixels` are those that count.
pub(super) fn depth(x: &Tensor, target: &Tensor, mask: &Tensor, pixels: usize) -> Result<Tensor> {
    ((x - target)?.abs()? * mask)?.sum_all()? / pixels.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_core::graph::{Device, Gradients, Init, Variables, differentiate, to_vec, update_in_place};
    use nerve_core::ops::parity::close;

    /// A loss of a variable against its definition in f64, and its gradient against finite differences.
    fn check(outputs: usize, loss: impl Fn(&Tensor) -> Result<Tensor>, want: impl Fn(&[f64]) -> f64) {
        let variables = Variables::random(5);
        let x = variables.tracked().weight("x", &[1, 2, 3, outputs], Init::Normal(1.0)).expect("x");
        let mut gradients = Gradients::default();
        let found = differentiate(&mut gradients, || loss(&x)).and_then(|l| l.to_scalar::<f32>());
        let var = variables.get("x").expect("x").var;
        let mut values: Vec<f64> = to_vec(&var).into_iter().map(f64::from).collect();
        let (found, whole) = (f64::from(found.expect("a loss")), want(&values));
        assert!((found - whole).abs() < 1e-5 * (1.0 + whole.abs()), "{found}, not {whole}");
        let slopes: Vec<f64> = (0..values.len())
            .map(|i| {
                let mut side = |by: f64| {
                    values[i] += by;
                    let found = want(&values);
                    values[i] -= by;
                    found
                };
                (side(1e-5) - side(-1e-5)) / 2e-5
            })
            .collect();
        close(gradients.get(&var).expect("a gradient"), &slopes, 1e-4, 1e-3).expect("the gradient");
        update_in_place(&var, |_| ()).expect("the variable");
    }

    #[test]
    fn binary_losses_are_balanced() {
        let labels: Arc<[u8]> = vec![1, 0, 0, 255, 0, 1].into();
        for (balance, [no, yes]) in [(Balance::Batch, [0.4, 0.6]), (Balance::Edges, [0.05, 0.95])] {
            let labels = &labels;
            let want = move |x: &[f64]| {
                let term = |(x, l): (&f64, &u8)| match l {
                    1 => yes * (1.0 + (-x).exp()).ln(),
                    0 => no * (1.0 + x.exp()).ln(),
                    _ => 0.0,
                };
                x.iter().zip(labels.iter()).map(term).sum::<f64>() / 5.0
            };
            check(1, |x| binary(x, labels, balance), want);
        }
        let none: Arc<[u8]> = vec![255; 6].into();
        let x = Tensor::ones((1, 2, 3, 1), nerve_core::graph::DType::F32, &Device::Cpu).expect("x");
        assert_eq!(binary(&x, &none, Balance::Batch).and_then(|l| l.to_scalar::<f32>()).expect("0"), 0.0);
    }

    #[test]
    fn regressions_leave_out_what_is_ignored() {
        let truth = [[0.0, 0.6, 0.8], [1.0, 0.0, 0.0], [0.0; 3], [0.0, 0.0, 1.0], [0.0; 3], [0.0, -1.0, 0.0]];
        let mask: Vec<f32> = truth.iter().map(|n| f32::from(u8::from(*n != [0.0; 3]))).collect();
        let tensor = |values: Vec<f32>, outputs: usize| {
            Tensor::from_vec(values, (1, 2, 3, outputs), &Device::Cpu).expect("a tensor")
        };
        let target = tensor(truth.iter().flatten().map(|v| *v as f32).collect(), 3);
        let mask = tensor(mask, 1);
        let want = |x: &[f64]| {
            let pixel = |(x, t): (&[f64], &[f64; 3])| {
                if *t == [0.0; 3] {
                    return 0.0;
                }
                let length = x.iter().map(|v| v * v).sum::<f64>().sqrt();
                x.iter().zip(t).map(|(x, t)| (x / length - t).abs()).sum::<f64>()
            };
            x.chunks_exact(3).zip(&truth).map(pixel).sum::<f64>() / 12.0
        };
        check(3, |x| normals(x, &target, &mask, 4), want);
        let depths = [3.0, 0.0, 2.0, 1.0, 0.0, 0.5];
        let target = tensor(depths.iter().map(|d| *d as f32).collect(), 1);
        let mask = tensor(depths.iter().map(|d| f32::from(u8::from(*d > 0.0))).collect(), 1);
        let want = |x: &[f64]| {
            let pixel = |(x, d): (&f64, &f64)| if *d > 0.0 { (x - d).abs() } else { 0.0 };
            x.iter().zip(&depths).map(pixel).sum::<f64>() / 4.0
        };
        check(1, |x| depth(x, &target, &mask, 4), want);
    }
}
