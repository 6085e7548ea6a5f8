//! Training rays: random pixels of the training views.

use crate::config::Background;
use crate::objective::DISTANCE;
use crate::views::{TrainingView, TrainingViews};
use nerve_core::engine::{Live, Marcher, Ray, Sampler, Staged};
use nerve_core::ops::march::{Bitfield, Steps, clip, march};
use nerve_core::rng::{Rng, Stream, below, uniform};
use nerve_core::simd::{Isa, prefetch};
use nerve_data::{Image8, Scene};

/// The volume that rays are marched through: the render box and its step lengths.
#[derive(Clone, Copy, Debug)]
pub struct Volume {
    /// Side of the render box.
    pub side: f32,
    /// Step lengths.
    pub steps: Steps,
    /// Nearest sample to a camera.
    pub near: f32,
}

impl Volume {
    /// The ray clipped to the render box; `jitter` in [0, 1) shifts its samples by a share of a step.
    pub fn ray(&self, (origin, direction): ([f32; 3], [f32; 3]), jitter: f32) -> Ray {
        let (enter, far) = clip(origin, direction, self.side);
        let enter = enter.max(self.near);
        Ray { origin, direction, near: enter + jitter * self.steps.at(enter), far, camera: 0 }
    }
}

/// Marches through the occupied cells of a volume.
pub struct Occupied<'a> {
    /// The cells.
    pub bits: &'a Bitfield,
    /// The step lengths.
    pub steps: Steps,
}

impl Marcher for Occupied<'_> {
    fn march(&self, rays: &[Ray], live: &mut [Live], limit: usize, out: &mut Staged) {
        march(Isa::best(), self.bits, &self.steps, rays, live, limit, out);
    }
}

/// The share of rays that go through pixels whose distance a point tells, where such points are learnt from.
const POINT_SHARE: f32 = 0.2;

/// The pixels of one step: a view, then a pixel of it that no mask takes out, both uniform.
pub struct Pixels<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// Its training views.
    pub views: &'a TrainingViews,
    /// The volume.
    pub volume: Volume,
    /// What transparent pixels are composited on.
    pub background: Background,
    /// The run's random function.
    pub rng: Rng,
    /// The step, which the rays are a function of.
    pub step: u64,
}

/// Where a ray starts in its photograph.
struct Place {
    camera: usize,
    pixel: [u32; 2],
    /// The distance that a point tells; 0 for none.
    distance: f32,
    /// What is left of the ray's random bits.
    jitter: u32,
}

impl Pixels<'_> {
    fn place(&self, index: u32) -> Place {
        let [view, pixel, jitter, kind] = self.rng.bits(Stream::Pixels, self.step, index);
        let camera = below(view, self.views.all.len() as u32) as usize;
        let TrainingView { view, kept, points, .. } = &self.views.all[camera];
        let image = &self.scene.views[*view].image;
        let (mut distance, pixels) = (0.0, image.width() * image.height());
        let pixel = if !points.is_empty() && uniform(kind) < POINT_SHARE {
            let (pixel, known) = points[below(pixel, points.len() as u32) as usize];
            distance = known;
            pixel
        } else {
            match kept {
                None => below(pixel, pixels),
                Some(kept) => kept[below(pixel, kept.len() as u32) as usize],
            }
        };
        Place { camera, pixel: [pixel % image.width(), pixel / image.width()], distance, jitter }
    }

    fn image(&self, camera: usize) -> &Image8 {
        &self.scene.views[self.views.all[camera].view].image
    }
}

impl Sampler for Pixels<'_> {
    fn prefetch(&self, index: usize) {
        let Place { camera, pixel: [x, y], .. } = self.place(index as u32);
        prefetch(self.image(camera).stored(x, y).as_ptr());
    }

    fn ray(&self, index: usize, target: &mut [f32]) -> Ray {
        let index = index as u32;
        let Place { camera, pixel, distance, jitter } = self.place(index);
        let [x, y] = pixel;
        for (t, v) in target.iter_mut().zip(self.image(camera).pixel(x, y)) {
            *t = f32::from(v) / 255.0;
        }
        target[4..7].copy_from_slice(&match self.background {
            Background::White => [1.0; 3],
            Background::Black => [0.0; 3],
            Background::Random => {
                let [r, g, b, _] = self.rng.uniform4(Stream::Background, self.step, index);
                [r, g, b]
            }
        });
        let ([origin, direction], given) = self.views.cast(camera, pixel);
        if let Some(known) = target.get_mut(DISTANCE) {
            *known =
                if distance > 0.0 { distance } else { self.views.distance(self.scene, camera, pixel, given) };
        }
        Ray { camera: camera as u32, ..self.volume.ray((origin, direction), uniform(jitter)) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::objective::TARGETS;
    use nerve_data::demo::{self, DemoConfig};
    use nerve_data::image::{DepthMap, Mask};
    use nerve_data::scene::ScenePoint;

    const SIDE: u32 = 24;

    fn scene() -> Scene {
        demo::scene(&DemoConfig { resolution: SIDE as usize, train: 3, test: 1, supersample: 1, shadow: 1 })
            .unwrap()
    }

    fn pixels<'a>(scene: &'a Scene, views: &'a TrainingViews) -> Pixels<'a> {
        let volume = Volume { side: 1.0, steps: Steps::new(256, 1), near: 0.05 };
        Pixels { scene, views, volume, background: Background::White, rng: Rng::new(2), step: 7 }
    }

    /// Of a masked view only what counts is drawn, of the others everything; a view without any such pixel never.
    #[test]
    fn masked_pixels_are_never_drawn() {
        let mut scene = scene();
        let mask = |counts: fn(u32) -> bool| {
            Some(Mask::new(SIDE, SIDE, (0..SIDE * SIDE).map(counts).collect::<Vec<bool>>()).unwrap())
        };
        let [first, second, _] = scene.splits.train[..] else { panic!("three views") };
        scene.views[first].mask = mask(|i| i % 5 == 2);
        scene.views[second].mask = mask(|_| false);
        let views = TrainingViews::new(&scene);
        assert_eq!(views.len(), 2);
        let pixels = pixels(&scene, &views);
        let mut seen = [0; 2];
        for index in 0..4000 {
            let Place { camera, pixel: [x, y], .. } = pixels.place(index);
            let view = views.all[camera].view;
            assert!(view != second && (view != first || (y * SIDE + x) % 5 == 2));
            seen[camera] += 1;
        }
        assert!(seen.iter().all(|n| *n > 1800), "{seen:?}");
    }

    /// Depth along the axis becomes distance along the ray, in the unit frame; a point tells that of its own pixel.
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
        let mut views = TrainingViews::new(&scene);
        assert!(views.find_points(&scene));
        let pixels = pixels(&scene, &views);
        let mut of_point = 0;
        for index in 0..500 {
            let mut target = [0.0; TARGETS + 1];
            pixels.ray(index, &mut target);
            let Place { pixel: [x, y], distance: told, .. } = pixels.place(index as u32);
            let ray = camera.ray(f64::from(x) + 0.5, f64::from(y) + 0.5);
            let along = if told > 0.0 { distance } else { 3.0 / ray.direction.dot(&camera.forward()) };
            of_point += usize::from(told > 0.0);
            assert!(told == 0.0 || [x, y] == [10, 4]);
            let want = along * scene.frame.scaling();
            assert!((f64::from(target[DISTANCE]) - want).abs() < 1e-5, "{} {want}", target[DISTANCE]);
        }
        assert!((60..140).contains(&of_point), "{of_point}");
        // Nothing is known where there is neither.
        (scene.views[view].depth, scene.points) = (None, Vec::new());
        assert!(!TrainingViews::new(&scene).find_points(&scene));
    }
}
