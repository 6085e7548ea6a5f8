//! Whether poses are what they are taken for: camera-to-world, `x` right, `y` up, `-z` forward.
//!
//! Cameras around a scene look at one point, which lies in front of them. Where it does not, the matrices may be inverses, or
//! have other axes; every such reading is tried, and those under which the axes meet in front, and up is up, are compared by what
//! the photographs show: from cameras close to each other the same things must be found where the poses say. Cameras that look
//! outward, from inside, have the point behind them with poses that are right, which only the photographs, or the world's own up,
//! can tell from axes that are turned.

use nalgebra::{Isometry3, Matrix3, Point3, Rotation3, Translation3, UnitQuaternion, Vector3};

use super::pixels::quantile;
use crate::camera::attention;
use crate::scene::{Outline, Small, share, up};

/// The fraction of cameras that a common target lies in front of, at least,
const IN_FRONT: f64 = 0.9;
/// and how far the axes pass it, as a fraction of its distance, in the middle.
const PASSED: f64 = 0.3;
/// A target that is nearer than this fraction of the distance from the origin is odd.
const NEAR: f64 = 0.3;
/// Without photographs to compare, how far it may be for a reading that a target in front of most cameras contradicts.
const EXACT: f64 = 0.05;
/// With fewer cameras nothing is tried.
const FEWEST: usize = 4;
/// Pairs of photographs that are compared, at most, and at least, whose axes differ by less than so many degrees.
const PAIRS: usize = 8;
const ENOUGH: usize = 3;
const TURNED: f64 = 25.0;
/// What is found of one photograph in the other under the right reading, at least, and that a reading must find so many times as
/// much, and more, than the poses as they are.
const FOUND: f64 = 0.3;
const TIMES: f64 = 1.3;
const MORE: f64 = 0.1;
/// Where nothing can be compared by the poses as they are, what a reading must find.
const ALONE: f64 = 0.5;
/// What a reading gains by which up is that of the world, and one that is common.
const UPSIDE: f64 = 0.1;
const COMMON: f64 = 0.05;
/// What cameras see that look outward is so many times as far as they stand from their middle, at least.
const BEYOND: f64 = 4.0;
/// The nearest depth, as a fraction of the distance to the target.
const NEAREST: f64 = 0.3;
/// All cameras stand at one point if none is farther from another than this, as a fraction of the depth of what they see.
const ONE_POINT: f64 = 0.005;
/// The same where that is not known, of the distance from the origin.
const SAME: f64 = 1e-6;
/// Up is that of the world if its largest component, in the positive direction, is at least this.
const UPRIGHT: f64 = 0.8;

/// What the poses are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Axes {
    /// What they are taken for, or it cannot be told.
    Usual,
    /// That, too, of cameras that look outward.
    Outward,
    /// All at one point.
    OnePoint,
    /// Something else: what to do with the matrices.
    Other(String),
    /// Something else, and no reading fits.
    Unknown,
}

/// One way to read a matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    /// Whether it is world-to-camera.
    inverse: bool,
    /// For right, up and backward the column that says it, from 1, negative where it says the opposite.
    columns: [i8; 3],
}

impl Reading {
    const USUAL: Self = Self { inverse: false, columns: [1, 2, 3] };
    /// OpenCV's: `y` down, `z` forward.
    const FLIPPED: [i8; 3] = [1, -2, -3];

    /// All, the usual ones first.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for columns in [Self::USUAL.columns, Self::FLIPPED] {
            all.extend([false, true].map(|inverse| Self { inverse, columns }));
        }
        all.swap(1, 2);
        let signs = [1i8, -1];
        for order in [[1i8, 2, 3], [2, 3, 1], [3, 1, 2], [2, 1, 3], [1, 3, 2], [3, 2, 1]] {
            for (a, b, c) in signs
                .into_iter()
                .flat_map(|a| signs.map(|b| (a, b)))
                .flat_map(|(a, b)| signs.map(|c| (a, b, c)))
            {
                let columns = [a * order[0], b * order[1], c * order[2]];
                for inverse in [false, true] {
                    let reading = Self { inverse, columns };
                    // Those that mirror the camera need a mirrored world, which only that of a left-handed engine is.
                    if !all.contains(&reading) && (reading.handed() > 0 || columns == [1, 2, -3]) {
                        all.push(reading);
                    }
                }
            }
        }
        all
    }

    /// Whether the columns are right-handed, above 0, or left-handed.
    fn handed(&self) -> i8 {
        let [a, b, c] = self.columns.map(|column| column.unsigned_abs());
        let cyclic = matches!([a, b, c], [1, 2, 3] | [2, 3, 1] | [3, 1, 2]);
        let signs: i8 = self.columns.iter().map(|column| column.signum()).product();
        if cyclic { signs } else { -signs }
    }

    /// The pose that a matrix means.
    fn pose(&self, given: &Isometry3<f64>) -> Isometry3<f64> {
        let pose = if self.inverse { given.inverse() } else { *given };
        let rotation = pose.rotation.to_rotation_matrix();
        let column = |k: usize| {
            let column = self.columns[k];
            rotation.matrix().column(usize::from(column.unsigned_abs()) - 1) * f64::from(column.signum())
        };
        let mut axes = Matrix3::from_columns(&[column(0), column(1), column(2)]);
        let mut centre = pose.translation.vector;
        if self.handed() < 0 {
            // A left-handed world: its third axis is turned round.
            axes.row_mut(2).neg_mut();
            centre.z = -centre.z;
        }
        let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes));
        Isometry3::from_parts(Translation3::from(centre), rotation)
    }

    /// What to do with the matrices.
    fn advice(&self) -> String {
        let columns = match self.columns {
            [1, 2, 3] => None,
            Self::FLIPPED => Some("they follow OpenCV's axes (y down, z forward): flip the signs of the second and third columns".to_owned()),
            [1, 2, -3] => Some(
                "they are those of a left-handed world (y up, z forward): flip the signs of the third column and of the third row"
                    .to_owned(),
            ),
            columns => {
                let names = columns.map(|column| {
                    let sign = if column < 0 { "minus " } else { "" };
                    format!("{sign}column {}", column.unsigned_abs())
                });
                Some(format!(
                    "their axes are others: right is {}, up is {}, backward is {}: write them in this order as the first three columns",
                    names[0], names[1], names[2]
                ))
            }
        };
        match (self.inverse, columns) {
            (true, None) => "the matrices are world-to-camera: invert them".into(),
            (true, Some(columns)) => format!("the matrices are world-to-camera: invert them; then {columns}"),
            (false, Some(columns)) => columns,
            (false, None) => "nothing is to be done".into(),
        }
    }
}

/// How the axes of cameras meet.
struct Meeting {
    poses: Vec<Isometry3<f64>>,
    /// The fraction of cameras that the point is in front of.
    in_front: f64,
    /// How far the axes pass it, as a fraction of its distance, in the middle.
    passed: f64,
    /// Its distance, in the middle.
    reach: f64,
}

impl Meeting {
    fn of(poses: Vec<Isometry3<f64>>) -> Option<Self> {
        let point = attention(&poses)?;
        let (mut passed, mut distances, mut ahead) = (Vec::new(), Vec::new(), 0);
        for pose in &poses {
            let (to, forward) =
                (point - Point3::from(pose.translation.vector), pose.rotation * -Vector3::z());
            ahead += usize::from(to.dot(&forward) > 0.0);
            passed.push(to.cross(&forward).norm() / to.norm().max(f64::MIN_POSITIVE));
            distances.push(to.norm());
        }
        passed.sort_by(f64::total_cmp);
        distances.sort_by(f64::total_cmp);
        let reach = quantile(&distances, 0.5);
        let in_front = ahead as f64 / poses.len() as f64;
        reach.is_normal().then(|| Self { in_front, passed: quantile(&passed, 0.5), reach, poses })
    }

    /// Whether it has to be looked at closer: they do not meet in front, hold the camera upside down, or all stand nearly at one
    /// point far from the origin, as those of inverses do.
    fn is_odd(&self) -> bool {
        let sum: Vector3<f64> = self.poses.iter().map(|pose| pose.translation.vector).sum();
        let middle = sum / self.poses.len() as f64;
        self.in_front < IN_FRONT
            || self.passed > PASSED
            || self.reach < NEAR * middle.norm()
            || up(&self.poses).is_some_and(|up| up.z <= -UPRIGHT)
    }

    fn is_good(&self) -> bool {
        self.in_front >= IN_FRONT && self.passed <= PASSED && up(&self.poses).is_some()
    }
}

/// Tells what the poses of an outline are. Photographs are decoded, a few, only where something is odd.
pub(super) fn axes(outline: &Outline) -> Axes {
    let given: Vec<Isometry3<f64>> = outline.views.iter().map(|view| view.camera.pose).collect();
    if given.len() < FEWEST {
        return Axes::Usual;
    }
    let usual = Meeting::of(given.clone());
    let behind = usual.as_ref().is_some_and(|meeting| meeting.in_front < 0.5);
    let together = stand_together(outline);
    if !together && usual.as_ref().is_some_and(|meeting| !meeting.is_odd()) {
        return Axes::Usual;
    }
    let readings = Reading::all();
    let meetings = readings.iter().filter(|reading| **reading != Reading::USUAL).filter_map(|reading| {
        let poses = given.iter().map(|pose| reading.pose(pose)).collect();
        Meeting::of(poses).filter(Meeting::is_good).map(|meeting| (*reading, meeting))
    });
    let others: Vec<(Reading, Meeting)> = meetings.collect();
    let photographs = Photographs::default();
    // Outward everything is beyond the cameras' own circle.
    let beyond = if behind { BEYOND } else { 1.0 };
    let own = usual.as_ref().and_then(|m| photographs.found(outline, &m.poses, beyond * m.reach));
    let told = others.iter().filter_map(|(reading, meeting)| {
        let found = photographs.found(outline, &meeting.poses, meeting.reach)?;
        // Cameras that are turned about their axes find nearly as much.
        let likely = UPSIDE * f64::from(u8::from(is_upright(&meeting.poses)))
            + COMMON * f64::from(u8::from(readings[..4].contains(reading)));
        Some((reading, found, found + likely))
    });
    // The first of those that are as good.
    let best = told.reduce(|best, other| if other.2 > best.2 { other } else { best });
    if let Some((reading, found, _)) = best
        && own.map_or(found >= ALONE, |own| found >= FOUND && found > TIMES * own + MORE)
    {
        return Axes::Other(reading.advice());
    }
    let is_told = best.is_some() || own.is_some();
    let is_exact = |(reading, meeting): &&(Reading, Meeting)| {
        reading.inverse && readings[..4].contains(reading) && meeting.passed < EXACT
    };
    let exact = others.iter().find(is_exact);
    if let Some((reading, _)) = exact.filter(|_| !is_told && !behind) {
        return Axes::Other(reading.advice());
    }
    if together {
        return Axes::OnePoint;
    }
    if !behind {
        return Axes::Usual;
    }
    if own.is_some_and(|own| own >= FOUND) || is_upright(&given) {
        return Axes::Outward;
    }
    let upright = others.iter().find(|(_, meeting)| is_upright(&meeting.poses)).or(others.first());
    let is_worse = best.is_some_and(|(_, found, _)| own.is_some_and(|own| found < own));
    upright.filter(|_| !is_worse).map_or(Axes::Unknown, |(reading, _)| Axes::Other(reading.advice()))
}

/// Whether up is an axis of the world, in its positive direction, as in most files.
fn is_upright(poses: &[Isometry3<f64>]) -> bool {
    up(poses).is_some_and(|up| up.max() >= UPRIGHT)
}

/// Whether all cameras are at one point.
fn stand_together(outline: &Outline) -> bool {
    let centres = || outline.views.iter().map(|view| view.camera.centre());
    let Some(first) = centres().next() else { return false };
    let spread = centres().map(|centre| (centre - first).norm()).fold(0.0, f64::max);
    let depths = || {
        let depth = |camera: &crate::Camera, point: &crate::scene::ScenePoint| {
            (point.position - camera.centre()).norm()
        };
        let points = outline.points.iter().step_by((outline.points.len() / 200).max(1));
        let mut all: Vec<f64> = points.map(|point| depth(&outline.views[0].camera, point)).collect();
        all.sort_by(f64::total_cmp);
        (!all.is_empty()).then(|| quantile(&all, 0.5))
    };
    match depths() {
        Some(depth) => spread <= ONE_POINT * depth,
        None => spread <= SAME * (1.0 + first.coords.norm()),
    }
}

/// Photographs that were decoded, small; each once.
#[derive(Default)]
struct Photographs(std::cell::RefCell<std::collections::HashMap<usize, Option<Small>>>);

impl Photographs {
    /// What is found of photographs in others that are close to them by these poses; `None` if too few can be compared.
    fn found(&self, outline: &Outline, poses: &[Isometry3<f64>], reach: f64) -> Option<f64> {
        let mut pairs = Vec::new();
        let forward = |pose: &Isometry3<f64>| pose.rotation * -Vector3::z();
        for a in 0..poses.len() {
            for b in a + 1..poses.len() {
                let angle = forward(&poses[a]).angle(&forward(&poses[b])).to_degrees();
                let distance = (poses[a].translation.vector - poses[b].translation.vector).norm() / reach;
                if angle < TURNED {
                    pairs.push((distance + angle.to_radians(), a, b));
                }
            }
        }
        pairs.sort_by(|p, q| p.0.total_cmp(&q.0));
        // Of the closest, some of each part of the capture.
        pairs.truncate(poses.len());
        let step = pairs.len().div_ceil(PAIRS).max(1);
        let mut all = Vec::new();
        for &(_, a, b) in pairs.iter().step_by(step) {
            let mut decoded = self.0.borrow_mut();
            for view in [a, b] {
                let small = decoded.entry(view).or_insert_with(|| Small::of(&outline.views[view]));
                small.iter_mut().for_each(|small| small.move_to(poses[view]));
            }
            let (Some(Some(one)), Some(Some(other))) = (decoded.get(&a), decoded.get(&b)) else { continue };
            all.extend(share(one, other, NEAREST * reach));
        }
        (all.len() >= ENOUGH).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }
}

#[cfg(test)]
mod tests;
