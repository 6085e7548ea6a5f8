//! Which tokens attend to which.

/// Rows of the tensors that form a set: every query of a set attends to every key of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Sequence b of `queries` rows attends to sequence b of `keys` rows.
    Sequences {
        /// Number of sequences.
        batch: usize,
        /// Rows of each sequence of queries.
        queries: usize,
        /// Rows of each sequence of keys.
        keys: usize,
    },
    /// The windows of maps whose rows are pixels, row-major.
    Windows {
        /// Number of maps.
        batch: usize,
        /// Height and width of a map.
        map: [usize; 2],
        /// Height and width of a window.
        window: [usize; 2],
        /// By how much the map is rolled up and left first.
        shift: [usize; 2],
    },
}

/// A token that is not on the map.
pub(super) const PAD: u32 = u32::MAX;

impl Pattern {
    /// Queries and keys of a set.
    #[must_use]
    pub fn extents(&self) -> (usize, usize) {
        match self {
            Self::Sequences { queries, keys, .. } => (*queries, *keys),
            Self::Windows { window, .. } => (window[0] * window[1], window[0] * window[1]),
        }
    }

    /// Rows of the queries' and of the keys' tensor.
    #[must_use]
    pub fn rows(&self) -> (usize, usize) {
        match self {
            Self::Sequences { batch, queries, keys } => (batch * queries, batch * keys),
            Self::Windows { batch, map, .. } => (batch * map[0] * map[1], batch * map[0] * map[1]),
        }
    }

    /// Number of sets.
    #[must_use]
    pub fn sets(&self) -> usize {
        match self {
            Self::Sequences { batch, .. } => *batch,
            Self::Windows { batch, map, window, .. } => {
                batch * map[0].div_ceil(window[0]) * map[1].div_ceil(window[1])
            }
        }
    }

    /// Whether some tokens of some set are not on the map.
    #[must_use]
    pub fn pads(&self) -> bool {
        match self {
            Self::Sequences { .. } => false,
            Self::Windows { map, window, .. } => (0..2).any(|a| !map[a].is_multiple_of(window[a])),
        }
    }

    /// The rows of set `set`: its queries', and its keys'.
    pub(super) fn set(&self, set: usize, queries: &mut Vec<u32>, keys: &mut Vec<u32>) {
        queries.clear();
        keys.clear();
        match *self {
            Self::Sequences { queries: n, keys: m, .. } => {
                queries.extend((0..n).map(|i| (set * n + i) as u32));
                keys.extend((0..m).map(|i| (set * m + i) as u32));
            }
            Self::Windows { map, window, shift, .. } => {
                let count = [map[0].div_ceil(window[0]), map[1].div_ceil(window[1])];
                let (image, at) = (set / (count[0] * count[1]), set % (count[0] * count[1]));
                let first = [at / count[1] * window[0], at % count[1] * window[1]];
                let place =
                    |axis: usize, i: usize| (first[axis] + i + shift[axis]) % (count[axis] * window[axis]);
                for i in 0..window[0] {
                    for j in 0..window[1] {
                        let (y, x) = (place(0, i), place(1, j));
                        let inside = y < map[0] && x < map[1];
                        let row = (image * map[0] + y) * map[1] + x;
                        queries.push(if inside { row as u32 } else { PAD });
                    }
                }
                keys.extend_from_slice(queries);
            }
        }
    }

    /// The regions of a set's tokens, if it has several: tokens of different ones do not see each other.
    pub(super) fn regions(&self, set: usize, regions: &mut Vec<u8>) -> bool {
        regions.clear();
        let Self::Windows { map, window, shift, .. } = *self else { return false };
        let count = [map[0].div_ceil(window[0]), map[1].div_ceil(window[1])];
        let at = set % (count[0] * count[1]);
        let last = [at / count[1] + 1 == count[0], at % count[1] + 1 == count[1]];
        if !(0..2).any(|a| shift[a] > 0 && last[a]) {
            return false;
        }
        // In the last window of an axis, what was rolled in from the other end is a region of its own.
        let beyond = |a: usize, i: usize| u8::from(shift[a] > 0 && last[a] && i >= window[a] - shift[a]);
        for i in 0..window[0] {
            regions.extend((0..window[1]).map(|j| 2 * beyond(0, i) + beyond(1, j)));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_pixel_once() {
        let pattern = Pattern::Windows { batch: 2, map: [5, 7], window: [3, 4], shift: [1, 2] };
        let (mut q, mut k, mut seen) = (Vec::new(), Vec::new(), vec![0; 70]);
        for set in 0..pattern.sets() {
            pattern.set(set, &mut q, &mut k);
            assert_eq!((q.len(), &q), (12, &k));
            q.iter().filter(|r| **r != PAD).for_each(|r| seen[*r as usize] += 1);
        }
        assert_eq!((pattern.sets(), pattern.pads(), pattern.rows()), (8, true, (70, 70)));
        assert!(seen.iter().all(|n| *n == 1));
    }

    #[test]
    fn only_the_last_windows_have_regions() {
        let pattern = Pattern::Windows { batch: 1, map: [4, 4], window: [2, 2], shift: [1, 1] };
        let mut regions = Vec::new();
        let found: Vec<_> =
            (0..4).map(|set| pattern.regions(set, &mut regions).then(|| regions.clone())).collect();
        let want = [None, Some(vec![0, 1, 0, 1]), Some(vec![0, 0, 2, 2]), Some(vec![0, 1, 2, 3])];
        assert_eq!(found, want);
    }
}
