//! Learned grids (of positions) at other sizes than they were learned at.
//!
//! A resized grid is `R_y G R_x^T` for every channel, with matrices that hold the filter's weights, one row a new row or
//! column: two small products, through which gradients go as through any others. The weights are computed in f64 and are
//! those of PyTorch's `interpolate(mode="bicubic", align_corners=False)`, or `mode="bilinear"`.
use nerve_core::graph::{Device, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

/// How a grid is resampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// Bicubic (a = -0.75), whatever the scale: Hugging Face's ViT and DINOv2.
    #[default]
    Bicubic,
    /// Bicubic (a = -0.5) of a width that grows where the grid shrinks: timm, DINOv2 with registers.
    Antialiased,
    /// Bilinear, whatever the scale: DenseCLIP.
    Bilinear,
    /// [`Self::Bicubic`] with a scale of `(new + 0.1) / old` in place of `new / old`: DINOv2's own code.
    Offset,
}

/// Keys' cubic convolution (1981) at distance `x`.
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    match x {
        x if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
        _ => 0.0,
    }
}

impl Resampling {
    /// The matrix `(to, from)` that resamples one side.
    fn matrix(self, from: usize, to: usize) -> Vec<f64> {
        let mut matrix = vec![0.0; to * from];
        let offset = if self == Self::Offset { 0.1 } else { 0.0 };
        let scale = from as f64 / (to as f64 + offset);
        for (i, row) in matrix.chunks_exact_mut(from.max(1)).enumerate() {
            let center = scale * (i as f64 + 0.5);
            if self == Self::Antialiased {
                let width = scale.max(1.0);
                let first = (center - 2.0 * width + 0.5).max(0.0) as usize;
                let end = ((center + 2.0 * width + 0.5) as usize).min(from);
                let weight = |j: usize| cubic((j as f64 - center + 0.5) / width, -0.5);
                let sum: f64 = (first..end).map(weight).sum();
                (first..end).for_each(|j| row[j] = weight(j) / sum);
            } else if self == Self::Bilinear {
                let at = (center - 0.5).max(0.0);
                let last = from.saturating_sub(1);
                let (low, share) = ((at as usize).min(last), at.fract());
                row[low] += 1.0 - share;
                row[(low + 1).min(last)] += share;
            } else {
                let at = center - 0.5;
                for step in -1..=2 {
                    let j = at.floor() + f64::from(step);
                    // Beyond the border its value is repeated.
                    row[j.clamp(0.0, from as f64 - 1.0) as usize] += cubic(at - j, -0.75);
                }
            }
        }
        matrix
    }

    fn tensor(self, from: usize, to: usize) -> Result<Tensor> {
        let matrix = self.matrix(from, to).iter().map(|v| *v as f32).collect();
        Tensor::from_vec(matrix, (to, from), &Device::Cpu)
    }

    /// `grid` is `(rows, columns, channels)`; the result has the rows and columns of `size`.
    ///
    /// # Errors
    /// If an extent is zero.
    pub fn resize(self, grid: &Tensor, size: [usize; 2]) -> Result<Tensor> {
        let (rows, columns, channels) = grid.dims3()?;
        if [rows, columns] == size {
            return Ok(grid.clone());
        }
        if rows * columns * size[0] * size[1] == 0 {
            bail!("a grid of {rows} x {columns} cannot become {size:?}");
        }
        let down =
            self.tensor(rows, size[0])?.matmul(&grid.contiguous()?.reshape((rows, columns * channels))?)?;
        let across = down.reshape((size[0], columns, channels))?.transpose(0, 1)?.contiguous()?;
        let across =
            self.tensor(columns, size[1])?.matmul(&across.reshape((columns, size[0] * channels))?)?;
        across.reshape((size[1], size[0], channels))?.transpose(0, 1)?.contiguous()
    }

    /// The same for values `(rows, columns, channels)`, in f64 throughout: weights that are loaded at another size.
    #[must_use]
    pub fn resize_values(self, grid: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
        if from == to {
            return grid.to_vec();
        }
        let channels = grid.len() / (from[0] * from[1]).max(1);
        let [down, across] = [0, 1].map(|axis| self.matrix(from[axis], to[axis]));
        let mut narrowed = vec![0.0; from[0] * to[1] * channels];
        for (row, out) in narrowed.chunks_exact_mut((to[1] * channels).max(1)).enumerate() {
            for (at, v) in out.iter_mut().enumerate() {
                let (column, c) = (at / channels, at % channels);
                let value = |j: usize| f64::from(grid[(row * from[1] + j) * channels + c]);
                *v = (0..from[1]).map(|j| across[column * from[1] + j] * value(j)).sum::<f64>();
            }
        }
        let width = to[1] * channels;
        let value = |at: usize| {
            let (row, rest) = (at / width, at % width);
            (0..from[0]).map(|i| down[row * from[0] + i] * narrowed[i * width + rest]).sum::<f64>() as f32
        };
        (0..to[0] * width).map(value).collect()
    }
}

/// The side of a square of so many cells, if there is one.
#[must_use]
pub fn square(cells: usize) -> Option<usize> {
    let side = cells.isqrt();
    (side * side == cells).then_some(side)
}
