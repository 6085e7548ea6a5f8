//! What a kernel sees at each of its places, as rows of a matrix ("im2col"), and back.

/// A kernel's places over a map with interleaved channels. Place a of an axis sees the map from `a * stride + origin`
/// on; beyond the map it sees zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Im2col {
    /// Height and width of the map.
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    /// Rows and columns of the kernel.
    pub(super) taps: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) origin: [isize; 2],
}

impl Im2col {
    /// Values that one place sees.
    pub(super) fn len(&self) -> usize {
        self.taps[0] * self.taps[1] * self.channels
    }

    /// Writes what the places `(row, 0), (row, 1), ...` see, as many as `to` has room for, ordered by the kernel's row,
    /// its column, the channel.
    pub(super) fn unfold(&self, map: &[f32], row: usize, to: &mut [f32]) {
        let [height, width] = self.size;
        let across = self.taps[1] * self.channels;
        let top = (row * self.stride[0]) as isize + self.origin[0];
        for (column, to) in to.chunks_exact_mut(self.len()).enumerate() {
            let left = (column * self.stride[1]) as isize + self.origin[1];
            // Taps of a row that lie inside the map, and where the first of them lies.
            let from = left.clamp(0, width as isize) as usize;
            let until = (left + self.taps[1] as isize).clamp(0, width as isize) as usize;
            let before = (from as isize - left) as usize * self.channels;
            let inside = (until - from) * self.channels;
            for (tap, to) in to.chunks_exact_mut(across).enumerate() {
                let y = top + tap as isize;
                if inside == 0 || y < 0 || y >= height as isize {
                    to.fill(0.0);
                    continue;
                }
                let at = (y as usize * width + from) * self.channels;
                to[..before].fill(0.0);
                to[before..before + inside].copy_from_slice(&map[at..at + inside]);
                to[before + inside..].fill(0.0);
            }
        }
    }

    /// Writes rows that do not overlap back to where [`Self::unfold`] would have read them.
    pub(super) fn fold(&self, from: &[f32], row: usize, map: &mut [f32]) {
        let across = self.taps[1] * self.channels;
        for (column, from) in from.chunks_exact(self.len()).enumerate() {
            for (tap, from) in from.chunks_exact(across).enumerate() {
                let (y, x) = (row * self.stride[0] + tap, column * self.stride[1]);
                map[(y * self.size[1] + x) * self.channels..][..across].copy_from_slice(from);
            }
        }
    }
}
