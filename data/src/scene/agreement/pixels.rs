//! Evidence from pixels: whether what one photograph shows is found in another, where the poses say that it must be.
//!
//! A patch around a corner of one photograph lies in the other somewhere on the epipolar segment of its ray, between infinity
//! and the nearest depth, and from two cameras close to each other it looks the same. Where the poses are right most such
//! patches are found; where they are wrong some are by chance, more where the pictures are alike.

use nalgebra::{Isometry3, Matrix2, Vector2};
use rayon::prelude::*;

use super::groups::Bond;
use crate::camera::Camera;
use crate::scene::OutlinedView;

/// Longer side in pixels at which photographs are compared, and the smallest that can be.
const SIDE: u32 = 192;
const SMALLEST: u32 = 96;
/// A patch's side is twice this and one, in pixels.
const HALF: i32 = 7;
/// One corner at most is taken from each square of this side,
const SQUARE: usize = 12;
/// if its structure tensor's smaller eigenvalue, in gray levels squared, is above this.
const CORNER: f32 = 4.0;
/// Standard deviation in gray levels below which a patch has no structure of its own.
const PLAIN: f32 = 2.0;
/// Correlation from which a patch is found.
const FOUND: f32 = 0.8;
/// How far beside the segment it is looked for, in pixels: poses are a little off.
const BESIDE: f64 = 1.5;
/// Depths that are tried, at most, evenly in disparity.
const DEPTHS: usize = 60;
/// The fewest patches, both ways, that say something.
const FEWEST: usize = 16;
/// Pairs that share this fraction of what is usual agree,
const AGREE: f64 = 0.85;
/// and contradict each other if they share less than this of it.
const CONTRADICT: f64 = 0.7;
/// where they are no farther apart than so many times what each agrees with.
const FARTHER: f64 = 1.3;
/// The least that is usual in a capture of which pixels can tell anything.
const LEAST: f64 = 0.5;

/// A photograph, small and gray.
pub(crate) struct Small {
    camera: Camera,
    width: usize,
    height: usize,
    /// 0 to 255.
    grey: Vec<f32>,
    corners: Vec<(usize, usize)>,
}

impl Small {
    /// Decodes a view's photograph; `None` if that fails, which loading it says, or it is too small.
    pub fn of(view: &OutlinedView) -> Option<Self> {
        let image = view.picture().ok()?;
        let long = image.width().max(image.height());
        let image = image.downscale((long / SIDE).max(1)).ok()?;
        let long = image.width().max(image.height());
        if long < SMALLEST {
            return None;
        }
        let shrink = (f64::from(SIDE) / f64::from(long)).min(1.0);
        let side = |pixels: u32| (f64::from(pixels) * shrink).round().max(1.0) as u32;
        let (width, height) = (side(image.width()), side(image.height()));
        let (from, stored) = (image.grey(), (image.width() as usize, image.height() as usize));
        let (sx, sy) = (stored.0 as f64 / f64::from(width), stored.1 as f64 / f64::from(height));
        let whole = Picture { width: stored.0, height: stored.1, grey: &from };
        let grey = (0..width * height)
            .map(|i| {
                let (x, y) = (f64::from(i % width) + 0.5, f64::from(i / width) + 0.5);
                255.0 * whole.at(x * sx - 0.5, y * sy - 0.5)
            })
            .collect::<Vec<f32>>();
        let camera =
            Camera { intrinsics: view.camera.intrinsics.resized(width, height), pose: view.camera.pose };
        let (width, height) = (width as usize, height as usize);
        let mut corners = corners(&grey, width, height);
        if let Ok(Some(mask)) = view.load_mask() {
            let scale = |at: usize, to: u32, from: usize| (at as u64 * u64::from(to) / from as u64) as u32;
            corners.retain(|&(x, y)| {
                mask.counts(scale(x, mask.width(), width), scale(y, mask.height(), height))
            });
        }
        Some(Self { camera, width, height, grey, corners })
    }

    /// Gives its camera another pose.
    pub fn move_to(&mut self, pose: Isometry3<f64>) {
        self.camera.pose = pose;
    }

    fn picture(&self) -> Picture<'_> {
        Picture { width: self.width, height: self.height, grey: &self.grey }
    }
}

/// Gray values, rows from the top.
struct Picture<'a> {
    width: usize,
    height: usize,
    grey: &'a [f32],
}

impl Picture<'_> {
    /// The value between pixel centers, which are at whole numbers; beyond the border that of the border.
    fn at(&self, x: f64, y: f64) -> f32 {
        let (x, y) = (x.clamp(0.0, (self.width - 1) as f64), y.clamp(0.0, (self.height - 1) as f64));
        let (left, top) = (x.floor() as usize, y.floor() as usize);
        let (right, below) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (u, v) = ((x - left as f64) as f32, (y - top as f64) as f32);
        let value = |x: usize, y: usize| self.grey[y * self.width + x];
        (1.0 - v) * ((1.0 - u) * value(left, top) + u * value(right, top))
            + v * ((1.0 - u) * value(left, below) + u * value(right, below))
    }

    /// The patch around a place whose axes are the columns of `axes`, less its mean and divided by its length.
    fn patch(&self, at: Vector2<f64>, axes: &Matrix2<f64>) -> Vec<f32> {
        let mut patch = Vec::with_capacity(((2 * HALF + 1) * (2 * HALF + 1)) as usize);
        for dy in -HALF..=HALF {
            for dx in -HALF..=HALF {
                let p = at + axes * Vector2::new(f64::from(dx), f64::from(dy));
                patch.push(self.at(p.x, p.y));
            }
        }
        let mean = patch.iter().sum::<f32>() / patch.len() as f32;
        let length = patch.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>().sqrt();
        let least = PLAIN * (patch.len() as f32).sqrt();
        patch.iter_mut().for_each(|v| *v = (*v - mean) / length.max(least));
        patch
    }
}

/// In each square of the picture, the place whose surroundings change most in their lesser direction (Shi and Tomasi 1994).
fn corners(grey: &[f32], width: usize, height: usize) -> Vec<(usize, usize)> {
    const AROUND: usize = 3;
    let margin = HALF as usize + 1;
    let slope = |x: usize, y: usize| {
        let at = |x: usize, y: usize| grey[y * width + x];
        ((at(x + 1, y) - at(x - 1, y)) / 2.0, (at(x, y + 1) - at(x, y - 1)) / 2.0)
    };
    let least = |x: usize, y: usize| {
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for v in y - AROUND..=y + AROUND {
            for u in x - AROUND..=x + AROUND {
                let (gx, gy) = slope(u, v);
                (xx, xy, yy) = (xx + gx * gx, xy + gx * gy, yy + gy * gy);
            }
        }
        let count = ((2 * AROUND + 1) * (2 * AROUND + 1)) as f32;
        ((xx + yy) / 2.0 - (((xx - yy) / 2.0).powi(2) + xy * xy).sqrt()) / count
    };
    let squares = |side: usize| (margin..side.saturating_sub(margin)).step_by(SQUARE);
    let mut found = Vec::new();
    for top in squares(height) {
        for left in squares(width) {
            let across = left..(left + SQUARE).min(width - margin);
            let places =
                (top..(top + SQUARE).min(height - margin)).flat_map(|y| across.clone().map(move |x| (x, y)));
            let best = places.map(|(x, y)| (least(x, y), x, y)).max_by(|a, b| a.0.total_cmp(&b.0));
            found.extend(best.filter(|best| best.0 > CORNER).map(|(_, x, y)| (x, y)));
        }
    }
    found
}

/// How many patches of `a` could be in `b` if nothing is nearer than `nearest` world units, and how many are.
fn found(a: &Small, b: &Small, nearest: f64) -> (usize, usize) {
    let (from, to) = (a.picture(), b.picture());
    let (mut tried, mut found) = (0, 0);
    for &(x, y) in &a.corners {
        let Some((axes, places)) = places(a, b, (x, y), nearest) else { continue };
        let patch = from.patch(Vector2::new(x as f64, y as f64), &Matrix2::identity());
        let alike = |at: &Vector2<f64>| {
            let other = to.patch(*at, &axes);
            patch.iter().zip(&other).map(|(p, q)| p * q).sum::<f32>() >= FOUND
        };
        tried += 1;
        found += usize::from(places.iter().any(alike));
    }
    (tried, found)
}

/// Where a patch of `a` can be in `b`, in pixels, and what its axes are there; `None` if much of that is outside.
fn places(
    a: &Small,
    b: &Small,
    (x, y): (usize, usize),
    nearest: f64,
) -> Option<(Matrix2<f64>, Vec<Vector2<f64>>)> {
    let along = |x: f64, y: f64| {
        let ray = a.camera.ray(x + 0.5, y + 0.5);
        (ray.origin, ray.direction / ray.direction.dot(&a.camera.forward()))
    };
    let at = |x: f64, y: f64, depth: f64| {
        let (origin, along) = along(x, y);
        let (px, py, depth) = b.camera.project(&(origin + along * depth))?;
        (depth > 0.0).then(|| Vector2::new(px - 0.5, py - 0.5))
    };
    let (px, py, far) = (x as f64, y as f64, 1e4 * nearest);
    let centre = at(px, py, far)?;
    let axes = Matrix2::from_columns(&[at(px + 1.0, py, far)? - centre, at(px, py + 1.0, far)? - centre]);
    let mut segment = vec![centre];
    for step in 1..DEPTHS {
        let disparity = step as f64 / (DEPTHS - 1) as f64 / nearest;
        let Some(place) = at(px, py, 1.0 / disparity) else { continue };
        if segment.last().is_some_and(|last| (place - last).norm() >= 0.7) {
            segment.push(place);
        }
    }
    let beside = [-BESIDE, 0.0, BESIDE];
    let around = |place: &Vector2<f64>| {
        let place = *place;
        beside.into_iter().flat_map(move |dx| beside.into_iter().map(move |dy| place + Vector2::new(dx, dy)))
    };
    let mut all: Vec<Vector2<f64>> = segment.iter().flat_map(around).collect();
    let count = all.len();
    let margin = f64::from(HALF);
    let (width, height) = ((b.width - 1) as f64 - margin, (b.height - 1) as f64 - margin);
    all.retain(|p| p.x > margin && p.y > margin && p.x < width && p.y < height);
    (10 * all.len() >= 9 * count).then_some((axes, all))
}

/// The fraction of patches of either that is found in the other; `None` if there are few.
pub(crate) fn share(a: &Small, b: &Small, nearest: f64) -> Option<f64> {
    let (there, back) = (found(a, b, nearest), found(b, a, nearest));
    let tried = there.0 + back.0;
    (tried >= FEWEST).then(|| (there.1 + back.1) as f64 / tried as f64)
}

/// What two photographs share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    pub a: usize,
    pub b: usize,
    /// The fraction of patches that are found.
    pub share: f64,
    /// How far apart their cameras are, and look.
    pub apart: f64,
}

/// What pairs of views share, those that can be compared; `photographs` are those of the views.
pub(super) fn compare(
    photographs: &[Option<Small>],
    pairs: &[(usize, usize, f64)],
    nearest: f64,
) -> Vec<Pair> {
    let compare = |&(a, b, apart): &(usize, usize, f64)| {
        let share = share(photographs[a].as_ref()?, photographs[b].as_ref()?, nearest)?;
        Some(Pair { a, b, share, apart })
    };
    pairs.par_iter().filter_map(compare).collect()
}

/// Bonds of pairs. Usual is what the better quarter of all pairs share: those that share nearly as much agree. Two that share
/// much less contradict each other only where both agree with others about as far away; else they may be too far apart.
pub(super) fn bonds(pairs: &[Pair]) -> Vec<Bond> {
    let mut shares: Vec<f64> = pairs.iter().map(|pair| pair.share).collect();
    shares.sort_by(f64::total_cmp);
    let usual = shares.get(3 * shares.len() / 4).copied().unwrap_or(0.0);
    if usual < LEAST {
        return Vec::new();
    }
    let agree = |pair: &&Pair| pair.share >= AGREE * usual;
    let views = pairs.iter().map(|pair| pair.a.max(pair.b) + 1).max().unwrap_or(0);
    // How far away the farthest is that a view agrees with.
    let mut range = vec![0f64; views];
    for pair in pairs.iter().filter(agree) {
        range[pair.a] = range[pair.a].max(pair.apart);
        range[pair.b] = range[pair.b].max(pair.apart);
    }
    let bond = |pair: &Pair| {
        let &Pair { a, b, share, apart } = pair;
        let weight = if agree(&pair) {
            share / usual
        } else if share < CONTRADICT * usual && apart <= FARTHER * range[a].min(range[b]) {
            -1.0
        } else {
            return None;
        };
        Some(Bond { a, b, weight })
    };
    pairs.iter().filter_map(bond).collect()
}
