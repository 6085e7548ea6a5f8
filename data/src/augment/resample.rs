//! The crop of a scaled image or mask, computed without scaling the rest.
//!
//! Pixel centers lie at half-integers: the center of the scaled pixel `i` is at `(i + 1/2) * source / scaled` of the
//! source. Images are interpolated linearly between the four nearest centers (the outermost go on to the edge), as
//! OpenCV's `INTER_LINEAR` and PyTorch's `align_corners=False` do, also when they shrink; masks take the pixel whose
//! square that place lies in.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, s};

use crate::labels::IGNORE;

/// Which part of a scaled image a sample shows. Pairs are height (rows) and width (columns) in pixels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CropWindow {
    /// The image's size.
    pub source: [usize; 2],
    /// Its size when scaled.
    pub scaled: [usize; 2],
    /// The window's first row and column in the scaled image.
    pub origin: [usize; 2],
    /// The window's size: where it is larger than the image, the rest below and to the right is padding.
    pub size: [usize; 2],
    /// Whether columns run from right to left; padding is then on the left.
    pub flipped: bool,
}

/// Where a scaled row or column lies between two of the source.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tap {
    first: usize,
    second: usize,
    /// Weight of the second.
    weight: f32,
}

impl CropWindow {
    /// Rows or columns of the window that the image fills.
    pub fn filled(&self, axis: usize) -> usize {
        self.size[axis].min(self.scaled[axis] - self.origin[axis])
    }

    /// The source's row or column for each filled one, the nearest.
    pub fn nearest(&self, axis: usize) -> Vec<usize> {
        let (source, scaled) = (self.source[axis], self.scaled[axis]);
        let at = |i: usize| ((2 * (i + self.origin[axis]) + 1) * source / (2 * scaled)).min(source - 1);
        (0..self.filled(axis)).map(at).collect()
    }

    /// The two source rows or columns for each filled one.
    fn taps(&self, axis: usize) -> Vec<Tap> {
        let (source, scaled) = (self.source[axis], self.scaled[axis]);
        let tap = |i: usize| {
            let centre = (i + self.origin[axis]) as f64 + 0.5;
            let place = (centre * source as f64 / scaled as f64 - 0.5).clamp(0.0, (source - 1) as f64);
            let first = place as usize;
            Tap { first, second: (first + 1).min(source - 1), weight: (place - first as f64) as f32 }
        };
        (0..self.filled(axis)).map(tap).collect()
    }

    /// The window's column that shows the `i`-th of the filled ones.
    fn column(&self, i: usize) -> usize {
        if self.flipped { self.size[1] - 1 - i } else { i }
    }

    /// The window's columns that are padding.
    fn padding(&self) -> std::ops::Range<usize> {
        let (filled, all) = (self.filled(1), self.size[1]);
        if self.flipped { 0..all - filled } else { filled..all }
    }
}

/// The window of an image `[H, W, 3]`: values from 0 to 255, padded with `fill`.
pub(super) fn image(source: ArrayView3<'_, u8>, window: &CropWindow, fill: [f32; 3]) -> Array3<f32> {
    // Rows as slices; what a caller has is contiguous, so this copies nothing.
    let source = source.as_standard_layout();
    let mut out = Array3::zeros((window.size[0], window.size[1], 3));
    let (rows, columns) = (window.taps(0), window.taps(1));
    let (Some(leftmost), Some(rightmost)) = (columns.first(), columns.last()) else { return out };
    let used = 3 * leftmost.first..3 * (rightmost.second + 1);
    let mut blended = vec![0.0f32; used.len()];
    for (y, row) in rows.iter().enumerate() {
        let (above, below) = (source.slice(s![row.first, .., ..]), source.slice(s![row.second, .., ..]));
        let (Some(above), Some(below)) = (above.as_slice(), below.as_slice()) else { continue };
        let pairs = above[used.clone()].iter().zip(&below[used.clone()]);
        for (value, (&a, &b)) in blended.iter_mut().zip(pairs) {
            *value = f32::from(a) + (f32::from(b) - f32::from(a)) * row.weight;
        }
        let mut target = out.slice_mut(s![y, .., ..]);
        let Some(target) = target.as_slice_mut() else { continue };
        for (i, tap) in columns.iter().enumerate() {
            let left = &blended[3 * tap.first - used.start..][..3];
            let right = &blended[3 * tap.second - used.start..][..3];
            let pixel = &mut target[3 * window.column(i)..][..3];
            for c in 0..3 {
                pixel[c] = left[c] + (right[c] - left[c]) * tap.weight;
            }
        }
    }
    pad(&mut out, window, fill);
    out
}

/// Fills the padding.
pub(super) fn pad(image: &mut Array3<f32>, window: &CropWindow, fill: [f32; 3]) {
    let (filled, padding) = (window.filled(0), window.padding());
    let mut beside = image.slice_mut(s![..filled, padding, ..]);
    beside
        .rows_mut()
        .into_iter()
        .for_each(|mut pixel| pixel.iter_mut().zip(fill).for_each(|(v, fill)| *v = fill));
    let mut below = image.slice_mut(s![filled.., .., ..]);
    below
        .rows_mut()
        .into_iter()
        .for_each(|mut pixel| pixel.iter_mut().zip(fill).for_each(|(v, fill)| *v = fill));
}

/// The window of a mask `[H, W]`, padded with [`IGNORE`].
pub(super) fn mask(source: ArrayView2<'_, u8>, window: &CropWindow) -> Array2<u8> {
    nearest(source, window, IGNORE)
}

/// The window of labels `[H, W]` of any kind, padded with `fill`.
pub(super) fn nearest<T: Copy>(source: ArrayView2<'_, T>, window: &CropWindow, fill: T) -> Array2<T> {
    let mut out = Array2::from_elem((window.size[0], window.size[1]), fill);
    let (rows, columns) = (window.nearest(0), window.nearest(1));
    for (y, &row) in rows.iter().enumerate() {
        let row = source.row(row);
        let mut target = out.row_mut(y);
        for (i, &x) in columns.iter().enumerate() {
            target[window.column(i)] = row[x];
        }
    }
    out
}
