//! The window that convolutions and pooling slide over a map: its extents, stride and padding.
use crate::graph::{Result, bail};

/// A kernel's extents, the steps between its places and the zeros around the map; rows first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns that the kernel covers.
    pub kernel: [usize; 2],
    /// Rows and columns from one place to the next.
    pub stride: [usize; 2],
    /// Rows above and below, columns left and right that lie beyond the map.
    pub padding: [usize; 2],
}

impl Window {
    /// Places along each axis of a map of this height and width.
    ///
    /// # Errors
    /// If an extent or a stride is zero, or the kernel is larger than the padded map; names the op.
    pub fn places(&self, size: [usize; 2], op: &'static str) -> Result<[usize; 2]> {
        let mut places = [0; 2];
        for axis in 0..2 {
            let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
            let padded = size[axis] + 2 * self.padding[axis];
            if kernel == 0 || stride == 0 || padded < kernel {
                bail!("{op}: no place for a kernel of {kernel} with stride {stride} in {padded} values");
            }
            places[axis] = (padded - kernel) / stride + 1;
        }
        Ok(places)
    }

    /// Values that it covers.
    #[must_use]
    pub fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Sees one pixel, and each pixel once.
    #[must_use]
    pub fn pointwise(&self) -> bool {
        *self == Self { kernel: [1, 1], stride: [1, 1], padding: [0, 0] }
    }

    /// Calls `f` with the place, the pixel and the tap of every multiplication that a batch of maps takes: what the
    /// references sum over.
    #[cfg(test)]
    pub(crate) fn each_tap(
        &self,
        [height, width]: [usize; 2],
        [rows, columns]: [usize; 2],
        batch: usize,
        mut f: impl FnMut(usize, usize, usize),
    ) {
        let ([tall, wide], [down, across], [top, left]) = (self.kernel, self.stride, self.padding);
        for at in 0..batch * rows * columns {
            let (n, r, c) = (at / (rows * columns), at / columns % rows, at % columns);
            for tap in 0..tall * wide {
                let (y, x) = (r * down + tap / wide, c * across + tap % wide);
                if y >= top && x >= left && y - top < height && x - left < width {
                    f(at, (n * height + y - top) * width + x - left, tap);
                }
            }
        }
    }
}
