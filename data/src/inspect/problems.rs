//! Problems of a scene's views, poses, placement and lenses, with their remedies.

use nalgebra::{Isometry3, Point3};

use super::axes::Axes;
use super::report::{IntrinsicsCount, SceneReport};
use crate::camera::Distortion;
use crate::problem::{DataProblem, Severity, first_few};
use crate::scene::{SceneFormat, render_box};

/// Two poses are the same if their centers are closer than this fraction of the cameras' extent and their rotations
/// differ by less than [`SAME_ANGLE`].
const SAME_CENTRE: f64 = 1e-6;
/// In radians.
const SAME_ANGLE: f64 = 1e-6;

/// Usual angles of view, in degrees, of lenses other than fisheyes.
const USUAL_ANGLES: std::ops::RangeInclusive<f64> = 0.5..=140.0;

/// All problems, the worst first.
pub(super) fn find(report: &SceneReport, poses: &[Isometry3<f64>], axes: &Axes) -> Vec<DataProblem> {
    let mut problems = Vec::new();
    let mut add = |severity, what: String, remedy: &str| {
        problems.push(DataProblem { severity, what, remedy: remedy.to_owned() });
    };
    views(report, &mut add);
    duplicates(report, poses, &mut add);
    outliers(report, &mut add);
    unplaced(report, &mut add);
    placement(report, axes, &mut add);
    lenses(report, &mut add);
    problems.sort_by_key(|problem| problem.severity);
    problems
}

fn views(report: &SceneReport, add: &mut impl FnMut(Severity, String, &str)) {
    let missing = report.missing.len();
    if missing > 0 {
        let listed = missing + report.resolutions.iter().map(|r| r.count).sum::<usize>();
        add(
            Severity::Warning,
            format!("{missing} of {listed} listed images do not exist"),
            "they are left out; put them beside the file to use them",
        );
    }
    if report.views.train == 0 {
        add(
            Severity::Error,
            "no view is used for training".into(),
            "hold out fewer views, or correct the split lists",
        );
    }
    if report.views.val + report.views.test == 0 {
        add(
            Severity::Note,
            "no view is held out, so quality cannot be measured".into(),
            "give a test split, or hold out every 8th view",
        );
    }
    let images: usize = report.resolutions.iter().map(|r| r.count).sum();
    if report.images_with_alpha != 0 && report.images_with_alpha != images {
        add(
            Severity::Warning,
            format!(
                "{} of {images} images have an alpha channel, the others do not",
                report.images_with_alpha
            ),
            "cut out the background in all images or in none",
        );
    }
}

fn duplicates(report: &SceneReport, poses: &[Isometry3<f64>], add: &mut impl FnMut(Severity, String, &str)) {
    let near = SAME_CENTRE * report.cameras_world.diagonal();
    // Sorted along x, only a few neighbors of each pose can be the same.
    let mut order: Vec<&Isometry3<f64>> = poses.iter().collect();
    order.sort_by(|a, b| a.translation.x.total_cmp(&b.translation.x));
    let same = |a: &Isometry3<f64>, b: &Isometry3<f64>| {
        (a.translation.vector - b.translation.vector).norm() <= near
            && a.rotation.angle_to(&b.rotation) <= SAME_ANGLE
    };
    let repeated = order.iter().enumerate().filter(|&(i, pose)| {
        let before = order[..i].iter().rev();
        before
            .take_while(|other| pose.translation.x - other.translation.x <= near)
            .any(|other| same(pose, other))
    });
    let repeated = repeated.count();
    if poses.len() > 1 && repeated == poses.len() - 1 {
        add(
            Severity::Error,
            "all poses are identical".into(),
            "the poses were not estimated, or not written; run structure from motion again",
        );
    } else if repeated > 0 {
        add(
            Severity::Warning,
            format!("{repeated} poses repeat another one exactly"),
            "if the camera stood still, remove these images; else the poses are wrong",
        );
    }
}

fn outliers(report: &SceneReport, add: &mut impl FnMut(Severity, String, &str)) {
    let outliers = &report.rig.outliers;
    if let Some(first) = outliers.first() {
        let names: Vec<String> = outliers.iter().map(|outlier| outlier.name.clone()).collect();
        let what = match outliers.len() {
            1 => format!("the camera of {} {}", first.name, first.why),
            count => {
                format!("{count} cameras have unusual poses: {}; the first {}", first_few(&names), first.why)
            }
        };
        add(
            Severity::Warning,
            what,
            "look at the picture of the rig (`nerve inspect SCENE --picture FILE.svg`); if the poses are wrong, remove these images",
        );
    }
}

/// If structure from motion placed a smaller fraction of the photos, the capture has a problem.
const PLACED: f64 = 0.8;

fn unplaced(report: &SceneReport, add: &mut impl FnMut(Severity, String, &str)) {
    let Some(registered) = &report.registered else { return };
    let count = registered.unplaced.len();
    if count > 0 {
        let enough = registered.placed as f64 >= PLACED * registered.photos as f64;
        add(
            if enough { Severity::Note } else { Severity::Warning },
            format!(
                "{count} of {} photos have no pose: {}",
                registered.photos,
                first_few(&registered.unplaced)
            ),
            if report.format == SceneFormat::Colmap {
                "they are left out; more and sharper photos that overlap with them by two thirds help to place them"
            } else {
                "they are left out, because the files or their split lists do not name them"
            },
        );
    }
}

/// What speaks against the poses.
fn against(report: &SceneReport) -> String {
    match &report.attention {
        Some(attention) if attention.in_front < 0.5 => format!(
            "the point nearest to all optical axes lies behind {:.0}% of the cameras",
            100.0 * (1.0 - attention.in_front)
        ),
        _ => "the poses are not camera-to-world with x right, y up and -z forward: by them the cameras do not see what the \
              photographs show"
            .into(),
    }
}

fn placement(report: &SceneReport, axes: &Axes, add: &mut impl FnMut(Severity, String, &str)) {
    match axes {
        Axes::Usual => {}
        Axes::Outward => add(
            Severity::Note,
            "the cameras look outward, from inside the scene".into(),
            "fine for a room: what is seen from several places is learned; step to the side, too, as you turn",
        ),
        Axes::OnePoint => add(
            Severity::Warning,
            "all photographs are taken from one point, as for a panorama: without parallax nothing tells how far anything is".into(),
            "views from there can be learned, no shape; take photographs from places that are apart",
        ),
        // Until they are mended, nothing else is known of where the cameras are.
        Axes::Other(advice) => return add(Severity::Error, against(report), advice),
        Axes::Unknown => {
            let remedy = "no other reading of the matrices, as inverses or with other axes, fits either: estimate the poses again";
            return add(Severity::Error, against(report), remedy);
        }
    }
    const RESCALE: &str = "set `scale` and `offset` in the file so that what the cameras look at falls into the \
        unit cube, or raise `aabb_scale`";
    const CHECK: &str = "look at the picture of the rig (`nerve inspect SCENE --picture FILE.svg`): cameras far from the others, or poses with \
        other axes, shift the whole scene";
    // In other formats the placement is computed from the cameras, and is wrong only if they are.
    let chosen = matches!(report.format, SceneFormat::Blender | SceneFormat::InstantNgp);
    let rescale = if chosen { RESCALE } else { CHECK };
    let Some(attention) = &report.attention else {
        if report.cameras_world.diagonal() > 0.0 {
            add(
                Severity::Note,
                "the cameras look in parallel directions, at no common point".into(),
                if chosen {
                    "a forward-facing capture does not show the back of things; check that `scale` fits its depth"
                } else {
                    "fine for a forward-facing capture, which does not show the back of things"
                },
            );
        }
        return;
    };
    let [x, y, z] = attention.unit;
    let at = format!("({x:.2}, {y:.2}, {z:.2})");
    let inside = |side: u32| {
        let (min, max) = render_box(side);
        Point3::from(attention.unit)
            .iter()
            .zip(min.iter().zip(max.iter()))
            .all(|(v, (a, b))| v >= a && v <= b)
    };
    if !inside(report.aabb_scale) {
        let what = format!("the cameras look at {at} in the unit frame, outside the render box");
        add(Severity::Error, what, rescale);
    } else if !inside(1) {
        let what = format!(
            "the cameras look at {at} in the unit frame, outside the unit cube, where detail is finest"
        );
        add(Severity::Warning, what, rescale);
    }
    if report.seeing_cube < 0.5 {
        let what = format!("only {:.0}% of the cameras see any of the unit cube", 100.0 * report.seeing_cube);
        add(Severity::Warning, what, rescale);
    }
    let nearest = attention.nearest * report.scale;
    let box_diagonal = 3f64.sqrt() * f64::from(report.aabb_scale);
    if matches!(axes, Axes::OnePoint | Axes::Outward) {
        // What they look at is not at the point where their axes meet.
    } else if attention.farthest * report.scale < 0.1 {
        add(
            Severity::Warning,
            format!(
                "all cameras are within {:.3} of their center in the unit frame: the scene is tiny",
                attention.farthest * report.scale
            ),
            if chosen { "raise `scale` so that the cameras surround the unit cube" } else { CHECK },
        );
    } else if nearest > 4.0 * box_diagonal {
        add(
            Severity::Warning,
            format!(
                "the nearest camera is {nearest:.1} from the center in the unit frame, far outside the render box"
            ),
            if chosen { "lower `scale`, unless the scene really is that small in the images" } else { CHECK },
        );
    }
}

fn lenses(report: &SceneReport, add: &mut impl FnMut(Severity, String, &str)) {
    if report.intrinsics.len() > 1 {
        add(
            Severity::Note,
            format!("the views have {} different intrinsics", report.intrinsics.len()),
            "fine if several cameras or zoom were used; else solve with one shared camera",
        );
    }
    let uneven = |c: &&IntrinsicsCount| (c.intrinsics.fx / c.intrinsics.fy - 1.0).abs() > 0.05;
    if let Some(c) = report.intrinsics.iter().find(uneven) {
        add(
            Severity::Warning,
            format!(
                "focal lengths differ between x and y: {:.1} and {:.1} pixels",
                c.intrinsics.fx, c.intrinsics.fy
            ),
            "pixels of cameras are square: check fl_x, fl_y and camera_angle_x, camera_angle_y",
        );
    }
    let odd = |c: &&IntrinsicsCount| {
        let k = &c.intrinsics;
        let fisheye =
            matches!(k.distortion, Distortion::Fisheye { .. } | Distortion::ThinPrismFisheye { .. });
        !fisheye && !USUAL_ANGLES.contains(&k.angle_x().to_degrees())
    };
    if let Some(c) = report.intrinsics.iter().find(odd) {
        add(
            Severity::Warning,
            format!(
                "a focal length of {:.2} pixels for images {} wide is a view of {:.1} degrees",
                c.intrinsics.fx,
                c.intrinsics.width,
                c.intrinsics.angle_x().to_degrees()
            ),
            "it must be in pixels of images of the stated size, w and h: not in millimeters, nor of another size",
        );
    }
    let off = |c: &&IntrinsicsCount| {
        let k = &c.intrinsics;
        let (x, y) = (k.cx / f64::from(k.width), k.cy / f64::from(k.height));
        !((0.25..=0.75).contains(&x) && (0.25..=0.75).contains(&y))
    };
    if let Some(c) = report.intrinsics.iter().find(off) {
        add(
            Severity::Warning,
            format!(
                "the principal point ({:.0}, {:.0}) is far from the image's center",
                c.intrinsics.cx, c.intrinsics.cy
            ),
            "check cx and cy, and that the images were not cropped or rotated after solving",
        );
    }
}
