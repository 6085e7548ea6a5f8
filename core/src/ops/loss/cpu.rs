//! A few operations a ray.

use serde::{Deserialize, Serialize};

/// Target values of a photometric loss: red, green, blue, alpha, and the background's red, green, blue.
pub const PIXEL: usize = 7;

/// Where Huber's penalty turns linear.
pub const HUBER_DELTA: f32 = 0.1;

/// The penalty of one difference d.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Penalty {
    /// `d^2`.
    #[default]
    Mse,
    /// `d^2` up to `|d| = delta` ([`HUBER_DELTA`]), then `2 delta (|d| - delta / 2)`, which continues it.
    Huber,
    /// `|d|`.
    L1,
}

impl Penalty {
    /// The penalty and its slope.
    #[inline]
    fn of(self, d: f32) -> (f32, f32) {
        match self {
            Self::Huber if d.abs() > HUBER_DELTA => {
                (2.0 * HUBER_DELTA * (d.abs() - HUBER_DELTA / 2.0), 2.0 * HUBER_DELTA * d.signum())
            }
            Self::L1 if d == 0.0 => (0.0, 0.0),
            Self::L1 => (d.abs(), d.signum()),
            _ => (d * d, 2.0 * d),
        }
    }
}

/// The photometric loss of a ray with this color (three channels) and opacity. Writes the color's gradient and adds the
/// opacity's.
#[inline]
pub fn photometric(
    penalty: Penalty,
    color: &[f32],
    opacity: f32,
    target: &[f32],
    d_color: &mut [f32],
    d_opacity: &mut f32,
) -> f32 {
    let (alpha, background) = (target[3], &target[4..PIXEL]);
    let mut sum = 0.0;
    for c in 0..3 {
        let b = background[c];
        let error = color[c] + (1.0 - opacity) * b - (alpha * target[c] + (1.0 - alpha) * b);
        let (loss, slope) = penalty.of(error);
        sum += loss / 3.0;
        d_color[c] = slope / 3.0;
        *d_opacity -= slope / 3.0 * b;
    }
    sum
}

/// The mean over the channels of a penalty; writes its gradient.
#[inline]
pub fn channels(penalty: Penalty, value: &[f32], target: &[f32], d_value: &mut [f32]) -> f32 {
    let n = value.len() as f32;
    let mut sum = 0.0;
    for ((value, target), d) in value.iter().zip(target).zip(d_value) {
        let (loss, slope) = penalty.of(value - target);
        sum += loss / n;
        *d = slope / n;
    }
    sum
}
