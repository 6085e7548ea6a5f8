//! What the op computes, in f64, place by place; tests only.
use crate::ops::depthwise::ChannelGeometry;

/// For every place of a batch the pixels that it sees, counted over the batch.
fn seen(g: &ChannelGeometry, batch: usize) -> Vec<Vec<usize>> {
    let [height, width] = g.size;
    let mut all = Vec::new();
    for at in 0..batch * g.places[0] * g.places[1] {
        let (n, r, c) = (at / (g.places[0] * g.places[1]), at / g.places[1] % g.places[0], at % g.places[1]);
        let mut pixels = Vec::new();
        for j in 0..g.window.kernel[0] {
            for k in 0..g.window.kernel[1] {
                let y = (r * g.window.stride[0] + j).wrapping_sub(g.window.padding[0]);
                let x = (c * g.window.stride[1] + k).wrapping_sub(g.window.padding[1]);
                if y < height && x < width {
                    pixels.push((n * height + y) * width + x);
                }
            }
        }
        all.push(pixels);
    }
    all
}

fn batch(g: &ChannelGeometry, x: &[f64]) -> usize {
    x.len() / (g.size[0] * g.size[1] * g.channels)
}

/// Largest values: `y`, or with `dy` the gradient of x.
pub fn max(g: &ChannelGeometry, x: &[f64], dy: Option<&[f64]>) -> Vec<f64> {
    let (mut y, mut dx) = (Vec::new(), vec![0.0; x.len()]);
    for pixels in seen(g, batch(g, x)) {
        for c in 0..g.channels {
            let mut best = pixels[0];
            for pixel in &pixels {
                let (value, largest) = (x[pixel * g.channels + c], x[best * g.channels + c]);
                if value > largest || value.is_nan() {
                    best = *pixel;
                }
            }
            if let Some(dy) = dy {
                dx[best * g.channels + c] += dy[y.len()];
            }
            y.push(x[best * g.channels + c]);
        }
    }
    if dy.is_some() { dx } else { y }
}

/// Averages over given pixels with given divisors: `y`, or with `dy` the gradient of x.
fn average(channels: usize, x: &[f64], places: &[(Vec<usize>, usize)], dy: Option<&[f64]>) -> Vec<f64> {
    let (mut y, mut dx) = (vec![0.0; places.len() * channels], vec![0.0; x.len()]);
    for (place, (pixels, divisor)) in places.iter().enumerate() {
        for pixel in pixels {
            for c in 0..channels {
                y[place * channels + c] += x[pixel * channels + c] / *divisor as f64;
                if let Some(dy) = dy {
                    dx[pixel * channels + c] += dy[place * channels + c] / *divisor as f64;
                }
            }
        }
    }
    if dy.is_some() { dx } else { y }
}

/// Averages of windows: `y`, or with `dy` the gradient of x.
pub fn avg(g: &ChannelGeometry, count_include_pad: bool, x: &[f64], dy: Option<&[f64]>) -> Vec<f64> {
    let divisor = |pixels: &Vec<usize>| if count_include_pad { g.window.area() } else { pixels.len() };
    let places: Vec<_> = seen(g, batch(g, x)).into_iter().map(|p| (p.clone(), divisor(&p))).collect();
    average(g.channels, x, &places, dy)
}

/// Averages of `to` bins of images of `from` pixels: `y`, or with `dy` the gradient of x.
pub fn adaptive(
    from: [usize; 2],
    to: [usize; 2],
    channels: usize,
    x: &[f64],
    dy: Option<&[f64]>,
) -> Vec<f64> {
    let bin = |axis: usize, i: usize| {
        let ratio = from[axis] as f64 / to[axis] as f64;
        // Rounding must not carry a whole number over the edge.
        let first = (i as f64 * ratio + 1e-9).floor() as usize;
        let last = ((i + 1) as f64 * ratio - 1e-9).ceil() as usize;
        first..last
    };
    let mut places = Vec::new();
    for n in 0..x.len() / (from[0] * from[1] * channels) {
        for r in 0..to[0] {
            for c in 0..to[1] {
                let pixel = |y: usize, x: usize| (n * from[0] + y) * from[1] + x;
                let pixels: Vec<usize> =
                    bin(0, r).flat_map(|y| bin(1, c).map(move |x| pixel(y, x))).collect();
                places.push((pixels.clone(), pixels.len()));
            }
        }
    }
    average(channels, x, &places, dy)
}
