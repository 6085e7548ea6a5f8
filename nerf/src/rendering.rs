//! Whole pictures of a field.

use crate::sampler::{Occupied, Volume};
use nerve_core::engine::{Ray, TrainEngine};
use nerve_core::metrics::quantize;
use nerve_core::ops::composite::EXTRA;
use nerve_core::ops::march::Bitfield;
use nerve_core::ops::rigid::Correction;
use nerve_data::{Image8, RayCaster};
use rayon::prelude::*;

/// Composited outputs per pixel: red, green, blue, depth, opacity.
const OUTPUTS: usize = crate::field::CHANNELS + EXTRA;

/// A camera to look from.
#[derive(Clone, Debug)]
pub struct ViewCamera {
    /// The camera as it was given.
    pub caster: RayCaster,
    /// What was learnt about its pose.
    pub correction: Option<Correction>,
}

impl ViewCamera {
    /// Origin and direction of the ray through a point of the image (see [`RayCaster::cast`]).
    pub fn cast(&self, px: f64, py: f64) -> ([f32; 3], [f32; 3]) {
        let ray = self.caster.cast(px, py);
        self.correction.map_or(ray, |c| c.apply(ray))
    }
}

/// What a camera sees.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Per pixel: red, green, blue (premultiplied by the opacity), depth (likewise, in unit-frame lengths), opacity.
    values: Vec<f32>,
}

impl Rendering {
    /// Renders `width * height` pixels of a camera. Marching ends where less than `cut` gets through.
    pub fn render(
        engine: &mut dyn TrainEngine,
        bits: &Bitfield,
        volume: &Volume,
        cut: f32,
        eye: &ViewCamera,
        (width, height): (u32, u32),
    ) -> Self {
        let rays: Vec<Ray> = (0..width * height)
            .into_par_iter()
            .with_min_len(4096)
            .map(|i| {
                let (x, y) = (f64::from(i % width) + 0.5, f64::from(i / width) + 0.5);
                // Samples in the middle of where training draws them.
                volume.ray(eye.cast(x, y), 0.5)
            })
            .collect();
        let mut values = vec![0.0; rays.len() * OUTPUTS];
        engine.render(&rays, &Occupied { bits, steps: volume.steps }, cut, &mut values);
        Self { width, height, values }
    }

    /// RGB on a background of this grey, 0 to 1.
    pub fn colors(&self, background: f32) -> Vec<f32> {
        let pixel = |p: &[f32]| [0, 1, 2].map(|c| p[c] + (1.0 - p[4]) * background);
        self.values.chunks_exact(OUTPUTS).flat_map(pixel).collect()
    }

    /// 8-bit RGB on a background of this grey, 0 to 1.
    pub fn on(&self, background: f32) -> Vec<u8> {
        quantize(&self.colors(background))
    }

    /// Expected distances along the rays, in unit-frame lengths; 0 where next to nothing is met.
    pub fn distances(&self) -> Vec<f32> {
        self.values.chunks_exact(OUTPUTS).map(|p| if p[4] > 1e-3 { p[3] / p[4] } else { 0.0 }).collect()
    }

    /// Expected distances from the camera in unit-frame lengths; NaN where more light gets through than not.
    pub fn surfaces(&self) -> impl Iterator<Item = f32> {
        self.values.chunks_exact(OUTPUTS).map(|p| if p[4] > 0.5 { p[3] / p[4] } else { f32::NAN })
    }

    /// Expected depth as 8-bit grey, near is bright; what is not there is black.
    pub fn depth(&self) -> Vec<u8> {
        let depth = |p: &[f32]| (p[4] > 0.5).then(|| p[3] / p[4]);
        let seen: Vec<f32> = self.values.chunks_exact(OUTPUTS).filter_map(depth).collect();
        let near = seen.iter().copied().fold(f32::INFINITY, f32::min);
        let far = seen.iter().copied().fold(near, f32::max);
        let grey = |p| depth(p).map_or(0.0, |d| 1.0 - 0.85 * (d - near) / (far - near).max(1e-6));
        quantize(self.values.chunks_exact(OUTPUTS).map(grey).collect::<Vec<f32>>().as_slice())
    }
}

/// An image as 8-bit RGB, its straight alpha composited on a grey background, 0 to 1.
pub fn flatten(image: &Image8, background: f32) -> Vec<u8> {
    let mut flat = Vec::with_capacity(image.width() as usize * image.height() as usize * 3);
    for y in 0..image.height() {
        for x in 0..image.width() {
            let [r, g, b, a] = image.pixel(x, y).map(|v| f32::from(v) / 255.0);
            flat.extend([r, g, b].map(|c| c * a + (1.0 - a) * background));
        }
    }
    quantize(&flat)
}
