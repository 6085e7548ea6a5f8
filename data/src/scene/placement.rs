//! Computing the placement of the world in the unit frame from cameras and points.
//!
//! All results are medians or quantiles: a few far-off cameras or points hardly change them.

use nalgebra::{
    Isometry3, Matrix3, Point3, Rotation3, Similarity3, SymmetricEigen, Translation3, UnitQuaternion, Vector3,
};

use super::listing::{ListedFrame, ListedLens, Placement};
use super::points::ScenePoint;
use super::up::{mean_direction, up};
use crate::camera::Camera;

/// Distance of a typical camera from its target, in unit-frame lengths: the target then fills the unit cube, and steps
/// along a ray are about as fine as pixels.
const REACH: f64 = 1.0;
/// Fraction of the seen points that the render box contains.
const INSIDE: f64 = 0.95;
/// Side of the largest render box that is chosen; a larger one would reduce detail.
const MAX_SIDE: u32 = 16;
/// Side of the render box without points.
const DEFAULT_SIDE: u32 = 8;
/// Cameras whose axes differ by less than this from their common direction (median, in radians) face one way: the point
/// where their axes meet is then arbitrary.
const FACING: f64 = 0.3;
/// The cosine of the angle to straight away from the middle that cameras look outward with, at least, in the middle of all;
const OUTWARD: f64 = 0.5;
/// without points what they see is taken to be so many times as far as they stand from there. In the largest render box there is
/// then room for walls at 32 times that distance.
const BEYOND: f64 = 4.0;
/// The near plane, as a fraction of the depth of the nearest points.
const MARGIN: f64 = 0.6;
/// The smallest number of points from which the depths seen by a camera are estimated.
const ENOUGH: usize = 8;

/// What one camera saw.
struct Sight {
    pose: Isometry3<f64>,
    /// Along its axis, ascending.
    depths: Vec<f64>,
}

impl Sight {
    fn centre(&self) -> Point3<f64> {
        self.pose.translation.vector.into()
    }

    fn forward(&self) -> Vector3<f64> {
        self.pose.rotation * -Vector3::z()
    }

    fn depth(&self, point: &Point3<f64>) -> f64 {
        (point - self.centre()).dot(&self.forward())
    }

    /// The median depth of the points that it sees.
    fn middle(&self) -> Option<f64> {
        (!self.depths.is_empty()).then(|| quantile(&self.depths, 0.5))
    }
}

/// Computes a placement for cameras in any frame and at any scale: `z` is the up direction of the cameras, and their
/// common target is the center of the unit cube, at a distance of [`REACH`] from a typical camera.
pub(super) fn find(frames: &[ListedFrame], points: &[ScenePoint]) -> Placement {
    let mut sights: Vec<Sight> =
        frames.iter().map(|frame| Sight { pose: frame.pose, depths: Vec::new() }).collect();
    let mut seen: Vec<(Point3<f64>, f64)> = Vec::new();
    for point in points {
        if point.views.is_empty() {
            // Which cameras saw it is not known: those that it lies in front of are assumed.
            for sight in &mut sights {
                let depth = sight.depth(&point.position);
                if depth > 0.7 * (point.position - sight.centre()).norm() {
                    sight.depths.push(depth);
                }
            }
        }
        for &view in &point.views {
            let Some(sight) = sights.get_mut(view as usize) else { continue };
            let depth = sight.depth(&point.position);
            if depth > 0.0 {
                sight.depths.push(depth);
            }
        }
        seen.push((point.position, point.views.len().max(1) as f64));
    }
    for (sight, frame) in sights.iter_mut().zip(frames) {
        sight.depths.sort_by(f64::total_cmp);
        if sight.depths.len() < ENOUGH {
            sight.depths.clear();
        }
        if let (Some([near, far]), ListedLens::Known(intrinsics)) = (frame.bounds, &frame.lens) {
            // Half way in disparity, as pixels see it.
            let middle = 2.0 * near * far / (near + far);
            sight.depths = vec![near, middle, far];
            let camera = Camera { intrinsics: *intrinsics, pose: frame.pose };
            let (w, h) = (f64::from(intrinsics.width), f64::from(intrinsics.height));
            for (px, py) in [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)] {
                let ray = camera.ray(px, py);
                let along = ray.direction / ray.direction.dot(&camera.forward());
                seen.extend([near, middle, far].map(|depth| (ray.origin + along * depth, 1.0)));
            }
        }
    }
    place(&sights, &seen)
}

fn place(sights: &[Sight], seen: &[(Point3<f64>, f64)]) -> Placement {
    let focus = focus(sights);
    let reach = median(sights.iter().map(|sight| match sight.middle() {
        Some(depth) => depth,
        None => (focus - sight.centre()).norm(),
    }));
    // What they see is beyond where they stand, no points tell how far.
    let outward = look_outward(sights, &focus);
    let reach = reach.map(|reach| if outward { BEYOND * reach } else { reach });
    // All cameras at one place and no points: any scale is as good.
    let scale = REACH / reach.filter(|reach| reach.is_normal()).unwrap_or(1.0);
    let rotation = orientation(sights);
    let middle = Vector3::repeat(0.5);
    let offset = middle - rotation * (focus.coords * scale);
    let frame = Similarity3::from_parts(Translation3::from(offset), rotation, scale);
    let mut extents: Vec<(f64, f64)> = seen
        .iter()
        .map(|(point, weight)| (((frame * point).coords - middle).amax(), *weight))
        .filter(|(extent, _)| extent.is_finite())
        .collect();
    let aabb_scale = match weighted_quantile(&mut extents, INSIDE) {
        Some(half) => ((2.0 * half).log2().ceil().exp2()).clamp(1.0, f64::from(MAX_SIDE)) as u32,
        None if outward => MAX_SIDE,
        None => DEFAULT_SIDE,
    };
    let mut nearest: Vec<f64> =
        sights.iter().filter(|s| !s.depths.is_empty()).map(|s| quantile(&s.depths, 0.01)).collect();
    nearest.sort_by(f64::total_cmp);
    let near = (!nearest.is_empty()).then(|| quantile(&nearest, 0.05) * MARGIN * scale);
    Placement { aabb_scale, frame, near: near.filter(|near| near.is_finite()) }
}

/// Whether cameras of which no depth is known look away from what is between them, as in the middle of a room.
fn look_outward(sights: &[Sight], focus: &Point3<f64>) -> bool {
    let away = |sight: &Sight| {
        let out = sight.centre() - focus;
        sight.forward().dot(&out) / out.norm()
    };
    sights.iter().all(|sight| sight.depths.is_empty())
        && median(sights.iter().map(away)).is_some_and(|away| away > OUTWARD)
}

/// The common target of the cameras.
fn focus(sights: &[Sight]) -> Point3<f64> {
    let towards = mean_direction(sights.iter().map(Sight::forward));
    let facing = median(sights.iter().map(|sight| sight.forward().angle(&towards)));
    let ahead = |point: &Point3<f64>| {
        let ahead = sights.iter().filter(|sight| sight.depth(point) > 0.0).count();
        2 * ahead > sights.len()
    };
    if facing.is_some_and(|angle| angle > FACING)
        && let Some(point) = meeting_point(sights)
        && ahead(&point)
    {
        return point;
    }
    // They face one way, or outwards: the median of the points in front of them.
    let before = |sight: &Sight| {
        let depth = sight.middle().unwrap_or(0.0);
        sight.centre() + sight.forward() * depth
    };
    let coordinate = |axis: usize| median(sights.iter().map(|sight| before(sight)[axis])).unwrap_or(0.0);
    Point3::new(coordinate(0), coordinate(1), coordinate(2))
}

/// The point with the least sum of distances to all optical axes: iteratively reweighted least squares, so that a
/// camera that looks elsewhere hardly counts. `None` if the axes are as good as parallel.
fn meeting_point(sights: &[Sight]) -> Option<Point3<f64>> {
    const ROUNDS: usize = 30;
    let origin = sights.first()?.centre();
    let mut weights = vec![1.0; sights.len()];
    let mut point = None;
    for _ in 0..ROUNDS {
        // Normal equations: the weighted sum of (I - d d^T)(x - o) is zero. Relative to one of the centers, so that
        // a scene far from the origin loses no digits.
        let (mut matrix, mut right) = (Matrix3::zeros(), Vector3::zeros());
        for (sight, &weight) in sights.iter().zip(&weights) {
            let across = (Matrix3::identity() - sight.forward() * sight.forward().transpose()) * weight;
            matrix += across;
            right += across * (sight.centre() - origin);
        }
        let total: f64 = weights.iter().sum();
        let least = SymmetricEigen::new(matrix).eigenvalues.min();
        if least.is_nan() || least <= 1e-3 * total {
            return point;
        }
        let here = origin + matrix.try_inverse()? * right;
        let distance = |sight: &Sight| {
            let to = here - sight.centre();
            to.cross(&sight.forward()).norm()
        };
        let floor = 1e-3 * median(sights.iter().map(|sight| (here - sight.centre()).norm()))?;
        weights =
            sights.iter().map(|sight| 1.0 / distance(sight).max(floor).max(f64::MIN_POSITIVE)).collect();
        point = Some(here).filter(|p| p.iter().all(|v| v.is_finite()));
    }
    point
}

/// Rotation from world to unit frame: up becomes `z`, and the direction that the cameras face, if it is common, `y`.
fn orientation(sights: &[Sight]) -> UnitQuaternion<f64> {
    let forward = mean_direction(sights.iter().map(Sight::forward));
    let poses: Vec<Isometry3<f64>> = sights.iter().map(|sight| sight.pose).collect();
    // Rotated every way about the optical axis, as the camera of a drone that looks down.
    let up = up(&poses).unwrap_or(-forward);
    let Some(z) = up.try_normalize(0.3) else { return UnitQuaternion::identity() };
    let ahead = forward - z * forward.dot(&z);
    let Some(y) = ahead.try_normalize(0.3) else {
        let half_turn = || UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
        return UnitQuaternion::rotation_between(&z, &Vector3::z()).unwrap_or_else(half_turn);
    };
    let rows = Matrix3::from_rows(&[y.cross(&z).transpose(), y.transpose(), z.transpose()]);
    UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rows))
}

/// The median; `None` without values.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| quantile(&values, 0.5))
}

/// The quantile of an ascending list that is not empty.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

fn weighted_quantile(values: &mut [(f64, f64)], share: f64) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = share * values.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut sum = 0.0;
    values.iter().find_map(|(value, weight)| {
        sum += weight;
        (sum >= wanted).then_some(*value)
    })
}
