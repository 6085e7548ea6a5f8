//! Sets of pixels as rows of bits, and their dilation by a disc: 64 pixels at a time.

/// A set of pixels of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PixelSet {
    height: usize,
    /// Words a row.
    stride: usize,
    words: Vec<u64>,
}

impl PixelSet {
    /// The empty set.
    pub fn new(width: usize, height: usize) -> Self {
        let stride = width.div_ceil(64);
        Self { height, stride, words: vec![0; stride * height] }
    }

    /// Adds the pixel in column `x`, row `y`.
    pub fn insert(&mut self, x: usize, y: usize) {
        self.words[y * self.stride + x / 64] |= 1 << (x % 64);
    }

    /// How many pixels there are.
    pub fn len(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many pixels of this set are in the other one, of an image of the same size.
    pub fn len_in(&self, other: &Self) -> u64 {
        self.words.iter().zip(&other.words).map(|(a, b)| u64::from((a & b).count_ones())).sum()
    }

    /// All pixels whose center is nearer than `distance` (above 0, in pixels) to that of one of the set.
    pub fn dilated(&self, distance: f64) -> Self {
        let mut out = Self { height: self.height, stride: self.stride, words: vec![0; self.words.len()] };
        let limit = distance * distance;
        let chord = |dy: usize| {
            let mut half = ((limit - (dy * dy) as f64).max(0.0)).sqrt() as usize;
            // The square root may round either way.
            while half > 0 && (half * half + dy * dy) as f64 >= limit {
                half -= 1;
            }
            half
        };
        // Never wider than the image, nor higher.
        let cap = |half: usize| half.min(64 * self.stride);
        let reach = (0..self.height).take_while(|dy| ((dy * dy) as f64) < limit).last().unwrap_or(0);
        let chords: Vec<usize> = (0..=reach).map(|dy| cap(chord(dy))).collect();
        let mut grown = vec![0; self.stride];
        let mut scratch = vec![0; self.stride];
        for (y, row) in self.words.chunks_exact(self.stride).enumerate() {
            if row.iter().all(|&word| word == 0) {
                continue;
            }
            grown.copy_from_slice(row);
            let mut radius = 0;
            // From the disc's rim to its middle, chords only grow.
            for (dy, &half) in chords.iter().enumerate().rev() {
                while radius < half {
                    // A step of at most one more than the radius leaves no gap, and never needs a pixel that lies
                    // beyond the image's edge on the way.
                    let step = (half - radius).min(radius + 1);
                    scratch.copy_from_slice(&grown);
                    or_shifted(&mut grown, &scratch, step);
                    radius += step;
                }
                for target in [y.checked_sub(dy), Some(y + dy).filter(|&below| below < self.height)] {
                    let Some(target) = target else { continue };
                    let row = &mut out.words[target * self.stride..(target + 1) * self.stride];
                    row.iter_mut().zip(&grown).for_each(|(out, word)| *out |= word);
                }
            }
        }
        out
    }
}

/// Adds a row shifted by `by` pixels to either side.
fn or_shifted(out: &mut [u64], row: &[u64], by: usize) {
    let (words, bits) = (by / 64, by % 64);
    let word = |at: Option<usize>| at.and_then(|at| row.get(at)).copied().unwrap_or(0);
    for (i, out) in out.iter_mut().enumerate() {
        let (left, right) = (i.checked_sub(words), Some(i + words));
        *out |= word(left) << bits | word(right) >> bits;
        if bits > 0 {
            let (left, right) = (i.checked_sub(words + 1), Some(i + words + 1));
            *out |= word(left) >> (64 - bits) | word(right) << (64 - bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the definition, pixel by pixel: sizes across word borders, reaches from none to all of the image.
        #[test]
        fn a_dilation_is_all_that_is_near(
            width in 1..150usize, height in 1..12usize, distance in 0.01..160.0f64, whole in any::<bool>(),
            points in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..5),
        ) {
            let distance = if whole { distance.ceil() } else { distance };
            let points: Vec<_> = points.iter().map(|(x, y)| (x.index(width), y.index(height))).collect();
            let mut set = PixelSet::new(width, height);
            points.iter().for_each(|&(x, y)| set.insert(x, y));
            let near = |x: usize, y: usize| points.iter().any(|&(px, py)| {
                ((px.abs_diff(x).pow(2) + py.abs_diff(y).pow(2)) as f64) < distance * distance
            });
            let dilated = set.dilated(distance);
            for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
                let mut pixel = PixelSet::new(width, height);
                pixel.insert(x, y);
                prop_assert_eq!(pixel.len_in(&dilated) == 1, near(x, y), "({}, {})", x, y);
            }
        }
    }
}
