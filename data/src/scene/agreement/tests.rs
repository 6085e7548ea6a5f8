#![allow(clippy::unwrap_used)]
use std::f64::consts::{PI, TAU};
use std::path::Path;

use nalgebra::{Isometry3, Point3, Vector3};
use proptest::prelude::*;

use super::*;
use crate::camera::Intrinsics;
use crate::scene::{LoadOptions, outline};
use crate::testing::{ColmapScene, Look, chance, look_at, picture, real_data, room_scene};

/// Views of a lap.
const LAP: usize = 20;

/// Half an orbit, a little beside where the first lap stood.
fn lap(beside: f64) -> Vec<Isometry3<f64>> {
    let at = |i: usize| {
        let (sin, cos) = (PI * (i as f64 + beside) / LAP as f64).sin_cos();
        look_at(Point3::new(4.0 * cos, 4.0 * sin, 1.2 + 0.3 * beside), Point3::new(0.0, 0.0, 0.3))
    };
    (0..LAP).map(at).collect()
}

/// Two laps around a thing of 300 points in a room of 2000, as structure from motion would leave them: a view finds a point in
/// its picture with probability `found`, of the thing from within 70 degrees. `is_tracked(lap, point is the room's, index)` says
/// whether a lap's views are in the track of a point.
fn laps(folder: &Path, found: f64, seed: u64, is_tracked: impl Fn(usize, bool, usize) -> bool) -> Outline {
    let poses: Vec<_> = [lap(0.0), lap(0.4)].concat();
    let mut scene = ColmapScene::new("PINHOLE", 8, 6, &[7.0, 7.0, 4.0, 3.0], &poses);
    scene.images.iter_mut().zip(0..).for_each(|(image, i)| image.2 = format!("{i:02}.png"));
    let intrinsics = Intrinsics::pinhole(8, 6, 7.0, 7.0);
    for index in 0..2300 {
        let is_room = index >= 300;
        let (turn, high) = (TAU * chance(seed, index, 1), chance(seed, index, 2));
        let flat = Vector3::new(turn.cos(), turn.sin(), 0.0);
        let position = if is_room {
            flat * 12.0 + Vector3::z() * (6.0 * high - 2.0)
        } else {
            flat * 0.3 + Vector3::z() * high
        };
        let position = Point3::from(position);
        let sees = |view: usize| {
            let camera = crate::Camera { intrinsics, pose: poses[view] };
            let faces = is_room || (camera.centre() - position).angle(&flat) < 70f64.to_radians();
            let inside = camera.project(&position).is_some_and(|(px, py, depth)| {
                depth > 0.0 && (0.0..8.0).contains(&px) && (0.0..6.0).contains(&py)
            });
            faces && inside && chance(seed, index, 3 + view) < found && is_tracked(view / LAP, is_room, index)
        };
        let track: Vec<u32> = (0..2 * LAP).filter(|view| sees(*view)).map(|view| view as u32 + 1).collect();
        if track.len() > 1 {
            scene.points.push((position, track));
        }
    }
    scene.write(folder, "sparse/0", true);
    (0..2 * LAP).for_each(|i| picture(&folder.join(format!("images/{i:02}.png")), 8, 6, i as u8));
    outline(folder, &LoadOptions::default()).unwrap()
}

/// Tracks through a fold: the thing is shared by both laps, and each has a room of its own.
fn folded(lap: usize, is_room: bool, index: usize) -> bool {
    !is_room || index % 2 == lap
}

/// The room's two halves lie over each other in the model.
#[test]
fn the_laps_of_a_folded_model_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let scene = laps(folder.path(), 0.5, 1, folded);
    for pixels in [false, true] {
        let found = Contradiction::find(&scene, pixels).unwrap();
        assert_eq!(found.groups, [(0..LAP).collect::<Vec<_>>(), (LAP..2 * LAP).collect()], "{found:?}");
        assert!(found.unknown.is_empty() && found.pairs > 20, "{found:?}");
        let [a, b] = found.example;
        assert_eq!((found.group_of(a.min(b)), found.group_of(a.max(b))), (Some(1), Some(2)));
        assert!(found.apart[0] < 0.6 && found.apart[1] < 8.0, "{found:?}");
        assert_eq!(found.names(&scene, 1), "20.png to 39.png");
    }
    // A group is a scene of its own: its views, its points, the same unit frame, every eighth of it held out as before.
    let options = LoadOptions { views: ViewChoice::Group(2), ..LoadOptions::default() };
    let second = outline(folder.path(), &options).unwrap();
    let names = |scene: &Outline| scene.views.iter().map(|view| view.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&second), names(&scene)[LAP..]);
    assert_eq!(second.unit_frame(), scene.unit_frame());
    assert_eq!(crate::inspect::report(&second, &options).registered, None, "the others have poses");
    let held: Vec<_> = second.splits.test.iter().map(|&view| second.views[view].name.as_str()).collect();
    assert_eq!(held, ["24.png", "32.png"]);
    assert!(second.points.len() < scene.points.len());
    for point in &second.points {
        let (position, views) = (point.position, &point.views);
        let before = scene.points.iter().find(|other| other.position == position).unwrap();
        let kept: Vec<u32> =
            before.views.iter().filter(|view| **view >= LAP as u32).map(|v| v - LAP as u32).collect();
        assert!(!views.is_empty() && *views == kept);
    }
    assert_eq!(Contradiction::find(&second, true), None, "what is left agrees");
    let error = ViewChoice::Group(3).of(&scene).unwrap_err().to_string();
    assert!(error.contains("no group 3") && error.contains("there are 2"), "{error}");
}

/// What a few views miss, or see of the other lap by wrong matches, changes nothing.
#[test]
fn a_few_wrong_tracks_do_not_hide_a_fold() {
    let folder = tempfile::tempdir().unwrap();
    let scene =
        laps(folder.path(), 0.5, 5, |lap, is_room, i| folded(lap, is_room, i) || chance(9, i, 0) < 0.01);
    let found = Contradiction::find(&scene, false).unwrap();
    assert_eq!(found.groups.iter().map(Vec::len).collect::<Vec<_>>(), [LAP, LAP], "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Sound models, however well they were matched: all tracks whole; few points found; the second lap never matched with the
    /// first; half of the tracks of the room broken between the laps; a room that the second lap hardly has points of.
    #[test]
    fn sound_models_are_never_divided(seed in 0..1000u64, found in 0.12..0.8f64, kind in 0..4usize) {
        let folder = tempfile::tempdir().unwrap();
        let scene = laps(folder.path(), found, seed, |lap, is_room, index| match kind {
            0 => true,
            1 => index % 2 == lap,
            2 => !is_room || index % 4 < 2 || index % 2 == lap,
            _ => !is_room || lap == 0 || index % 200 == 0,
        });
        prop_assert_eq!(Contradiction::find(&scene, false), None);
        prop_assert_eq!(Contradiction::find(&scene, true), None);
    }
}

/// Two laps of pictures of a ball in a round room, as a `transforms.json` without points; each lap's room has a seed, and the
/// second is darker. `is_plain` leaves out the room and all texture.
fn pictures(folder: &Path, rooms: [u64; 2], is_plain: bool) -> Outline {
    let poses: Vec<_> = [lap(0.0), lap(0.4)].concat();
    let look = |view: usize| Look {
        room: (!is_plain).then_some(rooms[view / LAP]),
        ball: true,
        light: [1.0, 0.7][view / LAP],
    };
    room_scene(folder, &poses, &poses, look);
    outline(folder, &LoadOptions::default()).unwrap()
}

#[test]
fn without_tracks_pixels_tell() {
    let folder = tempfile::tempdir().unwrap();
    let scene = pictures(folder.path(), [1, 2], false);
    assert_eq!(Contradiction::find(&scene, false), None, "no photograph was decoded");
    let found = Contradiction::find(&scene, true).unwrap();
    assert_eq!(found.groups, [(0..LAP).collect::<Vec<_>>(), (LAP..2 * LAP).collect()], "{found:?}");
}

/// One room in another light, and pictures that show nothing to compare.
#[test]
fn pictures_that_agree_or_say_nothing_are_not_divided() {
    for (rooms, is_plain) in [([1, 1], false), ([1, 2], true)] {
        let folder = tempfile::tempdir().unwrap();
        let scene = pictures(folder.path(), rooms, is_plain);
        assert_eq!(Contradiction::find(&scene, true), None, "{rooms:?} {is_plain}");
    }
}

/// Tracks alone do not divide what looks alike: here the pictures of both laps show one room.
#[test]
fn pixels_have_to_confirm_what_tracks_say() {
    let (model, shown) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tracks = laps(model.path(), 0.5, 1, folded);
    for (rooms, is_one) in [([1, 1], true), ([1, 2], false)] {
        let mut scene = pictures(shown.path(), rooms, false);
        scene.points = tracks.points.clone();
        (scene.frame, scene.frame_is_stated) = (tracks.frame, false);
        assert!(Contradiction::find(&scene, false).is_some());
        assert_eq!(Contradiction::find(&scene, true).is_none(), is_one);
    }
}

#[test]
fn few_views_and_unknown_ones_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let scene = laps(folder.path(), 0.5, 1, folded);
    // Two views of the second lap are too few for a group, and one whose neighbors are of one group belongs there.
    let mut used = vec![true; 2 * LAP];
    used[LAP + 2..].fill(false);
    let mut few = scene.clone();
    few.choose(&used, &LoadOptions::default());
    assert_eq!(Contradiction::find(&few, false), None);
    let mut blind = scene.clone();
    for point in &mut blind.points {
        point.views.retain(|view| *view != 5 && *view != LAP as u32);
    }
    let found = Contradiction::find(&blind, false).unwrap();
    assert_eq!(found.group_of(5), Some(1));
    assert_eq!((found.group_of(LAP), &*found.unknown), (None, &[LAP][..]), "between both groups");
}

/// The model of `beer`: its photographs 14 to 34 and 53 to 70 fit one another, and the others do.
#[test]
fn beer_is_divided_as_it_is_folded() {
    let Some(folder) = real_data("beer_is_divided_as_it_is_folded", "beer") else { return };
    let scene = outline(&folder, &LoadOptions::default()).unwrap();
    let second: Vec<usize> = (0..14).chain(35..53).collect();
    let first: Vec<usize> = (0..71).filter(|view| !second.contains(view)).collect();
    for pixels in [false, true] {
        let found = Contradiction::find(&scene, pixels).unwrap();
        assert_eq!(found.groups, [first.clone(), second.clone()], "{found:?}");
    }
    // By pixels alone it is seen, too.
    let mut bare = scene;
    bare.points.clear();
    let found = Contradiction::find(&bare, true).unwrap();
    let wrong = |group: &Vec<usize>, of: &[usize]| group.iter().filter(|view| !of.contains(view)).count();
    let mixed = found.groups.iter().map(|group| wrong(group, &first).min(wrong(group, &second)));
    assert!(mixed.max().is_none_or(|mixed| mixed <= 1), "{found:?}");
    assert!(first.contains(&found.example[0]) != first.contains(&found.example[1]), "{found:?}");
}

#[test]
fn sound_captures_are_not_divided() {
    for name in ["fox", "fern", "nerf_synthetic/lego"] {
        let Some(folder) = real_data("sound_captures_are_not_divided", name) else { return };
        let scene = outline(&folder, &LoadOptions::default()).unwrap();
        assert_eq!(Contradiction::find(&scene, true), None, "{name}");
    }
}
