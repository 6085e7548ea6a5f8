//! Smooth ways through given poses, at a steady speed.

use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion, Vector4};

/// Points on a segment between two keys that its length is measured at.
const PIECES: usize = 32;

/// A pose to pass through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// Camera-to-world.
    pub pose: Isometry3<f64>,
    /// Vertical field of view in radians.
    pub fov: f64,
}

/// Poses along the centripetal Catmull-Rom spline through keys: places and quaternions by the same weights, the latter normalized,
/// with signs that turn the short way. Frames are spread evenly over the length, where a turn by one radian is as long as
/// `radius`. A closed way goes on from the last key to the first, and its last frame comes before the first again; an open
/// one begins at the first key and ends at the last.
#[must_use]
pub fn interpolate(keys: &[Key], closed: bool, radius: f64, frames: usize) -> Vec<Key> {
    let keys = aligned(keys);
    let segments = if closed { keys.len() } else { keys.len().saturating_sub(1) };
    let (Some(first), true) = (keys.first(), segments > 0) else {
        return keys.first().map_or_else(Vec::new, |key| vec![*key; frames]);
    };
    let knots = knots(&keys, closed, radius);
    let at = |place: f64| point(&keys, &knots, closed, place);
    let mut lengths = vec![0.0];
    let mut last = *first;
    for piece in 1..=segments * PIECES {
        let next = at(piece as f64 / PIECES as f64);
        let way = (next.pose.translation.vector - last.pose.translation.vector).norm();
        let turn = last.pose.rotation.angle_to(&next.pose.rotation);
        lengths.push(lengths[piece - 1] + way + radius * turn);
        last = next;
    }
    let whole = lengths[segments * PIECES];
    let steps = if closed { frames } else { frames.saturating_sub(1) }.max(1);
    let frame = |frame: usize| {
        let wanted = whole * frame as f64 / steps as f64;
        let end = lengths.partition_point(|length| *length < wanted).clamp(1, segments * PIECES);
        let (before, after) = (lengths[end - 1], lengths[end]);
        let within =
            if after > before { ((wanted - before) / (after - before)).clamp(0.0, 1.0) } else { 0.0 };
        at((end as f64 - 1.0 + within) / PIECES as f64)
    };
    (0..frames).map(frame).collect()
}

/// Keys whose quaternions have the sign that is nearer to the one before.
fn aligned(keys: &[Key]) -> Vec<Key> {
    let mut keys = keys.to_vec();
    for i in 1..keys.len() {
        let before = keys[i - 1].pose.rotation.coords;
        let rotation = &mut keys[i].pose.rotation;
        if before.dot(&rotation.coords) < 0.0 {
            *rotation = UnitQuaternion::new_unchecked(Quaternion::from(-rotation.coords));
        }
    }
    keys
}

/// How long each segment is in the spline's parameter: centripetal, the root of its length, so that unevenly spread keys give
/// no loops (Yuksel, Schaefer and Keyser 2011).
fn knots(keys: &[Key], closed: bool, radius: f64) -> Vec<f64> {
    let segments = if closed { keys.len() } else { keys.len() - 1 };
    let length = |i: usize| {
        let (a, b) = (&keys[i].pose, &keys[(i + 1) % keys.len()].pose);
        (a.translation.vector - b.translation.vector).norm() + radius * a.rotation.angle_to(&b.rotation)
    };
    let lengths: Vec<f64> = (0..segments).map(length).collect();
    let longest = lengths.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    lengths.into_iter().map(|length| (length / longest).max(1e-6).sqrt()).collect()
}

/// The weights of four points at `t` between the second and the third, whose parameters are these (Barry and Goldman 1988).
fn weights([t0, t1, t2, t3]: [f64; 4], t: f64) -> [f64; 4] {
    let mix = |a: [f64; 4], b: [f64; 4], from: f64, to: f64| {
        let share = (t - from) / (to - from);
        std::array::from_fn(|i| a[i] * (1.0 - share) + b[i] * share)
    };
    let unit = |i: usize| std::array::from_fn(|j| f64::from(u8::from(i == j)));
    let [first, second, third] =
        [(0, t0, t1), (1, t1, t2), (2, t2, t3)].map(|(i, from, to)| mix(unit(i), unit(i + 1), from, to));
    mix(mix(first, second, t0, t2), mix(second, third, t1, t3), t1, t2)
}

/// The spline at a place: the whole part is the segment.
fn point(keys: &[Key], knots: &[f64], closed: bool, place: f64) -> Key {
    let (n, segments) = (keys.len() as isize, knots.len() as isize);
    let segment = (place.floor() as isize).clamp(0, segments - 1);
    let at = |offset: isize, count: isize| {
        let index = segment + offset;
        (if closed { index.rem_euclid(count) } else { index.clamp(0, count - 1) }) as usize
    };
    let [before, within, after] = [-1, 0, 1].map(|offset| knots[at(offset, segments)]);
    let times = [-before, 0.0, within, within + after];
    let near = keys[at(0, n)].pose.rotation.coords;
    let (mut center, mut turn, mut fov) = (nalgebra::Vector3::zeros(), Vector4::zeros(), 0.0);
    for (offset, weight) in (-1..).zip(weights(times, within * (place - segment as f64))) {
        let Key { pose, fov: wide } = keys[at(offset, n)];
        center += pose.translation.vector * weight;
        // Around the end of a closed way the signs begin anew.
        let coords = pose.rotation.coords;
        turn += if coords.dot(&near) < 0.0 { -coords } else { coords } * weight;
        fov += wide * weight;
    }
    let rotation = UnitQuaternion::from_quaternion(Quaternion::from(turn));
    Key { pose: Isometry3::from_parts(Translation3::from(center), rotation), fov }
}
