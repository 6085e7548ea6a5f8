//! What it means that two computations agree: the tolerances of the project, and the comparison by them.
//!
//! The fast path of an op against its f64 reference, a model against the implementation that published it.
use thiserror::Error;

/// Parity in f32: `||a - b|| / ||b||` stays below this.
pub const PARITY_L2: f64 = 1e-5;
/// Parity in f32: `max|a - b|` stays below this times `max|b|`.
pub const PARITY_MAX: f64 = 1e-4;

/// Why two arrays do not agree.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Mismatch {
    /// The two sides do not have the same number of values.
    #[error("lengths differ: {left} values on the left, {right} on the right")]
    Length {
        /// Values under test.
        left: usize,
        /// Expected values.
        right: usize,
    },
    /// Nothing to compare: such a check would pass whatever the code does.
    #[error("nothing to compare: both sides are empty")]
    Empty,
    /// Two arrays differ by more than the tolerance.
    #[error("values differ: {report}; worst at {}: got {got:e}, expected {expected:e}", report.worst)]
    Values {
        /// Both distances.
        report: Distance,
        /// The value under test at the worst index.
        got: f64,
        /// The expected value there.
        expected: f64,
    },
}

/// The distances that [`close`] measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// `||a - b|| / ||b||`; 0 when a = b.
    pub l2: f64,
    /// `max|a - b| / max|b|`; 0 when a = b.
    pub max: f64,
    /// Index of the largest `|a - b|`.
    pub worst: usize,
}

impl std::fmt::Display for Distance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "relative L2 {:e}, relative max {:e}", self.l2, self.max)
    }
}

/// The project's definition of agreement: `||a - b|| < rel_l2 ||b||` and `max|a - b| < rel_max max|b|`.
///
/// Equal arrays always agree; against an expected array of zeros only zeros do. A value that is not finite,
/// on either side, never agrees.
///
/// # Errors
/// [`Mismatch::Values`] with the worst index, [`Mismatch::Length`], or [`Mismatch::Empty`].
pub fn close<T: Copy + Into<f64>>(
    a: &[T],
    b: &[f64],
    rel_l2: f64,
    rel_max: f64,
) -> Result<Distance, Mismatch> {
    same_length(a.len(), b.len())?;
    let (mut square_error, mut square_norm, mut max_norm) = (0.0, 0.0, 0.0f64);
    let (mut worst, mut max_error) = (0, 0.0);
    for (index, (&got, &expected)) in a.iter().zip(b).enumerate() {
        let error = (got.into() - expected).abs();
        let error = if error.is_nan() { f64::INFINITY } else { error };
        square_error += error * error;
        square_norm += expected * expected;
        max_norm = max_norm.max(expected.abs());
        if error > max_error {
            (worst, max_error) = (index, error);
        }
    }
    let relative = |error: f64, norm: f64| match error {
        0.0 => 0.0,
        // An infinite expected value would make any finite error look small.
        _ if !norm.is_finite() => f64::INFINITY,
        _ => error / norm,
    };
    let report = Distance {
        l2: relative(f64::sqrt(square_error), square_norm.sqrt()),
        max: relative(max_error, max_norm),
        worst,
    };
    let agree = max_error == 0.0 || (report.l2 < rel_l2 && report.max < rel_max);
    if agree {
        Ok(report)
    } else {
        Err(Mismatch::Values { report, got: a[worst].into(), expected: b[worst] })
    }
}

/// The values in f64, for the expected side of a comparison: what the reference makes of them saw the same input.
pub fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

pub(super) fn same_length(left: usize, right: usize) -> Result<(), Mismatch> {
    match (left, right) {
        (0, 0) => Err(Mismatch::Empty),
        _ if left != right => Err(Mismatch::Length { left, right }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_measures_both_distances() {
        let b = [3.0, 4.0];
        let report = close(&[3.0f32, 4.5], &b, 0.11, 0.13).expect("close");
        assert_eq!((report.l2, report.max, report.worst), (0.1, 0.125, 1));
        assert!(close(&[3.0f32, 4.5], &b, 0.1, 0.13).is_err());
        assert!(close(&[3.0f32, 4.5], &b, 0.11, 0.125).is_err());
        assert!(close(&b, &b, 0.0, 0.0).is_ok());
    }

    #[test]
    fn close_refuses_what_is_not_finite_and_what_should_be_zero() {
        assert!(close(&[0.0, f64::NAN], &[0.0, 1.0], 1.0, 1.0).is_err());
        assert!(close(&[0.0, 1.0], &[0.0, f64::NAN], 1.0, 1.0).is_err());
        assert!(close(&[0.0, 1.0], &[f64::INFINITY, 1.0], 1.0, 1.0).is_err());
        assert!(close(&[0.0, 1e-30], &[0.0, 0.0], 1.0, 1.0).is_err());
        assert!(close(&[0.0f32], &[0.0], PARITY_L2, PARITY_MAX).is_ok());
        assert_eq!(close(&[1.0], &[1.0, 2.0], 1.0, 1.0), Err(Mismatch::Length { left: 1, right: 2 }));
        assert_eq!(close::<f32>(&[], &[], 1.0, 1.0), Err(Mismatch::Empty));
    }
}
