//! Which rows (or columns) an output is made of, and with which weights.

/// Every output of an axis as a weighted sum of inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    size: usize,
    taps: Vec<Vec<(usize, f32)>>,
}

impl Axis {
    /// Sums by `taps`, inputs and their weights for each output, of `size` inputs.
    ///
    /// # Panics
    /// If there is no such input.
    pub fn new(size: usize, taps: Vec<Vec<(usize, f32)>>) -> Self {
        assert!(taps.iter().flatten().all(|(at, _)| *at < size), "an axis of {size} values");
        Self { size, taps }
    }

    /// Averages of ranges of inputs, a sum over `ranges[i]` times `1 / divisors[i]`.
    pub(crate) fn averages(
        size: usize,
        ranges: impl Iterator<Item = (std::ops::Range<usize>, usize)>,
    ) -> Self {
        let taps = ranges.map(|(range, n)| range.map(|at| (at, (1.0 / n as f64) as f32)).collect());
        Self::new(size, taps.collect())
    }

    /// `outputs` values interpolated linearly between `size`.
    pub fn linear(size: usize, outputs: usize, align_corners: bool) -> Self {
        let last = size - 1;
        let taps = |i: usize| {
            let at = match align_corners {
                true if outputs > 1 => i as f64 * last as f64 / (outputs - 1) as f64,
                true => 0.0,
                false => ((i as f64 + 0.5) * size as f64 / outputs as f64 - 0.5).max(0.0),
            };
            let low = (at as usize).min(last);
            let part = at - low as f64;
            if low == last || part == 0.0 {
                vec![(low, 1.0)]
            } else {
                vec![(low, (1.0 - part) as f32), (low + 1, part as f32)]
            }
        };
        Self::new(size, (0..outputs).map(taps).collect())
    }

    /// `outputs` values out of `size`.
    pub fn nearest(size: usize, outputs: usize) -> Self {
        let scale = size as f32 / outputs as f32;
        let tap = |i: usize| vec![(((i as f32 * scale) as usize).min(size - 1), 1.0)];
        Self::new(size, (0..outputs).map(tap).collect())
    }

    /// Inputs as sums of outputs, by the same weights.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut taps = vec![Vec::new(); self.size];
        for (output, of) in self.taps.iter().enumerate() {
            of.iter().for_each(|(at, weight)| taps[*at].push((output, *weight)));
        }
        Self::new(self.taps.len(), taps)
    }

    /// Inputs.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.taps.len()
    }

    /// Inputs and weights of an output.
    pub(super) fn taps(&self, output: usize) -> &[(usize, f32)] {
        &self.taps[output]
    }
}
