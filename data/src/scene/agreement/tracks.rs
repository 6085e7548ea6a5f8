//! Evidence from the tracks of structure from motion: points that two photographs should share, by their poses, and do not.
//!
//! Where photographs from near one another show the same things, a third to a half of the points that either has are found
//! in both, near and far. In a folded model a thing that looks alike from two sides is shared, and what lies behind it is not:
//! a range of depths in which both have points, many, and share none, while they share those of other depths. Photographs that
//! share nothing at all say nothing: they may just not have been matched.

use nalgebra::{Point3, Vector3};
use rayon::prelude::*;

use super::groups::Bond;
use crate::scene::Outline;

/// Angle in degrees between the rays of two cameras to a point up to which both should find it,
const RAYS: f64 = 15.0;
/// and the largest ratio of its distances from them.
const DISTANCES: f64 = 1.33;
/// Cameras whose axes are farther apart, in degrees, are not compared.
const AXES: f64 = 40.0;
/// The least number of points by which two photographs are compared.
const COMPARED: usize = 20;
/// Of points that should be shared, the fraction that is where photographs contradict each other: chance matches.
const CHANCE: f64 = 0.01;
/// Limits of that fraction where they agree, half of what is usual in the model.
const AGREEING: [f64; 2] = [0.1, 0.3];
/// A range of depths contradicts if this is the logarithm of how much likelier it is to share nothing, at least,
const SURE: f64 = 8.0;
/// Photographs agree if it is less than this for every range.
const UNSURE: f64 = 4.0;
/// and each photograph has at least so many points there,
const ALONE: usize = 8;
/// while they share at least so many of other depths; and as many where they agree.
const SHARED: usize = 15;

/// The points that a photograph has, and its camera.
struct Sight<'a> {
    outline: &'a Outline,
    view: usize,
    /// Indices of points, ascending.
    points: Vec<u32>,
}

/// A point that both should have.
struct Common {
    depth: f64,
    first: bool,
    second: bool,
}

/// Bonds between those of the given views of which the tracks can tell.
pub(super) fn bonds(outline: &Outline, views: &[usize]) -> Vec<Bond> {
    let mut sights: Vec<Sight<'_>> =
        views.iter().map(|&view| Sight { outline, view, points: Vec::new() }).collect();
    let mut place = vec![None; outline.views.len()];
    views.iter().enumerate().for_each(|(i, &view)| place[view] = Some(i));
    for (point, index) in outline.points.iter().zip(0u32..) {
        for &view in &point.views {
            if let Some(Some(i)) = place.get(view as usize) {
                sights[*i].points.push(index);
            }
        }
    }
    let pairs: Vec<(usize, usize)> =
        (0..sights.len()).flat_map(|a| (a + 1..sights.len()).map(move |b| (a, b))).collect();
    let compared: Vec<(usize, usize, Vec<Common>)> = pairs
        .into_par_iter()
        .filter_map(|(a, b)| common(&sights[a], &sights[b]).map(|points| (a, b, points)))
        .collect();
    let agreeing = agreeing(&compared);
    let bond = |(a, b, points): &(usize, usize, Vec<Common>)| {
        let weight = weigh(points, agreeing)?;
        Some(Bond { a: views[*a], b: views[*b], weight })
    };
    compared.iter().filter_map(bond).collect()
}

/// Half of the usual fraction of points that are shared, within limits.
fn agreeing(compared: &[(usize, usize, Vec<Common>)]) -> f64 {
    let shared = |points: &[Common]| points.iter().filter(|p| p.first && p.second).count();
    let fractions = compared.iter().map(|(_, _, points)| shared(points) as f64 / points.len() as f64);
    let mut fractions: Vec<f64> = fractions.filter(|fraction| *fraction > 0.0).collect();
    fractions.sort_by(f64::total_cmp);
    let usual = fractions.get(fractions.len() / 2).copied().unwrap_or(0.0);
    (0.5 * usual).clamp(AGREEING[0], AGREEING[1])
}

/// The points of either that both should have, by depth; `None` if they are too few.
fn common(a: &Sight<'_>, b: &Sight<'_>) -> Option<Vec<Common>> {
    let (first, second) = (&a.outline.views[a.view].camera, &b.outline.views[b.view].camera);
    if first.forward().angle(&second.forward()).to_degrees() > AXES {
        return None;
    }
    let least = RAYS.to_radians().cos();
    let (one, other) = (first.centre(), second.centre());
    let mut points = Vec::new();
    let mut add = |index: u32, in_first: bool, in_second: bool| {
        let position: &Point3<f64> = &a.outline.points[index as usize].position;
        let (u, v): (Vector3<f64>, Vector3<f64>) = (position - one, position - other);
        let (near, far) = (u.norm(), v.norm());
        let seen = u.dot(&v) > least * near * far
            && near < DISTANCES * far
            && far < DISTANCES * near
            && (in_first || in_picture(first, position))
            && (in_second || in_picture(second, position));
        if seen {
            points.push(Common { depth: near + far, first: in_first, second: in_second });
        }
    };
    let (mut i, mut j) = (0, 0);
    while i < a.points.len() || j < b.points.len() {
        let (p, q) = (a.points.get(i), b.points.get(j));
        match (p, q) {
            (Some(p), Some(q)) if p == q => {
                add(*p, true, true);
                (i, j) = (i + 1, j + 1);
            }
            (Some(p), q) if q.is_none_or(|q| p < q) => {
                add(*p, true, false);
                i += 1;
            }
            (_, Some(q)) => {
                add(*q, false, true);
                j += 1;
            }
            (_, None) => i += 1,
        }
    }
    points.sort_by(|p, q| p.depth.total_cmp(&q.depth));
    (points.len() >= COMPARED).then_some(points)
}

fn in_picture(camera: &crate::Camera, point: &Point3<f64>) -> bool {
    let k = &camera.intrinsics;
    camera.project(point).is_some_and(|(px, py, depth)| {
        depth > 0.0 && (0.0..f64::from(k.width)).contains(&px) && (0.0..f64::from(k.height)).contains(&py)
    })
}

/// What common points, by depth, say of their photographs.
fn weigh(points: &[Common], agreeing: f64) -> Option<f64> {
    let apart = ((1.0 - CHANCE) / (1.0 - agreeing)).ln();
    let together = (CHANCE / agreeing).ln();
    // The range with the largest sum.
    let (mut best, mut sum, mut start) = ((0.0, 0..0), 0.0, 0);
    for (i, point) in points.iter().enumerate() {
        if sum <= 0.0 {
            (sum, start) = (0.0, i);
        }
        sum += if point.first && point.second { together } else { apart };
        if sum > best.0 {
            best = (sum, start..i + 1);
        }
    }
    let (likelier, range) = best;
    let shared = |points: &[Common]| points.iter().filter(|p| p.first && p.second).count();
    let alone = |first: bool| {
        points[range.clone()].iter().filter(|p| p.first != p.second && p.first == first).count()
    };
    let all = shared(points);
    let elsewhere = all - shared(&points[range.clone()]);
    if likelier >= SURE && alone(true).min(alone(false)) >= ALONE && elsewhere >= SHARED {
        return Some(-(likelier / 20.0).min(1.0));
    }
    (all >= SHARED && likelier < UNSURE).then(|| all as f64 / points.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(counts: &[(usize, usize, usize)]) -> Vec<Common> {
        // At each depth: in the first alone, in the second alone, in both; mixed.
        let mut all = Vec::new();
        for (layer, &(first, second, both)) in counts.iter().enumerate() {
            for i in 0..first + second + both {
                let kind = i * 37 % (first + second + both);
                let (a, b) = (kind < first || kind >= first + second, kind >= first);
                all.push(Common { depth: (layer * 1000 + i) as f64, first: a, second: b });
            }
        }
        all
    }

    #[test]
    fn a_range_of_depths_that_shares_nothing_contradicts() {
        let says = |counts: &[(usize, usize, usize)]| weigh(&points(counts), 0.13);
        // Sound: a third is shared, near and far.
        assert!(says(&[(100, 100, 60), (30, 30, 20)]).is_some_and(|weight| weight > 0.2));
        // Folded: the thing is shared, what is behind it is not.
        assert!(says(&[(100, 100, 60), (60, 60, 0)]).is_some_and(|weight| weight <= -0.75));
        // Not matched at all, seen by one alone, too few: nothing is known.
        assert_eq!(says(&[(200, 200, 0)]), None);
        assert_eq!(says(&[(100, 100, 60), (90, 3, 0)]), None);
        assert_eq!(says(&[(20, 20, 14), (60, 60, 0)]), None);
        assert!(says(&[(100, 100, 60), (5, 5, 0)]).is_some_and(|weight| weight > 0.0));
    }
}
