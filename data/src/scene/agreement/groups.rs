//! Groups of views that agree, from pairs that agree and pairs that contradict each other.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

/// What two views say of each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bond {
    pub a: usize,
    pub b: usize,
    /// How surely they agree, above 0, or contradict each other, below.
    pub weight: f64,
}

/// A bond between groups, for the heap: the strongest first, then by index, so that the result is always the same.
#[derive(Clone, Copy, PartialEq)]
struct Candidate(f64, usize, usize);

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then_with(|| (other.1, other.2).cmp(&(self.1, self.2)))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Joins the two groups with the largest sum of bonds until no sum is positive (greedy additive edge contraction, Keuper et
/// al. 2015). All views, the largest group first, views and equally large groups in ascending order.
pub(super) fn groups(views: usize, bonds: &[Bond]) -> Vec<Vec<usize>> {
    let mut members: Vec<Vec<usize>> = (0..views).map(|view| vec![view]).collect();
    let mut between: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); views];
    for bond in bonds.iter().filter(|bond| bond.a != bond.b) {
        *between[bond.a].entry(bond.b).or_default() += bond.weight;
        *between[bond.b].entry(bond.a).or_default() += bond.weight;
    }
    let mut heap = BinaryHeap::new();
    for (a, others) in between.iter().enumerate() {
        heap.extend(others.range(a..).filter(|(_, w)| **w > 0.0).map(|(&b, &w)| Candidate(w, a, b)));
    }
    while let Some(Candidate(weight, a, b)) = heap.pop() {
        // Sums that have changed since are in the heap anew.
        if between[a].get(&b) != Some(&weight) {
            continue;
        }
        let joined = std::mem::take(&mut members[b]);
        members[a].extend(joined);
        for (other, weight) in std::mem::take(&mut between[b]) {
            between[other].remove(&b);
            if other != a {
                let sum = between[a].entry(other).or_default();
                *sum += weight;
                let sum = *sum;
                between[other].insert(a, sum);
                if sum > 0.0 {
                    heap.push(Candidate(sum, a.min(other), a.max(other)));
                }
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = members.into_iter().filter(|group| !group.is_empty()).collect();
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group[0]));
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two halves of a walk that agree along the way, a few wrong links between them, and contradictions across.
    #[test]
    fn a_few_wrong_links_do_not_join_what_contradicts() {
        let mut bonds = Vec::new();
        for half in [0, 10] {
            for i in half..half + 9 {
                bonds.push(Bond { a: i, b: i + 1, weight: 0.4 });
            }
        }
        for i in 0..10 {
            bonds.push(Bond { a: i, b: i + 10, weight: -1.0 });
        }
        for (a, b) in [(3, 12), (17, 4)] {
            bonds.push(Bond { a, b, weight: 0.2 });
        }
        assert_eq!(groups(21, &bonds), [(0..10).collect(), (10..20).collect(), vec![20]]);
    }

    proptest! {
        #[test]
        fn every_view_is_in_one_group(
            bonds in prop::collection::vec((0..12usize, 0..12usize, -1.0..1.0f64), 0..60),
        ) {
            let bonds: Vec<Bond> = bonds.into_iter().map(|(a, b, weight)| Bond { a, b, weight }).collect();
            let found = groups(12, &bonds);
            let mut all = found.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..12).collect::<Vec<_>>());
            // Nothing that could be joined is left apart.
            let of = |view: usize| found.iter().position(|group| group.contains(&view)).unwrap_or(0);
            let mut sums = BTreeMap::<(usize, usize), f64>::new();
            for bond in &bonds {
                let (a, b) = (of(bond.a), of(bond.b));
                if a != b {
                    *sums.entry((a.min(b), a.max(b))).or_default() += bond.weight;
                }
            }
            prop_assert!(sums.values().all(|sum| *sum <= 1e-9), "{sums:?}");
        }
    }
}
