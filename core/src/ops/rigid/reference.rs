//! The specification, in f64: the exponential as its power series.

/// `a x b`.
pub fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// `exp([omega]x) v`, by the series `sum [omega]x^k v / k!`.
pub fn turn(omega: [f64; 3], v: [f64; 3]) -> [f64; 3] {
    let (mut sum, mut term) = (v, v);
    for k in 1..40 {
        term = cross(omega, term).map(|t| t / f64::from(k));
        sum = [0, 1, 2].map(|i| sum[i] + term[i]);
    }
    sum
}

/// The corrected ray.
pub fn forward(correction: [f64; 6], origin: [f64; 3], direction: [f64; 3]) -> ([f64; 3], [f64; 3]) {
    let [a, b, c, x, y, z] = correction;
    ([origin[0] + x, origin[1] + y, origin[2] + z], turn([a, b, c], direction))
}

/// The correction's gradient from those of one corrected ray: `J^T v` with `v = d' x d_d'`, where J's transpose is
/// `sum [-omega]x^k / (k + 1)!`.
pub fn backward(
    correction: [f64; 6],
    direction: [f64; 3],
    d_origin: [f64; 3],
    d_direction: [f64; 3],
) -> [f64; 6] {
    let [a, b, c, ..] = correction;
    let moment = cross(turn([a, b, c], direction), d_direction);
    let (mut sum, mut term) = (moment, moment);
    for k in 1..40 {
        term = cross([-a, -b, -c], term).map(|t| t / f64::from(k + 1));
        sum = [0, 1, 2].map(|i| sum[i] + term[i]);
    }
    [sum[0], sum[1], sum[2], d_origin[0], d_origin[1], d_origin[2]]
}
