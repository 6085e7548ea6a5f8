//! What the op computes, in f64, pixel by pixel; tests only.

/// Sizes of an interpolation; heights before widths.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Of the map.
    pub from: [usize; 2],
    /// Of the result.
    pub to: [usize; 2],
    /// Interleaved channels.
    pub channels: usize,
}

/// Calls `f` with a pixel of the result, a pixel of the map, and its weight.
fn bilinear_products(s: &Sizes, align_corners: bool, batch: usize, mut f: impl FnMut(usize, usize, f64)) {
    let place = |axis: usize, i: usize| {
        let (from, to) = (s.from[axis] as f64, s.to[axis] as f64);
        if !align_corners {
            ((i as f64 + 0.5) * (from / to) - 0.5).max(0.0)
        } else if s.to[axis] == 1 {
            0.0
        } else {
            i as f64 * (from - 1.0) / (to - 1.0)
        }
    };
    for at in 0..batch * s.to[0] * s.to[1] {
        let (n, r, c) = (at / (s.to[0] * s.to[1]), at / s.to[1] % s.to[0], at % s.to[1]);
        let (y, x) = (place(0, r), place(1, c));
        // The tent of width 2 around the place; the last pixel is held.
        for row in 0..s.from[0] {
            for column in 0..s.from[1] {
                let y = y.min((s.from[0] - 1) as f64);
                let x = x.min((s.from[1] - 1) as f64);
                let weight =
                    (1.0 - (y - row as f64).abs()).max(0.0) * (1.0 - (x - column as f64).abs()).max(0.0);
                f(at, (n * s.from[0] + row) * s.from[1] + column, weight);
            }
        }
    }
}

/// Calls `f` with a pixel of the result and the pixel of the map that it is.
fn nearest_products(s: &Sizes, batch: usize, mut f: impl FnMut(usize, usize, f64)) {
    for at in 0..batch * s.to[0] * s.to[1] {
        let (n, r, c) = (at / (s.to[0] * s.to[1]), at / s.to[1] % s.to[0], at % s.to[1]);
        let (y, x) = (r * s.from[0] / s.to[0], c * s.from[1] / s.to[1]);
        f(at, (n * s.from[0] + y) * s.from[1] + x, 1.0);
    }
}

/// The result and the gradient of x for `dy` of one way.
fn both(
    s: &Sizes,
    x: &[f64],
    dy: Option<&[f64]>,
    products: impl Fn(usize, &mut dyn FnMut(usize, usize, f64)),
) -> Vec<f64> {
    let batch = x.len() / (s.from[0] * s.from[1] * s.channels);
    let outputs = batch * s.to[0] * s.to[1] * s.channels;
    let mut result = vec![0.0; if dy.is_some() { x.len() } else { outputs }];
    products(batch, &mut |to, from, weight| {
        for c in 0..s.channels {
            let (to, from) = (to * s.channels + c, from * s.channels + c);
            match dy {
                None => result[to] += weight * x[from],
                Some(dy) => result[from] += weight * dy[to],
            }
        }
    });
    result
}

/// Bilinear: `y`, or with `dy` the gradient of x.
pub fn bilinear(s: &Sizes, align_corners: bool, x: &[f64], dy: Option<&[f64]>) -> Vec<f64> {
    both(s, x, dy, |batch, f| bilinear_products(s, align_corners, batch, f))
}

/// Nearest: `y`, or with `dy` the gradient of x.
pub fn nearest(s: &Sizes, x: &[f64], dy: Option<&[f64]>) -> Vec<f64> {
    both(s, x, dy, |batch, f| nearest_products(s, batch, f))
}
