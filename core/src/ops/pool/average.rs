//! Averages of windows and of bins, as sums of pixels weighted by row and column.
use crate::graph::{Result, Tensor, bail};
use crate::ops::conv2d::Window;
use crate::ops::resize::{Axis, positive, weighted};

/// That every place of a window sees a pixel.
pub(super) fn sees(window: &Window, op: &'static str) -> Result<()> {
    if (0..2).any(|axis| 2 * window.padding[axis] > window.kernel[axis]) {
        bail!("{op}: a padding of {:?} is more than half of a kernel of {:?}", window.padding, window.kernel);
    }
    Ok(())
}

/// The average of every place of a window on x `(batch, height, width, channels)`. With `count_include_pad` the sum is
/// divided by the kernel's area, else by the number of pixels that it sees.
///
/// # Errors
/// If x does not have four dimensions, the kernel is larger than the padded map, or the padding more than half of the kernel.
pub fn avg_pool2d(
    x: &Tensor,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    count_include_pad: bool,
) -> Result<Tensor> {
    let window = Window { kernel, stride, padding };
    let (_, height, width, _) = x.dims4()?;
    let size = [height, width];
    let places = window.places(size, "avg_pool2d")?;
    sees(&window, "avg_pool2d")?;
    let axis = |axis: usize| {
        let range = move |place: usize| {
            let (first, padding) = (place * stride[axis], padding[axis]);
            let from = first.saturating_sub(padding);
            let until = (first + kernel[axis]).saturating_sub(padding).min(size[axis]);
            (from..until, if count_include_pad { kernel[axis] } else { until - from })
        };
        Axis::averages(size[axis], (0..places[axis]).map(range))
    };
    weighted(x, [axis(0), axis(1)], "avg_pool2d")
}

/// Averages of as many bins as `size` says, rows before columns, of x `(batch, height, width, channels)`.
///
/// # Errors
/// If x does not have four dimensions, or one of them is zero.
pub fn adaptive_avg_pool2d(x: &Tensor, size: [usize; 2]) -> Result<Tensor> {
    let from = positive(x, size, "adaptive_avg_pool2d")?;
    let axis = |axis: usize| {
        let (values, bins) = (from[axis], size[axis]);
        let range = move |bin: usize| {
            let range = bin * values / bins..((bin + 1) * values).div_ceil(bins);
            (range.clone(), range.len())
        };
        Axis::averages(values, (0..bins).map(range))
    };
    weighted(x, [axis(0), axis(1)], "adaptive_avg_pool2d")
}
