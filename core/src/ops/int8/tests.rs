use super::*;
use crate::ops::check::{TestRng, bit_equal, close, narrow, widen};
use crate::ops::small_gemm::{Start, padded};

struct Case {
    rows: usize,
    inputs: usize,
    outputs: usize,
    x: Vec<f32>,
    w: Vec<f32>,
    bias: Vec<f32>,
}

fn case(rows: usize, inputs: usize, outputs: usize, positive: bool) -> Case {
    let mut rng = TestRng::new((rows * 31 + inputs) as u64);
    let mut x = narrow(&rng.normals(rows * inputs, 1.0));
    if positive {
        x.iter_mut().for_each(|x| *x = x.max(0.0));
    }
    let (w, bias) = (narrow(&rng.normals(outputs * inputs, 0.1)), narrow(&rng.normals(padded(outputs), 0.5)));
    Case { rows, inputs, outputs, x, w, bias }
}

fn run(case: &Case, kind: Kind, stored: bool, relu: bool) -> Vec<f32> {
    let mut weights = Int8Weights::default();
    weights.quantize(&case.w, case.inputs, case.inputs, case.outputs);
    let ldc = padded(case.outputs) + 16;
    let mut c = vec![0.25; case.rows * ldc];
    let start = if stored { Start::Stored } else { Start::Row(&case.bias) };
    product(kind, case.rows, &case.x, case.inputs, &weights, &mut c, ldc, start, relu, &mut Vec::new());
    assert!(c.chunks_exact(ldc).all(|row| row[ldc - 16..] == [0.25; 16]), "nothing beside the columns");
    c.chunks_exact(ldc).flat_map(|row| row[..case.outputs].to_vec()).collect()
}

/// What the formula says, with rounding, in f64.
fn reference(case: &Case, stored: bool, relu: bool) -> Vec<f64> {
    let mut y = Vec::new();
    for x in case.x.chunks_exact(case.inputs) {
        let least = x.iter().copied().fold(0.0, f32::min);
        let most = x.iter().copied().fold(0.0, f32::max);
        let (s, zero) = if least < 0.0 { (most.max(-least) / 127.0, 128.0) } else { (most / 255.0, 0.0) };
        let by = if s > 0.0 { 1.0 / s } else { 0.0 };
        for (o, w) in case.w.chunks_exact(case.inputs).enumerate() {
            let so = w.iter().fold(0.0f32, |most, w| most.max(w.abs())) / 127.0;
            let quantized = |w: &f32| f64::from((w * (1.0 / so)).round_ties_even());
            let (mut sum, mut weights) = (0.0, 0.0);
            for (x, w) in x.iter().zip(w) {
                sum += (f64::from((x * by).round_ties_even()) + zero) * quantized(w);
                weights += quantized(w);
            }
            let from = if stored { 0.25 } else { f64::from(case.bias[o]) };
            let value = from + (sum - zero * weights) * f64::from(s) * f64::from(so);
            y.push(if relu { value.max(0.0) } else { value });
        }
    }
    y
}

#[test]
fn every_kind_gives_the_same_bits_and_the_formula() {
    let all = [(1, 1, 1), (7, 13, 5), (19, 63, 256), (6, 256, 64), (13, 259, 33)];
    for (rows, inputs, outputs) in all {
        for (positive, stored, relu) in [(false, false, false), (true, false, true), (false, true, true)] {
            let case = case(rows, inputs, outputs, positive);
            let want = run(&case, Kind::Portable, stored, relu);
            close(&want, &reference(&case, stored, relu), 1e-6, 1e-6).expect("the formula");
            for kind in Kind::available() {
                bit_equal(&run(&case, kind, stored, relu), &want).unwrap_or_else(|e| panic!("{kind:?}: {e}"));
            }
        }
    }
}

/// Eight bits are as near to the exact product as rounding lets them be.
#[test]
fn products_are_close_to_exact_ones() {
    let case = case(40, 256, 64, true);
    let mut exact = Vec::new();
    for x in case.x.chunks_exact(case.inputs) {
        for (o, w) in case.w.chunks_exact(case.inputs).enumerate() {
            let sum: f64 = widen(x).iter().zip(widen(w)).map(|(x, w)| x * w).sum();
            exact.push(f64::from(case.bias[o]) + sum);
        }
    }
    close(&run(&case, Kind::best(), false, false), &exact, 1e-2, 2e-2).expect("close");
}

/// Rows and weights of zeros have no scale.
#[test]
fn zeros_stay_zeros() {
    let mut case = case(3, 8, 16, false);
    case.x.fill(0.0);
    assert_eq!(run(&case, Kind::best(), false, false), case.bias.repeat(3));
    case.w.fill(0.0);
    assert_eq!(run(&case, Kind::best(), false, false), case.bias.repeat(3));
}
