//! Activations of the field's outputs, in f64: density from a raw value, color from a raw value.

/// A scalar function and the derivative its backward pass uses.
#[derive(Debug, Clone, Copy)]
pub struct Activation {
    /// The function.
    pub value: fn(f64) -> f64,
    /// The factor of the backward pass at the same input.
    pub slope: fn(f64) -> f64,
}

/// Where [`EXP`] is cut.
pub const EXP_LIMIT: f64 = 15.0;

/// Density `exp(min(x, 15))`, slope `exp(clamp(x, -15, 15))`: torch-ngp's truncated exponential.
///
/// The slope is deliberately not the derivative outside `[-15, 15]`: above, a density that ran away still
/// gets pulled back; below, empty space can still come alive.
pub const EXP: Activation =
    Activation { value: |x| x.min(EXP_LIMIT).exp(), slope: |x| x.clamp(-EXP_LIMIT, EXP_LIMIT).exp() };

/// Density `softplus(x - 1) = ln(1 + exp(x - 1))` (Mip-NeRF, section 3.2: the shift starts empty).
pub const SOFTPLUS: Activation = Activation {
    // ln(1 + e^u) = max(u, 0) + ln(1 + e^-|u|) cannot overflow.
    value: |x| (x - 1.0).max(0.0) + (-(x - 1.0).abs()).exp().ln_1p(),
    slope: |x| logistic(x - 1.0),
};

/// Color `1 / (1 + exp(-x))`.
pub const SIGMOID: Activation = Activation { value: logistic, slope: |x| logistic(x) * logistic(-x) };

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ops::check::{FdOptions, TestRng, finite_difference};

    #[test]
    fn slopes_match_finite_differences() {
        let mut rng = TestRng::new(6);
        for activation in [EXP, SOFTPLUS, SIGMOID] {
            for (low, high) in [(-14.0, -3.0), (-3.0, 3.0), (3.0, 14.0)] {
                let x = rng.uniforms(30, low, high);
                let slope: Vec<f64> = x.iter().map(|&x| (activation.slope)(x)).collect();
                let sum = |x: &[f64]| x.iter().map(|&x| (activation.value)(x)).sum();
                finite_difference(sum, &x, &slope, FdOptions::default()).unwrap();
            }
        }
    }

    #[test]
    fn the_exponential_is_cut_where_it_says() {
        assert_eq!((EXP.value)(40.0), 15f64.exp());
        assert_eq!((EXP.slope)(40.0), 15f64.exp());
        assert_eq!((EXP.value)(-40.0), (-40f64).exp());
        assert_eq!((EXP.slope)(-40.0), (-15f64).exp());
    }

    #[test]
    fn extreme_inputs_stay_finite() {
        assert_eq!(((SOFTPLUS.value)(1000.0), (SOFTPLUS.value)(-1000.0)), (999.0, 0.0));
        assert_eq!(((SIGMOID.value)(1000.0), (SIGMOID.value)(-1000.0)), (1.0, 0.0));
        assert_eq!(((SIGMOID.slope)(1000.0), (SIGMOID.slope)(-1000.0)), (0.0, 0.0));
        assert_eq!((SOFTPLUS.value)(1.0), 2f64.ln());
    }
}
