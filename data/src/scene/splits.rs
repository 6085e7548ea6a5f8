//! Splits: which views are for training, validation and testing.

use serde::{Deserialize, Serialize};

/// The use of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Seen in training.
    Train,
    /// For choosing between settings.
    Val,
    /// For the final figure.
    Test,
}

impl Split {
    /// All, in the order in which files are read.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The name in files: `train`, `val`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// Indices into a scene's views, ascending, without overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    /// Views seen in training.
    pub train: Vec<usize>,
    /// Views for choosing between settings; may be empty.
    pub val: Vec<usize>,
    /// Views for the final figure; may be empty.
    pub test: Vec<usize>,
}

impl Splits {
    /// Collects the views of each split from the split of each view.
    pub(crate) fn from_views(splits: impl IntoIterator<Item = Split>) -> Self {
        let mut all = Self::default();
        for (i, split) in splits.into_iter().enumerate() {
            match split {
                Split::Train => all.train.push(i),
                Split::Val => all.val.push(i),
                Split::Test => all.test.push(i),
            }
        }
        all
    }

    /// The views of one split.
    pub fn get(&self, split: Split) -> &[usize] {
        match split {
            Split::Train => &self.train,
            Split::Val => &self.val,
            Split::Test => &self.test,
        }
    }

    /// The views to evaluate on: test, or val where there is no test.
    pub fn eval(&self) -> &[usize] {
        if self.test.is_empty() { &self.val } else { &self.test }
    }
}

/// The split of a view by its index in the order of file names, where the files give no splits: every `every`-th view
/// is held out, starting with the first. 0 and 1 hold out none, and a single view is trained on.
pub(super) fn holdout(index: usize, every: usize, count: usize) -> Split {
    let held = every > 1 && count > 1 && index.is_multiple_of(every);
    if held { Split::Test } else { Split::Train }
}

/// Whether item `index` of `count` stays when at most `limit` are kept, evenly spaced, the first among them.
pub(crate) fn keeps(index: usize, count: usize, limit: usize) -> bool {
    // Item i stays where i * limit / count steps up to its next integer.
    count <= limit || (limit > 0 && (index * limit) % count < limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_eighth_is_held_out() {
        let test: Vec<_> = (0..20).filter(|&i| holdout(i, 8, 20) == Split::Test).collect();
        assert_eq!(test, [0, 8, 16]);
        assert!((0..20).all(|i| holdout(i, 0, 20) == Split::Train));
        assert_eq!(holdout(0, 8, 1), Split::Train, "the only view trains");
    }

    #[test]
    fn eval_falls_back_to_val() {
        let mut splits = Splits::from_views([Split::Train, Split::Val, Split::Test, Split::Train]);
        assert_eq!((splits.get(Split::Train), splits.eval()), (&[0, 3][..], &[2][..]));
        splits.test.clear();
        assert_eq!(splits.eval(), [1]);
    }

    proptest! {
        #[test]
        fn keeps_exactly_the_limit(count in 1..300usize, limit in 0..300usize) {
            let kept: Vec<_> = (0..count).filter(|&i| keeps(i, count, limit)).collect();
            prop_assert_eq!(kept.len(), count.min(limit));
            let gaps = kept.windows(2).map(|w| w[1] - w[0]);
            let (least, most) = gaps.fold((usize::MAX, 0), |(a, b), g| (a.min(g), b.max(g)));
            prop_assert!(kept.len() < 2 || most - least <= 1);
        }
    }
}
