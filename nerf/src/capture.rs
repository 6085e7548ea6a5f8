//! What a model keeps of the scene that it was trained on: where it lies in the unit frame, and its cameras.

use crate::backdrop::Backdrop;
use crate::views::TrainingViews;
use nalgebra::{Isometry3, Point3, Quaternion, Similarity3, Translation3, UnitQuaternion};
use nerve_data::scene::{Split, UnitFrame};
use nerve_data::{Camera, Intrinsics, Scene};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Numbers of cameras are the same if they differ by less than this, relative to 1 or to their size: by rounding.
const ROUNDING: f64 = 1e-6;

/// A scene without its images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capture {
    /// The scene's name.
    pub name: String,
    /// What is seen where no training ray passed; nothing, where photographs have transparent pixels, and in files of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backdrop: Option<Backdrop>,
    /// Where the world lies in the unit frame, and the render box.
    pub frame: UnitFrame,
    /// All views of all splits, as they were given, at the resolution that was trained on; empty in files of earlier
    /// versions, which did not keep them.
    pub views: Vec<CapturedView>,
    /// Which views it was trained on; files say it beside the rest.
    #[serde(skip)]
    pub(crate) training: TrainingSet,
}

/// Training views of a model that a scene has by their names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared<'a> {
    /// How many.
    pub known: usize,
    /// Those that have another pose or another lens now.
    pub changed: Vec<&'a str>,
}

/// The training views of a run, so that they are known again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrainingSet {
    /// How many there are.
    pub count: usize,
    /// Of their names and sizes, in order.
    pub digest: String,
}

/// One view: a camera and what it was for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
pub struct CapturedView {
    /// The image's path as listed.
    pub name: String,
    /// What it was for.
    pub split: Split,
    /// The camera as it was given, in the world.
    pub camera: Camera,
    /// Of a view that was trained on, its row in what was learned about cameras.
    pub row: Option<usize>,
}

impl Capture {
    /// Of a scene, with the views that training can draw pixels from.
    pub(crate) fn of(scene: &Scene, trained: &TrainingViews) -> Self {
        let rows: HashMap<usize, usize> =
            trained.all.iter().enumerate().map(|(row, t)| (t.view, row)).collect();
        let view = |(index, view): (usize, &nerve_data::View)| CapturedView {
            name: view.name.clone(),
            split: split(scene, index),
            camera: view.camera.clone(),
            row: rows.get(&index).copied(),
        };
        Self {
            name: scene.name.clone(),
            backdrop: None,
            frame: scene.unit_frame(),
            views: scene.views.iter().enumerate().map(view).collect(),
            training: TrainingSet::of(scene),
        }
    }

    /// A world point's place in the unit frame, as a map.
    pub fn to_unit(&self) -> Similarity3<f64> {
        self.frame.similarity()
    }

    /// A point of the unit frame in the world.
    pub fn to_world(&self, point: &Point3<f64>) -> Point3<f64> {
        self.to_unit().inverse_transform_point(point)
    }

    /// What is held out: the test views, or those for choosing between settings where there is no test.
    pub fn held_out(&self) -> Option<Split> {
        let has = |split: &Split| self.views.iter().any(|view| view.split == *split);
        [Split::Test, Split::Val].into_iter().find(has)
    }

    /// The views that were trained on, in the order of their rows in what was learned about cameras.
    pub fn trained(&self) -> impl Iterator<Item = &CapturedView> {
        self.views.iter().filter(|view| view.row.is_some())
    }

    /// Whether a view of this name was trained on, as far as is known.
    pub fn has_trained_on(&self, name: &str) -> bool {
        self.views.iter().any(|view| view.split == Split::Train && view.name == name)
    }

    /// What was trained on, beside what cameras with names are now.
    pub(crate) fn compared<'a>(&self, cameras: impl Iterator<Item = (&'a str, &'a Camera)>) -> Compared<'a> {
        let now: HashMap<&str, &Camera> = cameras.collect();
        let trained = self.views.iter().filter(|view| view.split == Split::Train);
        let mut found = Compared::default();
        for (view, (name, now)) in trained.filter_map(|view| Some((view, now.get_key_value(&*view.name)?))) {
            found.known += 1;
            if !is_same(&view.camera, now) {
                found.changed.push(name);
            }
        }
        found
    }

    /// The row of a training view in what was learned about cameras.
    pub(crate) fn row(&self, name: &str) -> Option<usize> {
        self.trained().find(|view| view.name == name)?.row
    }
}

impl TrainingSet {
    /// Of a scene.
    pub(crate) fn of(scene: &Scene) -> Self {
        Self { count: scene.splits.train.len(), digest: digest(scene) }
    }
}

/// Whether two cameras are the same but for rounding, which pictures of another size round to whole pixels.
fn is_same(a: &Camera, b: &Camera) -> bool {
    let close = |tolerance: f64| move |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * a.abs().max(1.0);
    let lens = |camera: &Camera| {
        let Intrinsics { width, height, fx, fy, cx, cy, .. } = camera.intrinsics;
        let (width, height) = (f64::from(width), f64::from(height));
        [fx / width, fy / height, cx / width, cy / height]
    };
    let side = |camera: &Camera| camera.intrinsics.width.min(camera.intrinsics.height);
    let one_size = (a.intrinsics.width, a.intrinsics.height) == (b.intrinsics.width, b.intrinsics.height);
    let pixels = if one_size { ROUNDING } else { 1.0 / f64::from(side(a).min(side(b)).max(1)) };
    let place = |camera: &Camera| <[f64; 3]>::from(camera.pose.translation.vector);
    a.intrinsics.distortion == b.intrinsics.distortion
        && lens(a).iter().zip(&lens(b)).all(close(pixels))
        && place(a).iter().zip(&place(b)).all(close(ROUNDING))
        && a.pose.rotation.angle_to(&b.pose.rotation) <= ROUNDING
}

/// FNV-1a over names and sizes.
fn digest(scene: &Scene) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for &view in &scene.splits.train {
        let (name, image) = (&scene.views[view].name, &scene.views[view].image);
        let size = [image.width(), image.height()].map(u32::to_le_bytes);
        // Names do not hold zeros.
        for byte in name.bytes().chain([0]).chain(size.into_iter().flatten()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

fn split(scene: &Scene, view: usize) -> Split {
    let is = |split: &Split| scene.splits.get(*split).binary_search(&view).is_ok();
    Split::ALL.into_iter().find(is).unwrap_or(Split::Train)
}

/// A [`CapturedView`] as it is written: plain numbers, which text keeps to the last bit.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    name: String,
    split: Split,
    /// Camera-to-world: a unit quaternion `[i, j, k, w]`.
    rotation: [f64; 4],
    /// The camera's center in the world.
    centre: [f64; 3],
    intrinsics: Intrinsics,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
}

impl From<CapturedView> for Record {
    fn from(view: CapturedView) -> Self {
        let CapturedView { name, split, camera: Camera { intrinsics, pose }, row } = view;
        let q = pose.rotation;
        Self {
            name,
            split,
            rotation: [q.i, q.j, q.k, q.w],
            centre: pose.translation.vector.into(),
            intrinsics,
            row,
        }
    }
}

impl TryFrom<Record> for CapturedView {
    type Error = String;

    fn try_from(record: Record) -> Result<Self, String> {
        let Record { name, split, rotation: [i, j, k, w], centre, intrinsics, row } = record;
        intrinsics.validate().map_err(|e| format!("the camera of {name}: {e}"))?;
        let q = Quaternion::new(w, i, j, k);
        let whole = (q.norm() - 1.0).abs() < 1e-6 && centre.iter().all(|c| c.is_finite());
        if !whole {
            return Err(format!("the pose of {name} is none"));
        }
        let pose = Isometry3::from_parts(Translation3::from(centre), UnitQuaternion::new_unchecked(q));
        Ok(Self { name, split, camera: Camera { intrinsics, pose }, row })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nerve_data::demo::{self, DemoConfig};

    fn capture() -> Capture {
        let demo = DemoConfig { train: 3, test: 2, resolution: 16, ..DemoConfig::default() };
        let scene = demo::scene(&demo).unwrap();
        Capture::of(&scene, &TrainingViews::new(&scene))
    }

    #[test]
    fn text_keeps_cameras_to_the_last_bit() {
        let capture = capture();
        let back: Capture = toml::from_str(&toml::to_string(&capture).unwrap()).unwrap();
        assert_eq!(back.views, capture.views);
        assert_eq!((back.to_unit(), &back.name), (capture.to_unit(), &capture.name));
        let rows: Vec<_> = back.views.iter().map(|view| (view.split, view.row)).collect();
        let train = (0..3).map(|row| (Split::Train, Some(row)));
        assert_eq!(rows, train.chain([(Split::Test, None); 2]).collect::<Vec<_>>());
    }

    #[test]
    fn cameras_that_are_none_are_refused() {
        let view = toml::Table::try_from(&capture().views[0]).unwrap();
        for (key, bad) in [
            ("rotation", "[0.0, 0.0, 0.0, 2.0]"),
            ("rotation", "[0.0, nan, 0.0, 1.0]"),
            ("centre", "[0.0, inf, 0.0]"),
            ("intrinsics", "{}"),
            ("split", "\"dev\""),
        ] {
            let mut view = view.clone();
            view[key] = bad.parse().unwrap();
            assert!(view.try_into::<CapturedView>().is_err(), "{key} {bad}");
        }
    }

    #[test]
    fn a_pose_or_a_lens_that_changed_is_named() {
        let demo = DemoConfig { train: 3, test: 2, resolution: 16, ..DemoConfig::default() };
        let scene = demo::scene(&demo).unwrap();
        let capture = Capture::of(&scene, &TrainingViews::new(&scene));
        let with = |change: &dyn Fn(&mut Camera), view: usize| {
            let mut scene = scene.clone();
            change(&mut scene.views[view].camera);
            let cameras = scene.views.iter().map(|v| (&*v.name, &v.camera));
            let found = capture.compared(cameras);
            assert_eq!(found.known, 3);
            found.changed.first().map(|&name| name.to_owned())
        };
        let (train, test) = (scene.splits.train[1], scene.splits.test[0]);
        let name = Some(scene.views[train].name.clone());
        assert_eq!(with(&|_| {}, train), None);
        assert_eq!(with(&|c| c.pose.translation.vector.x += 1e-9, train), None);
        assert_eq!(with(&|c| c.pose.translation.vector.x += 1e-3, train), name);
        let turn = UnitQuaternion::from_euler_angles(0.0, 1e-3, 0.0);
        assert_eq!(with(&|c| c.pose.rotation *= turn, train), name);
        assert_eq!(with(&|c| c.intrinsics.fx *= 1.01, train), name);
        assert_eq!(with(&|c| c.intrinsics = c.intrinsics.resized(31, 31), train), None, "the same lens");
        // What is held out may change: nothing was learned from it.
        assert_eq!(with(&|c| c.intrinsics.fx *= 1.01, test), None);
        assert!(capture.has_trained_on(&scene.views[train].name));
        assert!(!capture.has_trained_on(&scene.views[test].name));
    }
}
