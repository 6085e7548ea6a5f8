//! Training rays: random pixels of the training views.

use crate::config::Background;
use nerve_core::engine::{Live, Marcher, Ray, Sampler, Staged};
use nerve_core::ops::march::{Bitfield, Steps, clip, march};
use nerve_core::rng::{Rng, Stream, below, uniform};
use nerve_core::simd::{Isa, prefetch};
use nerve_data::{RayCaster, Scene};

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
        Ray { origin, direction, near: enter + jitter * self.steps.at(enter), far }
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

/// Cameras of the training views, prepared for casting.
#[derive(Debug)]
pub struct TrainingViews {
    casters: Vec<(usize, RayCaster)>,
}

impl TrainingViews {
    /// Prepares the scene's training views.
    pub fn new(scene: &Scene) -> Self {
        let casters = scene.splits.train.iter().filter_map(|v| Some((*v, scene.caster(*v)?)));
        Self { casters: casters.collect() }
    }

    /// True if the scene has no training view.
    pub fn is_empty(&self) -> bool {
        self.casters.is_empty()
    }
}

/// The pixels of one step: a view, then a pixel of it, both uniform.
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

impl Pixels<'_> {
    /// View and pixel of a ray, and what is left of its random bits.
    fn place(&self, index: u32) -> (&(usize, RayCaster), [u32; 2], u32) {
        let [view, pixel, jitter, _] = self.rng.bits(Stream::Pixels, self.step, index);
        let view = &self.views.casters[below(view, self.views.casters.len() as u32) as usize];
        let image = &self.scene.views[view.0].image;
        let pixel = below(pixel, image.width() * image.height());
        (view, [pixel % image.width(), pixel / image.width()], jitter)
    }
}

impl Sampler for Pixels<'_> {
    fn expect(&self, index: usize) {
        let ((view, _), [x, y], _) = self.place(index as u32);
        prefetch(self.scene.views[*view].image.stored(x, y).as_ptr());
    }

    fn ray(&self, index: usize, target: &mut [f32]) -> Ray {
        let index = index as u32;
        let ((view, caster), [x, y], jitter) = self.place(index);
        for (t, v) in target.iter_mut().zip(self.scene.views[*view].image.pixel(x, y)) {
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
        self.volume.ray(caster.cast(f64::from(x) + 0.5, f64::from(y) + 0.5), uniform(jitter))
    }
}
