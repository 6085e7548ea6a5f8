//! What a camera sees of a field.

use crate::backdrop::Backdrop;
use nerve_core::engine::{EngineError, SampleSource, Space, TrainEngine};
use nerve_core::metrics::quantize;
use nerve_core::ops::march::Ray;
use nerve_core::ops::rigid::Correction;
use nerve_data::{Image8, RayCaster};
use rayon::prelude::*;

/// The columns of a pixel's composited output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    /// Red, followed by green and blue.
    color: usize,
    depth: usize,
    opacity: usize,
    /// How many there are.
    all: usize,
}

/// A camera to look from.
#[derive(Clone, Debug)]
pub(crate) struct ViewCamera {
    /// The camera as it was given.
    pub caster: RayCaster,
    /// What was learned about its pose.
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
    /// Per pixel, in these columns: red, green, blue (premultiplied by the opacity), depth (likewise, in unit-frame
    /// lengths), opacity, and what else the field shows.
    values: Vec<f32>,
    columns: Columns,
    /// Per pixel, the color behind everything; a gray without it.
    behind: Option<Vec<[f32; 3]>>,
}

impl Rendering {
    /// Renders `width * height` pixels of a camera. Marching ends where less than `min_transmittance` gets through; `limit`
    /// may shorten the rays.
    pub(crate) fn render(
        engine: &mut dyn TrainEngine,
        space: Space<'_>,
        min_transmittance: f32,
        camera: &ViewCamera,
        (width, height): (u32, u32),
        limit: &(dyn Fn(&mut Ray) + Sync),
        backdrop: Option<&Backdrop>,
    ) -> Result<Self, EngineError> {
        let (shown, outputs) = (engine.spec().photometric_head(), &engine.layout().outputs);
        let Some(color) = shown.map(|head| outputs.heads[head].start) else {
            return Err(EngineError::Input("the field has no head that shows colors".into()));
        };
        let (depth, opacity, all) = (outputs.depth, outputs.opacity, outputs.width());
        let rays: Vec<Ray> = (0..width * height)
            .into_par_iter()
            .with_min_len(4096)
            .map(|i| {
                let (x, y) = (f64::from(i % width) + 0.5, f64::from(i / width) + 0.5);
                // Samples in the middle of where training draws them.
                let mut ray = space.volume.ray(camera.cast(x, y), 0.5);
                limit(&mut ray);
                ray
            })
            .collect();
        let behind = |b: &Backdrop| rays.par_iter().map(|ray| b.color(ray.direction)).collect();
        let behind = backdrop.map(behind);
        let mut values = vec![0.0; rays.len() * all];
        engine.render(&rays, SampleSource::Space(space), min_transmittance, &mut values)?;
        Ok(Self { width, height, values, columns: Columns { color, depth, opacity, all }, behind })
    }

    /// Per pixel: color, depth and opacity.
    fn pixels(&self) -> impl Iterator<Item = ([f32; 3], f32, f32)> + Clone {
        let Columns { color, depth, opacity, all } = self.columns;
        self.values
            .chunks_exact(all)
            .map(move |p| ([p[color], p[color + 1], p[color + 2]], p[depth], p[opacity]))
    }

    /// 8-bit RGB with straight alpha.
    pub fn rgba(&self) -> Vec<u8> {
        let straight = |(color, _, opacity): ([f32; 3], f32, f32)| {
            let [r, g, b] = color.map(|c| if opacity > 0.0 { c / opacity } else { 0.0 });
            [r, g, b, opacity]
        };
        quantize(&self.pixels().flat_map(straight).collect::<Vec<f32>>())
    }

    /// Opacities, 0 to 1.
    pub fn opacities(&self) -> impl Iterator<Item = f32> + Clone {
        self.pixels().map(|(_, _, opacity)| opacity)
    }

    /// The means of squares of `n * n` pixels: a picture of one `n`-th of the size, where `n` divides it. All that a pixel
    /// holds is weighted by its opacity already.
    #[must_use]
    pub fn averaged(&self, n: u32) -> Self {
        let (width, height) = (self.width / n, self.height / n);
        let (all, side) = (self.columns.all, n as usize);
        let mut values = vec![0.0; width as usize * height as usize * all];
        values.par_chunks_mut(width as usize * all).enumerate().for_each(|(y, row)| {
            for (x, mean) in row.chunks_exact_mut(all).enumerate() {
                for i in 0..side * side {
                    let pixel = (y * side + i / side) * self.width as usize + x * side + i % side;
                    let from = &self.values[pixel * all..][..all];
                    mean.iter_mut().zip(from).for_each(|(mean, v)| *mean += v / (side * side) as f32);
                }
            }
        });
        let behind = self.behind.as_ref().map(|behind| {
            let (wide, share) = (self.width as usize, (side * side) as f32);
            let mean = |i: usize| {
                let (x, y) = (i % width as usize, i / width as usize);
                let all =
                    (0..side * side).map(|i| behind[(y * side + i / side) * wide + x * side + i % side]);
                all.fold([0.0; 3], |sum, color| [0, 1, 2].map(|c| sum[c] + color[c] / share))
            };
            (0..width as usize * height as usize).map(mean).collect()
        });
        Self { width, height, values, columns: self.columns, behind }
    }

    /// RGB on the capture's backdrop, where it has one, else on a background of this gray, 0 to 1.
    pub fn colors(&self, background: f32) -> Vec<f32> {
        self.colors_on([background; 3])
    }

    /// RGB on the capture's backdrop, where it has one, else on a background of this color, 0 to 1.
    pub fn colors_on(&self, background: [f32; 3]) -> Vec<f32> {
        let behind = |pixel: usize| self.behind.as_ref().map_or(background, |behind| behind[pixel]);
        let on = |(pixel, (color, _, opacity)): (usize, ([f32; 3], f32, f32))| {
            let behind = behind(pixel);
            [0, 1, 2].map(|c| color[c] + (1.0 - opacity) * behind[c])
        };
        self.pixels().enumerate().flat_map(on).collect()
    }

    /// Of a capture with a backdrop, the share of the picture that shows it, because no training ray passed there.
    pub fn unseen(&self) -> Option<f64> {
        let clear: f64 = self.opacities().map(|opacity| f64::from((1.0 - opacity).max(0.0))).sum();
        self.behind.as_ref().map(|behind| clear / behind.len().max(1) as f64)
    }

    /// 8-bit RGB on a background of this gray, 0 to 1, whatever the capture has.
    pub fn rgb_on_gray(&self, background: f32) -> Vec<u8> {
        let on = |(color, _, opacity): ([f32; 3], f32, f32)| color.map(|c| c + (1.0 - opacity) * background);
        quantize(&self.pixels().flat_map(on).collect::<Vec<f32>>())
    }

    /// 8-bit RGB on what [`Self::colors`] puts it on.
    pub fn rgb(&self, background: f32) -> Vec<u8> {
        quantize(&self.colors(background))
    }

    /// 8-bit RGB on what [`Self::colors_on`] puts it on.
    pub fn rgb_on(&self, background: [f32; 3]) -> Vec<u8> {
        quantize(&self.colors_on(background))
    }

    /// Expected distances from the camera in unit-frame lengths; NaN where more light gets through than not.
    pub fn surfaces(&self) -> impl Iterator<Item = f32> + Clone {
        self.pixels().map(|(_, depth, opacity)| if opacity > 0.5 { depth / opacity } else { f32::NAN })
    }

    /// Expected depth as 8-bit gray, near is bright; what is not there is black.
    pub fn depth(&self) -> Vec<u8> {
        let seen = self.surfaces().filter(|depth| !depth.is_nan());
        let near = seen.clone().fold(f32::INFINITY, f32::min);
        let far = seen.fold(near, f32::max);
        let grey = |d: f32| if d.is_nan() { 0.0 } else { 1.0 - 0.85 * (d - near) / (far - near).max(1e-6) };
        quantize(&self.surfaces().map(grey).collect::<Vec<f32>>())
    }
}

/// An image as 8-bit RGB, its straight alpha composited on a gray background, 0 to 1.
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
