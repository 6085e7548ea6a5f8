//! The training views, prepared for drawing pixels.

use nerve_core::ops::rigid::{self, Correction};
use nerve_data::scene::ScenePoint;
use nerve_data::{RayCaster, Scene, View};

/// One view.
#[derive(Debug)]
pub(crate) struct TrainingView {
    /// Its index in the scene.
    pub view: usize,
    pub caster: RayCaster,
    /// The pixels that count, where the view has a mask.
    pub kept: Option<Vec<u32>>,
    /// Known distances of single pixels, along their rays in the unit frame.
    pub points: Vec<(u32, f32)>,
    /// The optical axis, in the unit frame.
    axis: [f32; 3],
}

/// Cameras of the training views, and where they look from now.
#[derive(Debug)]
pub struct TrainingViews {
    pub(crate) all: Vec<TrainingView>,
    /// Per view, where poses are learnt.
    corrections: Vec<Correction>,
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
        Self { all, corrections: Vec::new(), scale: scene.frame.scaling() as f32 }
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
        self.all.iter().map(|t| [t.caster.origin(), t.axis]).collect()
    }

    /// Moves the cameras by `[camera][6]` corrections.
    pub(crate) fn correct(&mut self, values: &[f32]) {
        self.corrections.clear();
        self.corrections.extend(values.chunks_exact(rigid::VALUES).map(Correction::new));
    }

    /// Finds what is known of distances: of single pixels that see a point. Whether anything is.
    pub(crate) fn find_points(&mut self, scene: &Scene) -> bool {
        let mut known = false;
        for t in &mut self.all {
            let view = &scene.views[t.view];
            let seen = scene.points.iter().filter(|p| p.views.binary_search(&(t.view as u32)).is_ok());
            t.points = seen.filter_map(|p| place(view, p, self.scale)).collect();
            if let Some(kept) = &t.kept {
                t.points.retain(|(pixel, _)| kept.binary_search(pixel).is_ok());
            }
            known |= view.depth.is_some() || !t.points.is_empty();
        }
        known
    }

    /// Origin and direction of a ray of a camera, from where it is now, and as it was given.
    #[inline]
    pub(crate) fn cast(&self, camera: usize, [x, y]: [u32; 2]) -> ([[f32; 3]; 2], [f32; 3]) {
        let (o, d) = self.all[camera].caster.cast(f64::from(x) + 0.5, f64::from(y) + 0.5);
        let (origin, direction) = self.corrections.get(camera).map_or((o, d), |c| c.apply((o, d)));
        ([origin, direction], d)
    }

    /// The known distance along a pixel's ray, of direction `d` as it was given; 0 for none.
    pub(crate) fn distance(&self, scene: &Scene, camera: usize, [x, y]: [u32; 2], d: [f32; 3]) -> f32 {
        let t = &self.all[camera];
        // Depth is measured along the axis; a ray that runs away from it goes further.
        let cos = d[0] * t.axis[0] + d[1] * t.axis[1] + d[2] * t.axis[2];
        let depth = scene.views[t.view].depth.as_ref().and_then(|map| map.at(x, y));
        depth.filter(|_| cos > 0.05).map_or(0.0, |z| z * self.scale / cos)
    }
}

impl TrainingView {
    fn new(scene: &Scene, view: usize) -> Option<Self> {
        let caster = scene.caster(view)?;
        let View { camera, mask, .. } = &scene.views[view];
        let kept = mask.as_ref().map(|mask| {
            let counting = (0..).zip(mask.data()).filter(|(_, counts)| **counts);
            counting.map(|(pixel, _)| pixel).collect::<Vec<u32>>()
        });
        if kept.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        let (_, axis) = caster.cast(camera.intrinsics.cx, camera.intrinsics.cy);
        Some(Self { view, caster, kept, points: Vec::new(), axis })
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
