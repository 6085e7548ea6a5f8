//! Positions as rotations (Su et al. 2021) over two axes, as DINOv3 has them: pairs of channels of queries and keys are turned by
//! angles that grow along the image, which is from -1 to 1 on either axis, whatever its size. Only patches are turned.
use nerve_core::graph::{Device, Result, Tensor, cat, narrow};

/// Cosines and sines of the angles, `(tokens, 1, channels of a head)`; of the prefix tokens 1 and 0.
#[derive(Clone, Debug)]
pub(super) struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

/// The angle of channel `c` (of `width` in a head) at this row and column of a grid: `2 pi y / P` for the first half of
/// `width / 2` channels, `2 pi x / P` for the second, twice.
pub(super) fn angle(
    c: usize,
    [row, column]: [usize; 2],
    [rows, columns]: [usize; 2],
    width: usize,
    theta: f64,
) -> f64 {
    let (half, quarter) = (width / 2, width / 4);
    let at = c % half;
    let (i, n) = if at < quarter { (row, rows) } else { (column, columns) };
    let place = 2.0 * (i as f64 + 0.5) / n as f64 - 1.0;
    std::f64::consts::TAU * place / theta.powf((at % quarter) as f64 / quarter as f64)
}

impl Rotation {
    pub(super) fn new(
        prefix: usize,
        grid: [usize; 2],
        width: usize,
        theta: f64,
        device: &Device,
    ) -> Result<Self> {
        let tokens = prefix + grid[0] * grid[1];
        let table = |f: fn(f64) -> f64, still: f32| {
            let value = |at: usize| {
                let (token, c) = (at / width, at % width);
                match token.checked_sub(prefix) {
                    None => still,
                    Some(place) => f(angle(c, [place / grid[1], place % grid[1]], grid, width, theta)) as f32,
                }
            };
            Tensor::from_vec((0..tokens * width).map(value).collect::<Vec<f32>>(), (tokens, 1, width), device)
        };
        Ok(Self { cos: table(f64::cos, 1.0)?, sin: table(f64::sin, 0.0)? })
    }

    /// x is `(batch, tokens, heads, channels of a head)`.
    pub(super) fn turn(&self, x: &Tensor) -> Result<Tensor> {
        let half = x.dim(3)? / 2;
        let turned = cat(&[&narrow(x, 3, half, half)?.neg()?, &narrow(x, 3, 0, half)?], 3)?;
        x.broadcast_mul(&self.cos)? + turned.broadcast_mul(&self.sin)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_are_those_of_the_authors() {
        // The first token of 2 x 3 patches, heads of 64 channels.
        let cos = |c| angle(c, [0, 0], [2, 3], 64, 100.0).cos();
        let sin = |c| angle(c, [0, 0], [2, 3], 64, 100.0).sin();
        for (c, wanted) in [(0, -1.0), (1, -0.706_872), (2, -0.194_601), (3, 0.243_524), (16, -0.5)] {
            assert!((cos(c) - wanted).abs() < 1e-5 && (cos(c + 32) - wanted).abs() < 1e-5, "{c}: {}", cos(c));
        }
        assert!((sin(1) + 0.707_342).abs() < 1e-5 && (sin(16) - 0.866_025).abs() < 1e-5);
        // A single patch is not turned; rows do not depend on the number of columns.
        assert!((0..64).all(|c| angle(c, [0, 0], [1, 1], 64, 100.0) == 0.0));
        assert!((0..16).all(|c| angle(c, [1, 0], [2, 3], 64, 100.0) == angle(c, [1, 5], [2, 9], 64, 100.0)));
    }
}
