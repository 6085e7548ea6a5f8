//! The cameras as a whole: which way is up, the distance between them, and which poses are probably wrong.

use nalgebra::{Point3, Vector3};
use serde::Serialize;

use super::geometry::Extent;
use super::pixels::quantile;
use crate::camera::Camera;
use crate::camera::attention;
use crate::scene::{Outline, OutlinedView, ScenePoint, up};

/// A camera is an outlier at this multiple of the median distance from the cameras' center.
const FAR: f64 = 6.0;
/// With fewer cameras no outliers are looked for.
const FEWEST: usize = 6;
/// Largest cosine of the angle between the view direction of an outlier and the target of most cameras: 90 degrees.
const AWAY: f64 = 0.0;
/// The cameras as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rig {
    /// Up in the world, length 1, as the placement has it: the axis that the cameras' right vectors span least; `None` if they have no common direction.
    pub up: Option<[f64; 3]>,
    /// The world's axis closest to it, such as `+z`, and the angle between them in degrees.
    pub up_axis: Option<(String, f64)>,
    /// Median distance of a camera to the nearest other one, in world units.
    pub spacing: f64,
    /// Cameras whose poses are probably wrong.
    pub outliers: Vec<PoseOutlier>,
}

/// A camera that is probably wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoseOutlier {
    /// The image's name.
    pub name: String,
    /// Its index among the views.
    pub view: usize,
    /// What is wrong with it.
    pub why: String,
}

/// The points of structure from motion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointReport {
    /// How many there are.
    pub count: usize,
    /// Their box in world units, without the outermost hundredth on each side.
    pub world: Extent,
    /// The same in the unit frame.
    pub unit: Extent,
    /// Fraction of them inside the render box.
    pub in_box: f64,
    /// Median reprojection error in pixels of the full-size images; 0 where the files do not say.
    pub error: f64,
}

impl Rig {
    pub(super) fn of(views: &[OutlinedView]) -> Self {
        let cameras = || views.iter().map(|view| &view.camera);
        let up = up(&cameras().map(|camera| camera.pose).collect::<Vec<_>>());
        Self {
            up: up.map(Into::into),
            up_axis: up.map(axis),
            spacing: spacing(&cameras().map(Camera::centre).collect::<Vec<_>>()),
            outliers: outliers(views),
        }
    }
}

fn axis(up: Vector3<f64>) -> (String, f64) {
    let at = up.iamax();
    let name = format!("{}{}", if up[at] < 0.0 { '-' } else { '+' }, ['x', 'y', 'z'][at]);
    (name, up[at].abs().clamp(0.0, 1.0).acos().to_degrees())
}

fn spacing(centres: &[Point3<f64>]) -> f64 {
    let nearest = |i: usize| {
        let others = centres.iter().enumerate().filter(|&(j, _)| j != i);
        others.map(|(_, other)| (other - centres[i]).norm()).fold(f64::INFINITY, f64::min)
    };
    if centres.len() < 2 {
        return 0.0;
    }
    median((0..centres.len()).map(nearest))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    quantile(&values, 0.5)
}

fn outliers(views: &[OutlinedView]) -> Vec<PoseOutlier> {
    if views.len() < FEWEST {
        return Vec::new();
    }
    let centres: Vec<Point3<f64>> = views.iter().map(|view| view.camera.centre()).collect();
    let middle = Point3::from(Vector3::from_fn(|i, _| median(centres.iter().map(|c| c[i]))));
    let usual = median(centres.iter().map(|c| (c - middle).norm()));
    let mut found = Vec::new();
    for (i, (view, centre)) in views.iter().zip(&centres).enumerate() {
        let times = (centre - middle).norm() / usual;
        if usual > 0.0 && times > FAR {
            let why = format!("stands {times:.0} times as far from the cameras' center as the median camera");
            found.push(PoseOutlier { name: view.name.clone(), view: i, why });
        }
    }
    looking_away(views, &centres, &mut found);
    found
}

/// Adds cameras that have the common target behind them, if most cameras have one.
fn looking_away(views: &[OutlinedView], centres: &[Point3<f64>], found: &mut Vec<PoseOutlier>) {
    let placed: Vec<usize> = (0..views.len()).filter(|i| found.iter().all(|f| f.view != *i)).collect();
    // Outliers would shift the point nearest to all axes, so the better half of the cameras decides.
    let mut kept = placed.clone();
    let mut target = None;
    for _ in 0..2 {
        let poses: Vec<_> = kept.iter().map(|&i| views[i].camera.pose).collect();
        target = attention(&poses);
        let Some(target) = target else { return };
        let cosine = |i: usize| (target - centres[i]).normalize().dot(&views[i].camera.forward());
        kept = placed.clone();
        kept.sort_by(|&a, &b| cosine(b).total_cmp(&cosine(a)));
        kept.truncate(placed.len().div_ceil(2));
    }
    let Some(target) = target else { return };
    let cosine = |i: usize| (target - centres[i]).normalize().dot(&views[i].camera.forward());
    // Half of them look that way within 45 degrees, so it is what they look at.
    if median(placed.iter().map(|&i| cosine(i))) < std::f64::consts::FRAC_1_SQRT_2 {
        return;
    }
    for &i in placed.iter().filter(|&&i| cosine(i) < AWAY) {
        let why = "looks away from what most cameras look at".to_owned();
        found.push(PoseOutlier { name: views[i].name.clone(), view: i, why });
    }
}

impl PointReport {
    pub(super) fn of(outline: &Outline) -> Option<Self> {
        let points = &outline.points;
        if points.is_empty() {
            return None;
        }
        let robust = |place: &dyn Fn(&ScenePoint) -> Point3<f64>| {
            let side = |q: f64| {
                std::array::from_fn(|axis| {
                    let mut values: Vec<f64> = points.iter().map(|p| place(p)[axis]).collect();
                    values.sort_unstable_by(f64::total_cmp);
                    quantile(&values, q)
                })
            };
            Extent { min: side(0.01), max: side(0.99) }
        };
        let (low, high) = outline.render_box();
        let inside = |p: &&ScenePoint| {
            let unit = outline.to_unit(&p.position);
            (0..3).all(|i| (low[i]..=high[i]).contains(&unit[i]))
        };
        Some(Self {
            count: points.len(),
            world: robust(&|p| p.position),
            unit: robust(&|p| outline.to_unit(&p.position)),
            in_box: points.iter().filter(inside).count() as f64 / points.len() as f64,
            error: median(points.iter().map(|p| f64::from(p.error))),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::Isometry3;

    use super::*;
    use crate::scene::{LoadOptions, outline};
    use crate::testing::{look_at, ngp_scene, orbit};

    fn rig(poses: &[Isometry3<f64>]) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        ngp_scene(folder.path(), poses, |_| {});
        Rig::of(&outline(folder.path(), &LoadOptions::default()).unwrap().views)
    }

    #[test]
    fn an_orbit_has_an_up_and_no_outliers() {
        let rig = rig(&orbit(12, 3.0, Point3::new(1.0, 2.0, 0.5)));
        let (axis, off) = rig.up_axis.unwrap();
        assert!(axis == "+z" && off < 1e-3, "{axis} {off}");
        assert!((rig.spacing - 6.0 * (std::f64::consts::PI / 12.0).sin()).abs() < 1e-9);
        assert!(rig.outliers.is_empty());
    }

    #[test]
    fn cameras_far_off_or_looking_away_are_named() {
        let mut poses = orbit(12, 3.0, Point3::origin());
        poses[3] = look_at(Point3::new(90.0, 0.0, 0.0), Point3::origin());
        let eye = Point3::from(poses[7].translation.vector);
        poses[7] = look_at(eye, eye + eye.coords);
        let found = rig(&poses).outliers;
        let names: Vec<_> = found.iter().map(|o| (o.name.as_str(), o.why.contains("away"))).collect();
        assert_eq!(names, [("images/03.png", false), ("images/07.png", true)], "{found:?}");
    }

    #[test]
    fn a_walk_through_a_house_has_no_outliers() {
        // Looking everywhere, along a line.
        let poses: Vec<_> = (0..40)
            .map(|i| {
                let eye = Point3::new(f64::from(i), 0.0, 0.0);
                let (sin, cos) = (f64::from(i) * 0.7).sin_cos();
                look_at(eye, eye + Vector3::new(cos, sin, 0.0))
            })
            .collect();
        assert_eq!(rig(&poses).outliers, []);
    }

    #[test]
    fn cameras_held_any_way_have_no_up() {
        let roll = |i: usize| nalgebra::UnitQuaternion::from_axis_angle(&Vector3::z_axis(), i as f64 * 1.57);
        let poses: Vec<_> =
            orbit(8, 3.0, Point3::origin()).iter().enumerate().map(|(i, p)| p * roll(i)).collect();
        assert!(rig(&poses).up.is_none());
    }
}
