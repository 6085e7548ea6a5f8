//! In f64, as the formulas say: one set of tokens and one head at a time.

/// Scores' softmax: q is `(n, dim)`, k is `(m, dim)`, `bias` is what is added to scores, `(n, m)`.
pub fn weights(q: &[f64], k: &[f64], bias: &[f64], scale: f64, dim: usize) -> Vec<f64> {
    let mut p = Vec::new();
    for (q, bias) in q.chunks_exact(dim).zip(bias.chunks_exact(k.len() / dim)) {
        let dot = |k: &[f64]| q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>() * scale;
        let s: Vec<f64> = k.chunks_exact(dim).zip(bias).map(|(k, b)| dot(k) + b).collect();
        let max = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = s.iter().map(|s| (s - max).exp()).sum();
        p.extend(s.iter().map(|s| (s - max).exp() / sum));
    }
    p
}

/// The output `(n, dim)`.
pub fn forward(q: &[f64], k: &[f64], v: &[f64], bias: &[f64], scale: f64, dim: usize) -> Vec<f64> {
    let p = weights(q, k, bias, scale, dim);
    let mut o = vec![0.0; q.len()];
    for (p, o) in p.chunks_exact(k.len() / dim).zip(o.chunks_exact_mut(dim)) {
        for (p, v) in p.iter().zip(v.chunks_exact(dim)) {
            o.iter_mut().zip(v).for_each(|(o, v)| *o += p * v);
        }
    }
    o
}

/// Gradients of q, k, v and bias for `d_o`.
#[allow(clippy::too_many_arguments, reason = "the formula's names")]
pub fn backward(
    q: &[f64],
    k: &[f64],
    v: &[f64],
    bias: &[f64],
    scale: f64,
    dim: usize,
    d_o: &[f64],
) -> [Vec<f64>; 4] {
    let (n, m) = (q.len() / dim, k.len() / dim);
    let p = weights(q, k, bias, scale, dim);
    let (mut dq, mut dk, mut dv, mut ds) =
        (vec![0.0; n * dim], vec![0.0; m * dim], vec![0.0; m * dim], vec![0.0; n * m]);
    for i in 0..n {
        let d_o = &d_o[i * dim..(i + 1) * dim];
        let dp: Vec<f64> = v.chunks_exact(dim).map(|v| v.iter().zip(d_o).map(|(v, d)| v * d).sum()).collect();
        let mean: f64 = (0..m).map(|j| p[i * m + j] * dp[j]).sum();
        for j in 0..m {
            ds[i * m + j] = p[i * m + j] * (dp[j] - mean);
            for c in 0..dim {
                dv[j * dim + c] += p[i * m + j] * d_o[c];
                dq[i * dim + c] += scale * ds[i * m + j] * k[j * dim + c];
                dk[j * dim + c] += scale * ds[i * m + j] * q[i * dim + c];
            }
        }
    }
    [dq, dk, dv, ds]
}
