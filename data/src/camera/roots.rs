//! Where a distortion polynomial stops being monotone.

/// Evaluates `c[0] + c[1] s + c[2] s^2 + ...`.
fn evaluate(c: &[f64], s: f64) -> f64 {
    c.iter().rev().fold(0.0, |sum, &k| sum * s + k)
}

/// All sign changes of a polynomial in `(0, upper)`, ascending. Between two roots of its derivative it is
/// monotone, so each such interval holds at most one, which bisection finds.
fn sign_changes(c: &[f64], upper: f64) -> Vec<f64> {
    if c.len() < 2 {
        return Vec::new();
    }
    let derivative: Vec<f64> = c.iter().enumerate().skip(1).map(|(i, &k)| i as f64 * k).collect();
    let mut ends = sign_changes(&derivative, upper);
    ends.push(upper);
    let mut roots = Vec::new();
    let mut low = 0.0;
    for high in ends {
        if evaluate(c, low) * evaluate(c, high) < 0.0 {
            roots.push(bisect(c, low, high));
        }
        low = high;
    }
    roots
}

fn bisect(c: &[f64], mut low: f64, mut high: f64) -> f64 {
    let positive_at_low = evaluate(c, low) > 0.0;
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return low;
        }
        if (evaluate(c, middle) > 0.0) == positive_at_low {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The smallest sign change of the polynomial in `(0, upper)`, or `upper` if there is none.
pub(super) fn first_sign_change(c: &[f64], upper: f64) -> f64 {
    sign_changes(c, upper).first().copied().unwrap_or(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_smallest_of_several() {
        // (1 - s)(1 - s / 2)(1 - s / 3)
        let c = [1.0, -11.0 / 6.0, 1.0, -1.0 / 6.0];
        assert!((first_sign_change(&c, 10.0) - 1.0).abs() < 1e-14);
        assert_eq!(sign_changes(&c, 10.0).len(), 3);
        assert_eq!(first_sign_change(&c, 0.5), 0.5);
    }

    #[test]
    fn none_means_the_upper_end() {
        assert_eq!(first_sign_change(&[1.0, 0.0, 0.0, 0.0], 7.0), 7.0);
        assert_eq!(first_sign_change(&[1.0, 0.3, 0.2], 7.0), 7.0);
    }
}
