//! Corrections in closed form: the matrix is made once a camera and step, in f64; a ray costs nine multiplications.

/// A correction, ready to be applied to rays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correction {
    /// Rows of `exp([omega]x)`.
    rotation: [[f32; 3]; 3],
    shift: [f32; 3],
}

/// `a x b`.
#[inline]
pub fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// `sin(a) / a`, `(1 - cos(a)) / a^2` and `(a - sin(a)) / a^3`; their series near zero, where the quotients round.
fn coefficients(a2: f64) -> [f64; 3] {
    if a2 < 1e-4 {
        let series = |c: [f64; 3]| c[0] + a2 * (c[1] + a2 * c[2]);
        return [
            series([1.0, -1.0 / 6.0, 1.0 / 120.0]),
            series([0.5, -1.0 / 24.0, 1.0 / 720.0]),
            series([1.0 / 6.0, -1.0 / 120.0, 1.0 / 5040.0]),
        ];
    }
    let a = a2.sqrt();
    [a.sin() / a, (1.0 - a.cos()) / a2, (a - a.sin()) / (a2 * a)]
}

/// `I + p [w]x + q [w]x^2`, rows first.
fn series(w: [f64; 3], p: f64, q: f64) -> [[f64; 3]; 3] {
    let k = [[0.0, -w[2], w[1]], [w[2], 0.0, -w[0]], [-w[1], w[0], 0.0]];
    let square = |r: usize, c: usize| (0..3).map(|i| k[r][i] * k[i][c]).sum::<f64>();
    std::array::from_fn(|r| {
        std::array::from_fn(|c| f64::from(u8::from(r == c)) + p * k[r][c] + q * square(r, c))
    })
}

fn omega(values: &[f32]) -> [f64; 3] {
    [0, 1, 2].map(|i| f64::from(values[i]))
}

fn squared(w: [f64; 3]) -> f64 {
    w.iter().map(|w| w * w).sum()
}

impl Correction {
    /// From its [`VALUES`](super::VALUES).
    ///
    /// # Panics
    /// If there are fewer.
    pub fn new(values: &[f32]) -> Self {
        let w = omega(values);
        let [p, q, _] = coefficients(squared(w));
        Self {
            rotation: series(w, p, q).map(|row| row.map(|v| v as f32)),
            shift: [values[3], values[4], values[5]],
        }
    }

    /// The corrected origin and direction.
    #[inline]
    pub fn apply(&self, (origin, direction): ([f32; 3], [f32; 3])) -> ([f32; 3], [f32; 3]) {
        let turned =
            self.rotation.map(|row| row[0] * direction[0] + row[1] * direction[1] + row[2] * direction[2]);
        (std::array::from_fn(|a| origin[a] + self.shift[a]), turned)
    }
}

/// The gradient of omega from the sum over the camera's rays of `d' x d_d'`.
///
/// # Panics
/// If there are fewer than three values.
pub fn turn_gradient(values: &[f32], moment: [f64; 3]) -> [f64; 3] {
    let w = omega(values);
    let [_, p, q] = coefficients(squared(w));
    let jacobian = series(w, p, q);
    [0, 1, 2].map(|c| (0..3).map(|r| jacobian[r][c] * moment[r]).sum())
}
