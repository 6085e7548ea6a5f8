//! Newton's method on lens models.

use super::model::Bent;

/// Residual at which an inversion is done, relative to the larger of 1 and the point's own radius.
const TOLERANCE: f64 = 1e-12;

/// The direction at an angle from the axis, on the side of an image point of that radius.
pub(super) fn at_angle(point: (f64, f64), radius: f64, angle: f64) -> [f64; 3] {
    if radius == 0.0 {
        return [0.0, 0.0, 1.0];
    }
    let side = angle.sin() / radius;
    [point.0 * side, point.1 * side, angle.cos()]
}

/// The ideal point of an observed one, with the analytic Jacobian, steps halved until the residual falls; `None` beyond
/// the `limit`, or past a fold.
pub(super) fn invert_planar(
    model: impl Fn(f64, f64) -> Bent,
    limit: f64,
    (u, v): (f64, f64),
) -> Option<[f64; 2]> {
    let radius = u.hypot(v);
    let enough = TOLERANCE * radius.max(1.0);
    // The observed point is the usual first guess; a strong lens needs it pulled inside the invertible disc.
    let pull = if radius > 0.9 * limit { 0.9 * limit / radius } else { 1.0 };
    let (mut x, mut y) = (u * pull, v * pull);
    let mut here = model(x, y);
    let mut error = (here.at[0] - u).hypot(here.at[1] - v);
    for _ in 0..50 {
        let [[a, b], [c, d]] = here.jacobian;
        let det = a * d - b * c;
        if error <= enough {
            // A negative determinant is a solution past a fold that the tangential terms made.
            return (det > 0.0).then_some([x, y]);
        }
        let (eu, ev) = (here.at[0] - u, here.at[1] - v);
        let (dx, dy) = ((d * eu - b * ev) / det, (a * ev - c * eu) / det);
        let mut step = 1.0;
        loop {
            let (nx, ny) = (x - step * dx, y - step * dy);
            let next = model(nx, ny);
            let next_error = (next.at[0] - u).hypot(next.at[1] - v);
            // Written so that a NaN (singular Jacobian) is refused as well.
            if next_error < error && nx.hypot(ny) <= limit {
                (x, y, here, error) = (nx, ny, next, next_error);
                break;
            }
            step *= 0.5;
            if step < 1e-4 {
                return None;
            }
        }
    }
    None
}

/// The angle of an observed radius, by Newton's method inside a bracket; `None` beyond the `limit`. `model` gives the
/// radius at an angle and its derivative.
pub(super) fn invert_fisheye(model: impl Fn(f64) -> (f64, f64), limit: f64, radius: f64) -> Option<f64> {
    let (mut low, mut high) = (0.0, limit);
    if radius.is_nan() || radius > model(high).0 {
        return None;
    }
    let mut angle = radius.min(limit);
    // Bisection alone would be done after 60; Newton makes it four or five.
    for _ in 0..100 {
        let (seen, derivative) = model(angle);
        let error = seen - radius;
        if error.abs() <= TOLERANCE * radius.min(1.0) {
            break;
        }
        if error > 0.0 {
            high = angle;
        } else {
            low = angle;
        }
        let newton = angle - error / derivative;
        angle = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
    }
    Some(angle)
}
