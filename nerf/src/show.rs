//! What viewers are shown on the way: the cameras, a held-out view, the surface so far, the occupied cells.
//!
//! None of it changes the training: pictures are rendered between two steps, with the clock stopped, and only as
//! often as they take a small share of the time.

use crate::trainer::Trainer;
use crate::view::{Picture, flatten};
use nalgebra::{Matrix4, Point3, Vector3};
use nerve_core::ops::march::{CELLS, SIDE, morton};
use nerve_core::run::{self, Event, Events, ImageRole, MapRole, Photo};
use nerve_data::{Camera, Image8, RayCaster, Scene};
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// A set of pictures is followed by so many times what it took: pictures take 2 % of the time.
const REST: u32 = 49;
/// The first sets, of a field that is all fog, take the longest and must not put off the next ones: after this long
/// one may come that takes up to 5 % of the time.
const LONGEST: Duration = Duration::from_secs(60);
const LEAST: u32 = 19;
/// Bytes of all photographs together.
const PHOTOS: usize = 16 << 20;
/// Longest side of a picture that surface points are taken from, and from how many cameras they are.
const POINTS_SIDE: u32 = 96;
const POINTS_CAMERAS: usize = 24;
/// Sets of pictures between two looks at the occupied cells.
const CELLS_EVERY: u64 = 6;
/// How much shorter than a way in random order a way through all cameras is that they were moved along.
const A_WAY: f64 = 0.35;

/// What is shown next, and when.
pub(crate) struct Show {
    every: Option<Duration>,
    next: Instant,
    sets: u64,
    preview: Option<Preview>,
    /// Small cameras that surface points are taken from in turn.
    around: Vec<Camera>,
}

/// The held-out view that is watched.
struct Preview {
    name: String,
    camera: Camera,
    photo: Vec<u8>,
}

/// Renderings beside what the camera saw, as 8-bit RGB.
pub(crate) struct Compared {
    pub rendered: Vec<u8>,
    pub truth: Vec<u8>,
    /// Their absolute difference, four times as large as it is.
    pub error: Vec<u8>,
}

impl Show {
    /// Tells of the scene, if pictures are asked for.
    pub(crate) fn new(trainer: &Trainer, events: &Events) -> Self {
        let mut show = Self { every: None, next: Instant::now(), sets: 0, preview: None, around: Vec::new() };
        let Some(request) = events.previews() else { return show };
        trainer.show_scene(events);
        let scene = trainer.scene();
        let watched = scene.splits.eval().first().and_then(|view| scene.views.get(*view));
        show.preview = watched.and_then(|view| {
            let n = factor(&view.camera, request.side as u32);
            let photo = flatten(&view.image.downscale(n).ok()?, 1.0);
            Some(Preview { name: view.name.clone(), camera: smaller(&view.camera, n)?, photo })
        });
        show.around = around(scene);
        (show.every, show.next) = (Some(request.every), Instant::now() + request.every);
        show
    }

    /// Whether pictures are asked for at all.
    pub(crate) fn is_wanted(&self) -> bool {
        self.every.is_some()
    }

    /// Whether it is time for the next set.
    pub(crate) fn is_due(&self) -> bool {
        self.every.is_some() && Instant::now() >= self.next
    }
}

impl Trainer {
    /// Tells viewers of the cameras, their photographs, their way, and the points that came with them.
    pub fn show_scene(&self, events: &Events) {
        let (scene, side) = (self.scene(), events.previews().map_or(0, |request| request.side));
        let shared = ((PHOTOS / scene.views.len().max(1) / 3) as f64).sqrt() as usize;
        let side = side.min(shared).max(16) as u32;
        let held_out = scene.splits.eval();
        let view = |(i, view): (usize, &nerve_data::View)| {
            let (k, pose) = (&view.camera.intrinsics, view.camera.pose.to_homogeneous());
            run::View {
                name: view.name.clone(),
                held_out: held_out.contains(&i),
                pose: std::array::from_fn(|r| std::array::from_fn(|c| pose[(r, c)])),
                resolution: [f64::from(k.width), f64::from(k.height)],
                focal: [k.fx, k.fy],
                principal: [k.cx, k.cy],
                photo: photo(&view.image, factor(&view.camera, side)),
            }
        };
        let views: Vec<run::View> = scene.views.par_iter().enumerate().map(view).collect();
        events.publish(Event::Cameras { views: views.into() });
        if let Some(points) = way(scene) {
            events.publish(Event::Path { name: "capture".into(), points: points.into() });
        }
        if !scene.points.is_empty() {
            let positions = scene.points.iter().map(|p| p.position.coords.cast().into()).collect();
            let colors = scene.points.iter().map(|p| p.color).collect();
            let name = "sparse".into();
            events.publish(Event::Points { step: None, name, positions, colors, radius: 0.0 });
        }
    }

    /// The surface as all of its cameras see it now.
    pub fn show_surface(&mut self, events: &Events) {
        self.swap_average();
        for (number, camera) in around(&self.scene().clone()).iter().enumerate() {
            self.publish_surface(events, camera, number);
        }
        self.swap_average();
    }

    /// One set of pictures, and when the next is due.
    pub(crate) fn show(&mut self, show: &mut Show, events: &Events) {
        let start = Instant::now();
        self.swap_average();
        if let Some(preview) = &show.preview {
            let picture = self.picture_of(&preview.camera);
            let (rendered, truth) = (picture.on(1.0), preview.photo.clone());
            let error = differences(&truth, &rendered);
            let compared = Compared { rendered, truth, error };
            self.publish_pictures(events, &preview.name, &preview.camera, &picture, compared);
        }
        if let Some(camera) = show.around.get(show.sets as usize % show.around.len().max(1)) {
            self.publish_surface(events, camera, show.sets as usize % show.around.len());
        }
        self.swap_average();
        if show.sets.is_multiple_of(CELLS_EVERY) {
            self.publish_cells(events);
        }
        show.sets += 1;
        show.next = Instant::now() + rest(show.every.unwrap_or_default(), start.elapsed());
    }

    /// A rendering, what it is compared to, and its depth in the world.
    pub(crate) fn publish_pictures(
        &self,
        events: &Events,
        name: &str,
        camera: &Camera,
        picture: &Picture,
        compared: Compared,
    ) {
        let (step, width, height) = (self.step_count(), picture.width as usize, picture.height as usize);
        let Compared { rendered, truth, error } = compared;
        let pictures =
            [(ImageRole::GroundTruth, truth), (ImageRole::Prediction, rendered), (ImageRole::Error, error)];
        for (role, data) in pictures {
            let (name, data) = (name.to_owned(), data.into());
            events.publish(Event::Image { step, name, role, width, height, channels: 3, data });
        }
        let (ahead, rays) = self.rays(camera);
        let scale = self.scene().frame.scaling() as f32;
        let depth = |(t, (_, direction)): (f32, ([f32; 3], [f32; 3]))| {
            t * direction.iter().zip(&ahead).map(|(a, b)| a * b).sum::<f32>() / scale
        };
        let values = picture.surfaces().zip(rays).map(depth).collect();
        let (name, role) = (name.to_owned(), MapRole::Depth);
        events.publish(Event::Map { step, name, role, width, height, values });
    }

    /// The camera's axis and the rays through its pixels, in the unit frame.
    fn rays(&self, camera: &Camera) -> ([f32; 3], impl Iterator<Item = ([f32; 3], [f32; 3])>) {
        let frame = &self.scene().frame;
        let ahead: Vector3<f32> = (frame.isometry.rotation * camera.forward()).cast();
        let (caster, size) = (RayCaster::with_frame(camera, frame), &camera.intrinsics);
        let (width, pixels) = (size.width, size.width * size.height);
        let ray = move |i| caster.cast(f64::from(i % width) + 0.5, f64::from(i / width) + 0.5);
        (ahead.into(), (0..pixels).map(ray))
    }

    /// Where the rays of a small camera end, in the colors that they see.
    fn publish_surface(&mut self, events: &Events, camera: &Camera, number: usize) {
        let picture = self.picture_of(camera);
        let colors = picture.on(1.0);
        let (mut positions, mut seen, mut distances) = (Vec::new(), Vec::new(), Vec::new());
        let (_, rays) = self.rays(camera);
        let pixels = picture.surfaces().zip(rays).zip(colors.chunks_exact(3));
        for ((t, (origin, direction)), color) in pixels.filter(|((t, _), _)| t.is_finite()) {
            let at: [f64; 3] = std::array::from_fn(|a| f64::from(origin[a] + t * direction[a]));
            positions.push(self.scene().to_world(&Point3::from(at)).coords.cast().into());
            seen.push([color[0], color[1], color[2]]);
            distances.push(t);
        }
        if distances.is_empty() {
            return;
        }
        let middle = distances.len() / 2;
        let middle = *distances.select_nth_unstable_by(middle, f32::total_cmp).1;
        // So large that the points of a surface that is looked at from the front touch.
        let scale = self.scene().frame.scaling();
        let radius = (f64::from(middle) / scale / camera.intrinsics.fx * 0.6) as f32;
        let (step, name) = (Some(self.step_count()), format!("surface/{number}").into());
        let (positions, colors) = (positions.into(), seen.into());
        events.publish(Event::Points { step, name, positions, colors, radius });
    }

    /// The occupied cells with their densities, eight to one, cascade by cascade.
    pub fn publish_cells(&self, events: &Events) {
        const HALF: usize = SIDE / 2;
        let (bits, density) = (self.occupancy.bits(), self.occupancy.density());
        for cascade in 0..bits.cascades() {
            let mut values = vec![f32::NAN; HALF * HALF * HALF];
            for (code, children) in
                density[cascade * CELLS..(cascade + 1) * CELLS].chunks_exact(8).enumerate()
            {
                let [x, y, z] = morton::decode(code as u32).map(|v| v as usize);
                // A finer cascade covers the middle.
                let inner = |v: usize| (HALF / 4..3 * HALF / 4).contains(&v);
                if cascade > 0 && inner(x) && inner(y) && inner(z) {
                    continue;
                }
                let first = cascade * CELLS + code * 8;
                let occupied = (0..8).filter(|i| bits.get(first + i)).map(|i| children[i]);
                values[(z * HALF + y) * HALF + x] = occupied.fold(f32::NAN, f32::max);
            }
            if values.iter().all(|v| v.is_nan()) {
                continue;
            }
            let (step, name) = (self.step_count(), format!("occupancy/{cascade}").into());
            let frame = self.box_frame(f64::from(1u32 << cascade));
            events.publish(Event::Voxels { step, name, cells: [HALF; 3], frame, values: values.into() });
        }
    }

    /// From a cube of this side around the unit cube's centre, as `[0, 1]^3`, to the world.
    pub(crate) fn box_frame(&self, side: f64) -> [[f32; 4]; 3] {
        let place = Matrix4::new_translation(&Vector3::repeat(0.5 - side / 2.0)) * Matrix4::new_scaling(side);
        let frame = self.scene().frame.inverse().to_homogeneous() * place;
        std::array::from_fn(|r| std::array::from_fn(|c| frame[(r, c)] as f32))
    }
}

/// How long after a set that took so long the next is due.
fn rest(every: Duration, took: Duration) -> Duration {
    every.max((took * REST).min(LONGEST.max(took * LEAST)))
}

/// Small cameras, evenly chosen, that surface points are taken from.
fn around(scene: &Scene) -> Vec<Camera> {
    let every = scene.views.len().div_ceil(POINTS_CAMERAS).max(1);
    let views = scene.views.iter().step_by(every);
    views.filter_map(|v| smaller(&v.camera, factor(&v.camera, POINTS_SIDE))).collect()
}

/// Four times the absolute differences.
pub(crate) fn differences(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b).saturating_mul(4)).collect()
}

/// By how much a camera's pictures are downscaled to be no longer than `side`.
fn factor(camera: &Camera, side: u32) -> u32 {
    let (width, height) = (camera.intrinsics.width, camera.intrinsics.height);
    width.max(height).div_ceil(side.max(1)).clamp(1, width.min(height).max(1))
}

fn smaller(camera: &Camera, n: u32) -> Option<Camera> {
    Some(Camera { intrinsics: camera.intrinsics.downscale(n).ok()?, pose: camera.pose })
}

fn photo(image: &Image8, n: u32) -> Option<Photo> {
    let small = image.downscale(n).ok()?;
    let (width, height) = (small.width() as usize, small.height() as usize);
    Some(Photo { width, height, data: flatten(&small, 1.0).into() })
}

/// The way through the cameras in the order of their names, if it is one rather than jumps to and fro.
fn way(scene: &Scene) -> Option<Vec<[f32; 3]>> {
    let mut views: Vec<_> = scene.views.iter().collect();
    views.sort_by(|a, b| a.name.len().cmp(&b.name.len()).then_with(|| a.name.cmp(&b.name)));
    let centres: Vec<Point3<f64>> = views.iter().map(|view| view.camera.centre()).collect();
    let length: f64 = centres.windows(2).map(|w| (w[1] - w[0]).norm()).sum();
    let pairs =
        centres.iter().enumerate().flat_map(|(i, a)| centres[..i].iter().map(move |b| (a - b).norm()));
    let (sum, count) = pairs.fold((0.0, 0usize), |(sum, n), d| (sum + d, n + 1));
    let random = sum / count.max(1) as f64 * (centres.len().max(1) - 1) as f64;
    (centres.len() > 2 && length < A_WAY * random)
        .then(|| centres.iter().map(|c| c.coords.cast().into()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_take_a_fiftieth_of_the_time_and_slow_ones_a_twentieth_at_most() {
        let share = |took: f64| {
            let rest = rest(Duration::from_secs(5), Duration::from_secs_f64(took)).as_secs_f64();
            took / (took + rest)
        };
        assert!((share(0.01) - 0.01 / 5.01).abs() < 1e-6, "as often as asked for");
        for took in [0.2, 1.0, 60.0 / 49.0] {
            assert!((share(took) - 0.02).abs() < 1e-6, "{took}: {}", share(took));
        }
        assert!((share(2.0) - 2.0 / 62.0).abs() < 1e-6, "a minute is long enough");
        for took in [4.0, 600.0] {
            assert!((share(took) - 0.05).abs() < 1e-6, "{took}: {}", share(took));
        }
    }
}
