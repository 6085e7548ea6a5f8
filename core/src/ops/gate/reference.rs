//! What the op computes, in f64, as its formulas say; tests only.

use super::TINY;

/// The norm of the features.
pub fn norm(v: &[f64]) -> f64 {
    (v.iter().map(|v| v * v).sum::<f64>() + f64::from(TINY)).sqrt()
}

/// The gate.
pub fn forward(alpha: f64, v: &[f64]) -> f64 {
    (alpha * norm(v)).tanh()
}

/// The gradient of v from that of the gate.
pub fn backward(alpha: f64, v: &[f64], d_gate: f64) -> Vec<f64> {
    let (n, gate) = (norm(v), forward(alpha, v));
    v.iter().map(|v| d_gate * (1.0 - gate * gate) * alpha * v / n).collect()
}
