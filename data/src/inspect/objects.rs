//! What masks are for: cutting out an object, or leaving out what disturbs.
//!
//! The mask of an object encloses what all cameras look at and takes the rest of the picture out, its border before all.
//! A mask of people who walked by, or of the sky, leaves most of the border.

use nalgebra::Point3;

use crate::camera::{Camera, attention};
use crate::image::Mask;
use crate::scene::Scene;

/// A mask of an object leaves no more than this share of the picture's border.
const BORDER: f64 = 0.25;
/// And no more than this share of the picture.
const PICTURE: f64 = 0.75;
/// So many of the views must have such a mask.
const MOST: f64 = 0.8;
/// Of fewer views nothing is said.
const FEWEST: usize = 3;

/// How many of `views` have masks that cut out an object, and whether that is what the masks of a capture do.
pub(super) fn are_objects(enclosing: usize, views: usize) -> bool {
    views >= FEWEST && enclosing as f64 >= MOST * views as f64
}

/// What all of these cameras look at.
pub(super) fn target<'a>(cameras: impl Iterator<Item = &'a Camera>) -> Option<Point3<f64>> {
    attention(&cameras.map(|camera| camera.pose).collect::<Vec<_>>())
}

/// Whether a mask, of any resolution, encloses what the cameras look at and takes the rest out.
pub(super) fn encloses(mask: &Mask, camera: &Camera, target: &Point3<f64>) -> bool {
    let (width, height) = (mask.width(), mask.height());
    let left = mask.data().iter().filter(|counts| **counts).count() as f64 / mask.data().len() as f64;
    let border: Vec<bool> = (0..width)
        .flat_map(|x| [(x, 0), (x, height - 1)])
        .chain((0..height).flat_map(|y| [(0, y), (width - 1, y)]))
        .map(|(x, y)| mask.counts(x, y))
        .collect();
    let on_border = border.iter().filter(|counts| **counts).count() as f64 / border.len() as f64;
    if left == 0.0 || left > PICTURE || on_border > BORDER {
        return false;
    }
    let Some((px, py, _)) = camera.project(target) else { return false };
    let size = &camera.intrinsics;
    let (px, py) =
        (px * f64::from(width) / f64::from(size.width), py * f64::from(height) / f64::from(size.height));
    // Within the box around what is left: a ring or a chair has nothing in its middle.
    let inside = |at: f64, first: Option<u32>, last: Option<u32>| {
        first.zip(last).is_some_and(|(first, last)| (f64::from(first)..=f64::from(last) + 1.0).contains(&at))
    };
    let column = |x: &u32| (0..height).any(|y| mask.counts(*x, y));
    let row = |y: &u32| (0..width).any(|x| mask.counts(x, *y));
    inside(px, (0..width).find(column), (0..width).rev().find(column))
        && inside(py, (0..height).find(row), (0..height).rev().find(row))
}

/// How many of a scene's views have masks that cut out what the cameras look at, where that is what its masks do.
pub fn object_masks(scene: &Scene) -> Option<usize> {
    let target = target(scene.views.iter().map(|view| &view.camera))?;
    let masks = scene.views.iter().filter_map(|view| Some((view.mask.as_ref()?, &view.camera)));
    let enclosing = masks.filter(|(mask, camera)| encloses(mask, camera, &target)).count();
    are_objects(enclosing, scene.views.len()).then_some(enclosing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::camera::Intrinsics;
    use crate::testing::orbit;

    /// By what it leaves of a picture of 40 x 30 pixels, from a camera that looks at the origin.
    fn takes_it_for_an_object(target: [f64; 3], counts: impl Fn(u32, u32) -> bool) -> bool {
        let camera = Camera {
            intrinsics: Intrinsics::pinhole(80, 60, 80.0, 80.0),
            pose: orbit(5, 3.0, Point3::origin())[0],
        };
        let data: Vec<bool> = (0..40 * 30).map(|i| counts(i % 40, i / 40)).collect();
        encloses(&Mask::new(40, 30, data).unwrap(), &camera, &target.into())
    }

    #[test]
    fn an_object_is_enclosed_and_the_rest_taken_out() {
        let disc = |x: u32, y: u32| (f64::from(x) - 19.5).hypot(f64::from(y) - 14.5);
        let middle = [0.0; 3];
        assert!(takes_it_for_an_object(middle, |x, y| disc(x, y) < 9.0));
        assert!(takes_it_for_an_object(middle, |x, y| (6.0..9.0).contains(&disc(x, y))), "a ring");
        assert!(takes_it_for_an_object(middle, |x, y| disc(x, y) < 9.0 || (y > 14 && x.abs_diff(20) < 4)));
        for (what, left) in [
            ("somebody walks by", &(|x: u32, _: u32| !(4..12).contains(&x)) as &dyn Fn(u32, u32) -> bool),
            ("the sky", &|_, y| y > 10),
            ("nothing", &|_, _| false),
            ("all", &|_, _| true),
            ("a rim", &|x, y| x > 0 && y > 0 && x < 39 && y < 29),
        ] {
            assert!(!takes_it_for_an_object(middle, left), "{what}");
        }
        assert!(!takes_it_for_an_object([0.0, 0.9, 0.0], |x, y| disc(x, y) < 9.0), "beside what it is of");
    }
}
