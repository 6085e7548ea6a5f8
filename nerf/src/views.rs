//! The training views, as engines draw pixels from them.

use crate::occupancy::Eye;
use nerve_core::engine::{DepthImage, PixelImage, TrainView};
use nerve_core::ops::cast::{Lens, Planar, RayCamera};
use nerve_data::scene::ScenePoint;
use nerve_data::{Distortion, Intrinsics, RayCaster, Scene, View};
use std::sync::Arc;

/// One view.
#[derive(Debug)]
pub(crate) struct TrainingView {
    /// Its index in the scene.
    pub view: usize,
    /// Its camera as it was given, in the unit frame.
    camera: RayCamera,
    /// The pixels that count, where the view has a mask.
    kept: Option<Arc<[u32]>>,
    /// Known distances of single pixels, along their rays in the unit frame.
    points: Arc<[(u32, f32)]>,
}

/// The training views of a scene: what of them is drawn, and what is known of it.
#[derive(Debug)]
pub struct TrainingViews {
    pub(crate) all: Vec<TrainingView>,
    /// World to unit lengths.
    scale: f32,
}

impl TrainingViews {
    /// Prepares the scene's training views.
    pub fn new(scene: &Scene) -> Self {
        Self::of(scene, &scene.splits.train)
    }

    /// Prepares some views of a scene. Those that a mask leaves nothing of are left out.
    pub(crate) fn of(scene: &Scene, views: &[usize]) -> Self {
        let all = views.iter().filter_map(|v| TrainingView::new(scene, *v)).collect();
        Self { all, scale: scene.frame.scaling() as f32 }
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The camera of a view of the scene, if it is one of these.
    pub fn camera_of(&self, view: usize) -> Option<usize> {
        self.all.iter().position(|t| t.view == view)
    }

    /// Where the cameras were given, in the unit frame, and their optical axes.
    pub(crate) fn gazes(&self) -> Vec<[[f32; 3]; 2]> {
        self.all.iter().map(|t| [t.camera.origin, t.camera.forward()]).collect()
    }

    /// Whether every photograph is filled to its borders: no pixel of any lets through what is behind it.
    pub(crate) fn are_opaque(&self, scene: &Scene) -> bool {
        let opaque = |t: &TrainingView| {
            let image = &scene.views[t.view].image;
            image.channels() < 4 || image.data().chunks_exact(4).all(|pixel| pixel[3] == u8::MAX)
        };
        self.all.iter().all(opaque)
    }

    /// What is looked through at where light gets to.
    pub(crate) fn eyes(&self, scene: &Scene) -> Vec<Eye> {
        let eye = |t: &TrainingView| {
            let image = &scene.views[t.view].image;
            Eye { camera: t.camera, size: [image.width(), image.height()], kept: t.kept.clone() }
        };
        self.all.iter().map(eye).collect()
    }

    /// Finds what is known of distances: of single pixels that see a point. Whether anything is.
    pub(crate) fn find_points(&mut self, scene: &Scene) -> bool {
        let mut known = false;
        for t in &mut self.all {
            let view = &scene.views[t.view];
            let seen = scene.points.iter().filter(|p| p.views.binary_search(&(t.view as u32)).is_ok());
            // What is transparent is not what a point is on.
            let (pixels, transparent) = (view.image.data(), view.image.has_alpha());
            let seen_through = |pixel: u32| transparent && pixels[4 * pixel as usize + 3] == 0;
            let counts = |pixel| t.kept.as_ref().is_none_or(|kept| kept.binary_search(&pixel).is_ok());
            let points = seen
                .filter_map(|p| place(view, p, self.scale))
                .filter(|(pixel, _)| counts(*pixel) && !seen_through(*pixel));
            t.points = points.collect();
            known |= view.depth.is_some() || !t.points.is_empty();
        }
        known
    }

    /// What an engine draws rays from. The pixels are the scene's, shared.
    pub fn for_engine(&self, scene: &Scene) -> Vec<TrainView> {
        let view = |t: &TrainingView| {
            let View { image, depth, .. } = &scene.views[t.view];
            TrainView {
                camera: t.camera,
                pixels: PixelImage {
                    width: image.width(),
                    height: image.height(),
                    channels: image.channels().into(),
                    data: image.shared(),
                },
                kept: t.kept.clone(),
                points: t.points.clone(),
                depth: depth.as_ref().map(|map| DepthImage { data: map.shared(), scale: self.scale }),
                maps: Vec::new(),
            }
        };
        self.all.iter().map(view).collect()
    }
}

impl TrainingView {
    fn new(scene: &Scene, view: usize) -> Option<Self> {
        let caster = scene.caster(view)?;
        let View { camera, mask, .. } = &scene.views[view];
        let kept = mask.as_ref().map(|mask| {
            let counting = (0..).zip(mask.data()).filter(|(_, counts)| **counts);
            counting.map(|(pixel, _)| pixel).collect::<Arc<[u32]>>()
        });
        if kept.as_ref().is_some_and(|kept| kept.is_empty()) {
            return None;
        }
        let camera = ray_camera(&caster, &camera.intrinsics);
        Some(Self { view, camera, kept, points: Arc::new([]) })
    }
}

/// A camera as numbers: what core knows of one that data has prepared.
fn ray_camera(caster: &RayCaster, intrinsics: &Intrinsics) -> RayCamera {
    let limit = caster.lens_limit();
    let lens = match intrinsics.distortion {
        _ if limit.is_infinite() => Lens::Pinhole,
        Distortion::None => Lens::Pinhole,
        Distortion::OpenCv { k1, k2, k3, p1, p2 } => Lens::Radial { k: [k1, k2, k3], p: [p1, p2], limit },
        Distortion::FullOpenCv { above: [k1, k2, k3], below, tangential } => {
            let terms = Planar { above: [k1, k2, k3, 0.0], below, p: tangential, s: [0.0; 2] };
            Lens::Planar { terms, limit }
        }
        Distortion::Fisheye { k1, k2, k3, k4 } => Lens::Fisheye { k: [k1, k2, k3, k4], limit },
        Distortion::ThinPrismFisheye { radial, tangential, prism } => {
            let terms = Planar { above: radial, below: [0.0; 3], p: tangential, s: prism };
            Lens::FisheyePlanar { terms, limit }
        }
    };
    RayCamera {
        origin: caster.origin(),
        axes: caster.axes(),
        focal: [intrinsics.fx, intrinsics.fy],
        principal: [intrinsics.cx, intrinsics.cy],
        lens,
    }
}

/// The pixel in which a view sees a point, and the point's distance in the unit frame.
fn place(view: &View, point: &ScenePoint, scale: f32) -> Option<(u32, f32)> {
    let (px, py, _) = view.camera.project(&point.position)?;
    let (width, height) = (view.image.width(), view.image.height());
    let inside = (0.0..f64::from(width)).contains(&px) && (0.0..f64::from(height)).contains(&py);
    let distance = (point.position - view.camera.centre()).norm() as f32 * scale;
    (inside && distance > 0.0).then(|| (py as u32 * width + px as u32, distance))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nalgebra::{Isometry3, Similarity3, Vector3};
    use nerve_data::demo::{self, DemoConfig};
    use nerve_data::image::{DepthMap, Mask};
    use proptest::prelude::*;

    const SIDE: u32 = 24;

    fn scene() -> Scene {
        demo::scene(&DemoConfig { resolution: SIDE as usize, train: 3, test: 1, supersample: 1, shadow: 1 })
            .unwrap()
    }

    /// Of a masked view only what counts is drawn, of the others everything; a view without any such pixel never.
    #[test]
    fn masks_become_lists_of_pixels() {
        let mut scene = scene();
        let mask = |counts: fn(u32) -> bool| {
            Some(Mask::new(SIDE, SIDE, (0..SIDE * SIDE).map(counts).collect::<Vec<bool>>()).unwrap())
        };
        let [first, second, third] = scene.splits.train[..] else { panic!("three views") };
        scene.views[first].mask = mask(|i| i % 5 == 2);
        scene.views[second].mask = mask(|_| false);
        let views = TrainingViews::new(&scene);
        assert_eq!((views.len(), views.camera_of(second), views.camera_of(third)), (2, None, Some(1)));
        let [masked, whole] = &views.for_engine(&scene)[..] else { panic!("two views") };
        let kept: Vec<u32> = (0..SIDE * SIDE).filter(|i| i % 5 == 2).collect();
        assert_eq!((masked.kept.as_deref(), whole.kept.as_deref()), (Some(&kept[..]), None));
        let image = &scene.views[third].image;
        assert!(std::ptr::eq(whole.pixels.data.as_ptr(), image.data().as_ptr()), "pixels are shared");
        assert_eq!((whole.pixels.width, whole.pixels.channels), (SIDE, image.channels().into()));
    }

    /// A point tells the distance of its own pixel, where that counts; depth maps come along with the frame's scale.
    #[test]
    fn known_distances_are_those_along_the_rays() {
        let mut scene = scene();
        let view = scene.splits.train[0];
        scene.splits.train = vec![view];
        let flat = DepthMap::new(SIDE, SIDE, vec![3.0; (SIDE * SIDE) as usize]).unwrap();
        scene.views[view].depth = Some(flat);
        let camera = scene.views[view].camera.clone();
        let (at, distance) = (camera.ray(10.5, 4.5), 2.5);
        let position = at.origin + at.direction * distance;
        scene.points = vec![ScenePoint { position, color: [0; 3], error: 0.0, views: vec![view as u32] }];
        let with_alpha = |scene: &Scene, alpha: u8| {
            let mut pixels = scene.views[view].image.data().to_vec();
            pixels[4 * (4 * SIDE + 10) as usize + 3] = alpha;
            nerve_data::Image8::new(SIDE, SIDE, 4, pixels).unwrap()
        };
        scene.views[view].image = with_alpha(&scene, 255);
        let mut views = TrainingViews::new(&scene);
        assert!(views.find_points(&scene));
        let known = &views.for_engine(&scene)[0];
        let [(pixel, told)] = known.points[..] else { panic!("one point") };
        assert_eq!(pixel, 4 * SIDE + 10);
        let scaling = scene.frame.scaling();
        assert!((f64::from(told) - distance * scaling).abs() < 1e-5, "{told}");
        let depth = known.depth.as_ref().unwrap();
        assert!(depth.data.iter().all(|d| *d == 3.0) && depth.scale == scaling as f32);
        // What is transparent or what a mask takes out, no point tells anything of.
        let mut clear = scene.clone();
        clear.views[view].image = with_alpha(&scene, 0);
        let mut seen_through = TrainingViews::new(&clear);
        assert!(seen_through.find_points(&clear) && seen_through.for_engine(&clear)[0].points.is_empty());
        let counts: Vec<bool> = (0..SIDE * SIDE).map(|i| i != pixel).collect();
        scene.views[view].mask = Some(Mask::new(SIDE, SIDE, counts).unwrap());
        let mut masked = TrainingViews::new(&scene);
        assert!(masked.find_points(&scene) && masked.for_engine(&scene)[0].points.is_empty());
        // Nothing is known where there is neither.
        (scene.views[view].depth, scene.points) = (None, Vec::new());
        assert!(!TrainingViews::new(&scene).find_points(&scene));
    }

    fn distortion(which: usize, k: [f64; 8]) -> Distortion {
        let [a, b, c, d, e, f, g, h] = k;
        let small = |v: f64| 0.01 * v;
        match which {
            0 => Distortion::None,
            1 => Distortion::OpenCv { k1: a, k2: b, k3: c, p1: small(d), p2: small(e) },
            2 => {
                let tangential = [small(g), small(h)];
                Distortion::FullOpenCv { above: [a, b, c], below: [d, e, f], tangential }
            }
            3 => Distortion::Fisheye { k1: 0.2 * a, k2: 0.2 * b, k3: 0.2 * c, k4: 0.2 * d },
            _ => Distortion::ThinPrismFisheye {
                radial: [a, b, c, d].map(|k| 0.2 * k),
                tangential: [small(e), small(f)],
                prism: [small(g), small(h)],
            },
        }
    }

    proptest! {
        /// Core's casting is data's, to the bit, through every lens, inside of what it can invert and beyond.
        #[test]
        fn rays_are_the_scenes_to_the_bit(
            which in 0..5usize, k in prop::array::uniform8(-0.4..0.4f64),
            px in -20.0..84.0f64, py in -20.0..68.0f64, scale in 0.1..3.0f64,
            at in prop::array::uniform3(-3.0..3.0f64), turn in prop::array::uniform3(-3.0..3.0f64),
            frame_turn in prop::array::uniform3(-3.0..3.0f64),
        ) {
            let intrinsics =
                Intrinsics { distortion: distortion(which, k), ..Intrinsics::pinhole(64, 48, 40.0, 41.0) };
            let pose = Isometry3::new(Vector3::from(at), Vector3::from(turn));
            let camera = nerve_data::Camera { intrinsics, pose };
            let frame = Similarity3::new(Vector3::new(0.5, 0.25, -1.0), Vector3::from(frame_turn), scale);
            let caster = RayCaster::with_frame(&camera, &frame);
            let (origin, direction) = caster.cast(px, py);
            let (o, d) = ray_camera(&caster, &camera.intrinsics).cast(px, py);
            prop_assert_eq!((origin.map(f32::to_bits), direction.map(f32::to_bits)), (o.map(f32::to_bits), d.map(f32::to_bits)));
        }
    }
}
