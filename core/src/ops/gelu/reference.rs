//! What the op computes, in f64, as its formulas say; tests only.
use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::Form;

/// The value at x.
pub fn forward(form: Form, x: f64) -> f64 {
    match form {
        Form::Exact => 0.5 * x * (1.0 + libm::erf(x * FRAC_1_SQRT_2)),
        Form::Tanh => 0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044715 * x * x * x)).tanh()),
        Form::Quick => x / (1.0 + (-1.702 * x).exp()),
    }
}

/// The derivative at x.
pub fn derivative(form: Form, x: f64) -> f64 {
    match form {
        Form::Exact => {
            0.5 * (1.0 + libm::erf(x * FRAC_1_SQRT_2)) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
        }
        Form::Tanh => {
            let k = (2.0 / PI).sqrt();
            let t = (k * (x + 0.044715 * x * x * x)).tanh();
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * k * (1.0 + 3.0 * 0.044715 * x * x)
        }
        Form::Quick => {
            let s = 1.0 / (1.0 + (-1.702 * x).exp());
            s + 1.702 * x * s * (1.0 - s)
        }
    }
}
