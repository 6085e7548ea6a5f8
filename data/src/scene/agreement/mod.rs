//! Whether the photographs agree with their poses, all together.
//!
//! Where something looks alike from several sides, such as a label that repeats, structure from motion may lay one part of a
//! capture over another: the model is folded. Photographs of both parts then claim to be taken from the same place, and show
//! different things. No scene fits both, but each part by itself is sound. Such parts are found here as groups of views that
//! agree, from the tracks ([`tracks`]) and from pixels ([`pixels`]); where there are no tracks, from pixels alone.
//!
//! Sound captures must never be divided, so little evidence is none: there must be several pairs that contradict each other,
//! nearly all of them between the groups, and hardly any that agree there.

mod choice;
mod groups;
mod pixels;
mod tracks;

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::Serialize;

pub use self::choice::{ChoiceError, ViewChoice};
use self::groups::Bond;
use self::pixels::Pair;
pub(crate) use self::pixels::{Small, share};
use super::order::natural;
use super::{Outline, SceneFormat};
use crate::camera::attention;

/// The fewest views of a group, and pairs that contradict each other between the groups.
const FEWEST: usize = 3;
const PAIRS: usize = 6;
/// The least fraction of the bonds between groups that contradict, and the largest of those within.
const BETWEEN: f64 = 0.75;
const WITHIN: f64 = 0.1;
/// How many views are looked at first: of larger captures all are only if these contradict each other.
const FIRST: usize = 150;
/// Pairs that are compared by pixels first.
const SAMPLED: usize = 64;
/// Each view is compared with so many of those nearest to it, at most.
const NEIGHBOURS: usize = 16;
/// By pixels views are compared that stand closer than this fraction of the distance to what they look at,
const CLOSE: f64 = 0.22;
/// and whose axes differ by less, in degrees.
const TURNED: f64 = 15.0;
/// The nearest depth that anything is at, as a fraction of the same distance.
const NEAREST: f64 = 0.3;
/// Pairs by whose pixels the evidence of the tracks is confirmed, and the largest fraction of what photographs of one group share
/// that those of different groups may.
const CONFIRMED_BY: usize = 24;
const CONFIRMED: f64 = 0.8;
/// By pixels alone, groups are clear if at most this fraction of the views is in none,
const UNKNOWN: f64 = 0.2;
/// and photographs without clear groups contradict each other if at least this fraction of the pairs does.
const MANY: f64 = 0.1;

/// Parts of a capture that contradict each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contradiction {
    /// Views that agree, as indices into the scene's, ascending; the largest group first, two or more. None where they cannot be
    /// divided clearly.
    pub groups: Vec<Vec<usize>>,
    /// Views that are in none: nothing is known of them.
    pub unknown: Vec<usize>,
    /// How many pairs of views contradict each other between the groups.
    pub pairs: usize,
    /// Two of them, of different groups: those that stand closest to each other and look the same way.
    pub example: [usize; 2],
    /// How far apart these stand, in world units, and the angle between their axes in degrees.
    pub apart: [f64; 2],
}

impl Contradiction {
    /// Looks for one. Without `pixels` no photograph is decoded, and only tracks can tell; with them both must.
    pub fn find(outline: &Outline, pixels: bool) -> Option<Self> {
        let count = outline.views.len();
        if count < 2 * FEWEST || outline.format == SceneFormat::Blender {
            // Rendered scenes have the poses that they were rendered from.
            return None;
        }
        let reach = reach(outline)?;
        if outline.points.iter().filter(|point| point.views.len() > 1).count() > count {
            let found = by_tracks(outline, reach)?;
            return (!pixels || confirmed(outline, &found, reach)).then_some(found);
        }
        if pixels { by_pixels(outline, reach) } else { None }
    }

    /// Pairs of views of different groups that share points: by what looks alike in them.
    pub fn sharing(&self, outline: &Outline) -> Vec<[usize; 2]> {
        let mut pairs = BTreeSet::new();
        for point in &outline.points {
            let views: Vec<usize> = point.views.iter().map(|view| *view as usize).collect();
            for (i, &a) in views.iter().enumerate() {
                pairs.extend(
                    views[i + 1..].iter().filter(|b| self.group_of(a) != self.group_of(**b)).map(|b| [a, *b]),
                );
            }
        }
        pairs.into_iter().collect()
    }

    /// The group of a view, from 1.
    pub fn group_of(&self, view: usize) -> Option<usize> {
        Some(1 + self.groups.iter().position(|group| group.binary_search(&view).is_ok())?)
    }

    /// The names of a group's views, those that follow each other as one: `0014.jpg to 0034.jpg, 0053.jpg`.
    pub fn names(&self, outline: &Outline, group: usize) -> String {
        const RUNS: usize = 6;
        let mut order: Vec<usize> = (0..outline.views.len()).collect();
        order.sort_by(|&a, &b| natural(&outline.views[a].name, &outline.views[b].name));
        let members = &self.groups[group];
        let mut runs: Vec<[usize; 2]> = Vec::new();
        let mut open = false;
        for view in order {
            let inside = members.binary_search(&view).is_ok();
            match runs.last_mut() {
                Some(run) if inside && open => run[1] = view,
                _ if inside => runs.push([view; 2]),
                _ => {}
            }
            open = inside;
        }
        let name = |view: usize| outline.views[view].name.clone();
        let text = |&[first, last]: &[usize; 2]| match first == last {
            true => name(first),
            false => format!("{} to {}", name(first), name(last)),
        };
        let more = if runs.len() > RUNS { ", ..." } else { "" };
        format!("{}{more}", runs.iter().take(RUNS).map(text).collect::<Vec<_>>().join(", "))
    }

    /// Of bonds between views; `None` if they do not divide the views into groups.
    fn of(outline: &Outline, bonds: &[Bond], reach: f64) -> Option<Self> {
        let count = outline.views.len();
        let mut groups = groups::groups(count, bonds);
        let small = groups.iter().position(|group| group.len() < FEWEST).unwrap_or(groups.len());
        let mut rest: Vec<usize> = groups.split_off(small).concat();
        if groups.len() < 2 {
            return None;
        }
        let mut of = vec![None; count];
        for (index, group) in groups.iter().enumerate() {
            group.iter().for_each(|&view| of[view] = Some(index));
        }
        let between = |bond: &&Bond| matches!((of[bond.a], of[bond.b]), (Some(a), Some(b)) if a != b);
        let within = |bond: &&Bond| matches!((of[bond.a], of[bond.b]), (Some(a), Some(b)) if a == b);
        let against = |of: &dyn Fn(&&Bond) -> bool| {
            let (bad, all) = bonds
                .iter()
                .filter(of)
                .fold((0, 0), |(bad, all), bond| (bad + usize::from(bond.weight < 0.0), all + 1));
            (bad, bad as f64 / all.max(1) as f64)
        };
        let (pairs, share) = against(&between);
        if pairs < PAIRS || share < BETWEEN || against(&within).1 > WITHIN {
            return None;
        }
        let closest = closest(outline, bonds.iter().filter(between), reach)?;
        let unknown = settle(outline, bonds, &mut groups, &mut rest, of);
        Some(Self::made(outline, closest, groups, unknown, pairs))
    }

    fn made(
        outline: &Outline,
        example: [usize; 2],
        groups: Vec<Vec<usize>>,
        unknown: Vec<usize>,
        pairs: usize,
    ) -> Self {
        let cameras = example.map(|view| &outline.views[view].camera);
        let distance = (cameras[0].centre() - cameras[1].centre()).norm();
        let angle = cameras[0].forward().angle(&cameras[1].forward()).to_degrees();
        Self { groups, unknown, pairs, example, apart: [distance, angle] }
    }
}

/// Of bonds that contradict, the views that are closest to each other.
fn closest<'a>(outline: &Outline, bonds: impl Iterator<Item = &'a Bond>, reach: f64) -> Option<[usize; 2]> {
    let apart = |bond: &&Bond| apart(outline, bond.a, bond.b, reach);
    let closest = bonds.filter(|bond| bond.weight < 0.0).min_by(|p, q| apart(p).total_cmp(&apart(q)))?;
    Some([closest.a, closest.b])
}

/// Adds views that are in no group to the one that contradicts them least or, where no bond tells, to that of the views
/// before and after them by name; the others stay unknown.
fn settle(
    outline: &Outline,
    bonds: &[Bond],
    groups: &mut [Vec<usize>],
    rest: &mut Vec<usize>,
    of: Vec<Option<usize>>,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..outline.views.len()).collect();
    order.sort_by(|&a, &b| natural(&outline.views[a].name, &outline.views[b].name));
    let mut unknown = Vec::new();
    for view in std::mem::take(rest) {
        let mut sums = vec![0.0; groups.len()];
        let mut told = false;
        for bond in bonds.iter().filter(|bond| bond.a == view || bond.b == view) {
            if let Some(group) = of[if bond.a == view { bond.b } else { bond.a }] {
                sums[group] += bond.weight;
                told = true;
            }
        }
        let best = (0..groups.len()).max_by(|&a, &b| sums[a].total_cmp(&sums[b]).then(b.cmp(&a)));
        let place = order.iter().position(|&other| other == view).unwrap_or(0);
        let before = order[..place].iter().rev().find_map(|&other| of[other]);
        let after = order[place + 1..].iter().find_map(|&other| of[other]);
        let group = if told {
            best
        } else {
            before.filter(|_| before == after || after.is_none()).or(after.filter(|_| before.is_none()))
        };
        match group {
            Some(group) => groups[group].push(view),
            None => unknown.push(view),
        }
    }
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group[0]));
    unknown.sort_unstable();
    unknown
}

/// How far a typical camera is from what all look at, in world units.
fn reach(outline: &Outline) -> Option<f64> {
    if !outline.frame_is_stated {
        // As the placement found it: 1 in the unit frame.
        return Some(1.0 / outline.frame.scaling()).filter(|reach| reach.is_normal());
    }
    let poses: Vec<_> = outline.views.iter().map(|view| view.camera.pose).collect();
    let target = attention(&poses)?;
    let mut distances: Vec<f64> =
        outline.views.iter().map(|view| (view.camera.centre() - target).norm()).collect();
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len() / 2).copied().filter(|reach| reach.is_normal())
}

/// How far apart two views stand and look, for an order: a third of the reach counts as 15 degrees.
fn apart(outline: &Outline, a: usize, b: usize, reach: f64) -> f64 {
    let (a, b) = (&outline.views[a].camera, &outline.views[b].camera);
    let distance = (a.centre() - b.centre()).norm() / reach;
    3.0 * distance + a.forward().angle(&b.forward()).to_degrees() / TURNED
}

fn by_tracks(outline: &Outline, reach: f64) -> Option<Contradiction> {
    let count = outline.views.len();
    let all: Vec<usize> = (0..count).collect();
    let contradicting = |bonds: &[Bond]| bonds.iter().filter(|bond| bond.weight < 0.0).count() >= PAIRS;
    if count > FIRST {
        let first: Vec<usize> = (0..FIRST).map(|i| i * count / FIRST).collect();
        if !contradicting(&tracks::bonds(outline, &first)) {
            return None;
        }
    }
    let bonds = tracks::bonds(outline, &all);
    if contradicting(&bonds) { Contradiction::of(outline, &bonds, reach) } else { None }
}

/// Pairs of views that stand close and look the same way, the closest first, with how far apart they are.
fn close_pairs(outline: &Outline, reach: f64) -> Vec<(usize, usize, f64)> {
    let mut pairs: Vec<(usize, usize, f64)> = Vec::new();
    for a in 0..outline.views.len() {
        for b in a + 1..outline.views.len() {
            let (one, other) = (&outline.views[a].camera, &outline.views[b].camera);
            if (one.centre() - other.centre()).norm() < CLOSE * reach
                && one.forward().angle(&other.forward()).to_degrees() < TURNED
            {
                pairs.push((a, b, apart(outline, a, b, reach)));
            }
        }
    }
    pairs.sort_by(|p, q| p.2.total_cmp(&q.2));
    pairs
}

/// The photographs of the views in some pairs.
fn photographs(outline: &Outline, pairs: &[(usize, usize, f64)]) -> Vec<Option<Small>> {
    let mut needed = vec![false; outline.views.len()];
    pairs.iter().for_each(|&(a, b, _)| (needed[a], needed[b]) = (true, true));
    let views = outline.views.par_iter().zip(needed);
    views.map(|(view, needed)| if needed { Small::of(view) } else { None }).collect()
}

/// What pairs of photographs share.
fn compared(outline: &Outline, pairs: &[(usize, usize, f64)], reach: f64) -> Vec<Pair> {
    pixels::compare(&photographs(outline, pairs), pairs, NEAREST * reach)
}

fn by_pixels(outline: &Outline, reach: f64) -> Option<Contradiction> {
    let pairs = close_pairs(outline, reach);
    let step = pairs.len().div_ceil(SAMPLED).max(1);
    let sampled: Vec<_> = pairs.iter().copied().step_by(step).collect();
    let against = |bonds: &[Bond]| bonds.iter().filter(|bond| bond.weight < 0.0).count();
    if against(&pixels::bonds(&compared(outline, &sampled, reach))) < FEWEST {
        return None;
    }
    let mut seen = vec![0; outline.views.len()];
    let kept = |&(a, b, _): &(usize, usize, f64)| {
        let few = seen[a] < NEIGHBOURS || seen[b] < NEIGHBOURS;
        (seen[a], seen[b]) = (seen[a] + 1, seen[b] + 1);
        few
    };
    let pairs: Vec<_> = pairs.into_iter().filter(kept).collect();
    let bonds = pixels::bonds(&compared(outline, &pairs, reach));
    let divided = Contradiction::of(outline, &bonds, reach);
    let clear = divided.filter(|found| found.unknown.len() as f64 <= UNKNOWN * outline.views.len() as f64);
    // Where the photographs do not fall into groups, they may contradict each other all the same.
    let pairs = against(&bonds);
    let many = pairs >= PAIRS && pairs as f64 >= MANY * bonds.len() as f64;
    clear.or_else(|| {
        let closest = closest(outline, bonds.iter(), reach).filter(|_| many)?;
        Some(Contradiction::made(outline, closest, Vec::new(), Vec::new(), pairs))
    })
}

/// Whether the photographs of different groups share much less than those of one do, as far as pixels can tell.
fn confirmed(outline: &Outline, found: &Contradiction, reach: f64) -> bool {
    let (mut between, mut within) = (Vec::new(), Vec::new());
    for pair in close_pairs(outline, reach) {
        match (found.group_of(pair.0), found.group_of(pair.1)) {
            (Some(a), Some(b)) if a != b => between.push(pair),
            (Some(_), Some(_)) => within.push(pair),
            _ => {}
        }
    }
    let usual = |mut pairs: Vec<(usize, usize, f64)>| {
        pairs.truncate(CONFIRMED_BY);
        let mut shares: Vec<f64> = compared(outline, &pairs, reach).iter().map(|pair| pair.share).collect();
        shares.sort_by(f64::total_cmp);
        (shares.len() >= FEWEST).then(|| shares[shares.len() / 2])
    };
    match (usual(between), usual(within)) {
        (Some(between), Some(within)) => between < CONFIRMED * within,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
