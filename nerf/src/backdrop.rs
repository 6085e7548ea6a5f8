//! What is seen where no training ray ever passed: a color by direction, behind everything.
//!
//! Photographs that fill their pictures say nothing of an empty background, so a hole in what was photographed, shown as
//! white, is wrong everywhere. What a capture shows in a direction, on average over all training pixels, is known, and
//! smooth where none looked: per channel, spherical harmonics of degree 2 ([`sh`], nine coefficients) that are closest to
//! the pixels, where each band l is kept small by the square of l (l + 1), as the Laplacian weighs it.
//!
//! Training knows nothing of it. Rays of training are composited on random colors, so that nothing learns to let the
//! backdrop through where there is something.

use nalgebra::{SMatrix, Vector3};
use nerve_core::ops::sh;
use nerve_data::Scene;
use serde::{Deserialize, Serialize};

/// Coefficients a channel: bands 0 to 2.
const COEFFICIENTS: usize = 9;
/// The first coefficient behind each band.
const BANDS: [usize; 3] = [1, 4, COEFFICIENTS];
/// Pixels of a view that are looked at, about.
const PIXELS: u32 = 4096;
/// How strongly harmonics are kept small: of the mean square of a harmonic over the sphere, 1 / (4 pi).
const SMOOTH: f64 = 0.01 / (4.0 * std::f64::consts::PI);

/// Colors by direction in the unit frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Backdrop([[f32; COEFFICIENTS]; 3]);

impl Backdrop {
    /// Of some views of a scene, their masks heeded. `None` if there is no pixel.
    pub(crate) fn of(scene: &Scene, views: &[usize]) -> Option<Self> {
        let mut square = SMatrix::<f64, COEFFICIENTS, COEFFICIENTS>::zeros();
        let mut product = SMatrix::<f64, COEFFICIENTS, 3>::zeros();
        let mut pixels = 0u32;
        for &index in views {
            let Some(caster) = scene.caster(index) else { continue };
            let (image, mask) = (&scene.views[index].image, scene.views[index].mask.as_ref());
            let (width, size) = (image.width(), image.width() * image.height());
            // Odd, so that it visits all rows and columns alike.
            for pixel in (0..size).step_by((size / PIXELS) as usize | 1) {
                if mask.is_some_and(|mask| !mask.data()[pixel as usize]) {
                    continue;
                }
                let (x, y) = (pixel % width, pixel / width);
                let (_, direction) = caster.cast(f64::from(x) + 0.5, f64::from(y) + 0.5);
                let row = harmonics(direction).map(f64::from);
                let row = SMatrix::<f64, COEFFICIENTS, 1>::from(row);
                let [r, g, b, _] = image.pixel(x, y).map(|v| f64::from(v) / 255.0);
                square += row * row.transpose();
                product += row * Vector3::new(r, g, b).transpose();
                pixels += 1;
            }
        }
        if pixels == 0 {
            return None;
        }
        for (band, end) in BANDS.into_iter().enumerate().skip(1) {
            let weight = ((band * (band + 1)) as f64).powi(2) * SMOOTH * f64::from(pixels);
            (BANDS[band - 1]..end).for_each(|i| square[(i, i)] += weight);
        }
        let solved = square.cholesky()?.solve(&product);
        Some(Self([0, 1, 2].map(|channel| std::array::from_fn(|i| solved[(i, channel)] as f32))))
    }

    /// The color in a direction, of unit length, of the unit frame.
    pub(crate) fn color(&self, direction: [f32; 3]) -> [f32; 3] {
        let row = harmonics(direction);
        self.0.map(|channel| channel.iter().zip(&row).map(|(c, h)| c * h).sum::<f32>().clamp(0.0, 1.0))
    }
}

fn harmonics(direction: [f32; 3]) -> [f32; COEFFICIENTS] {
    let mut row = [0.0; COEFFICIENTS];
    sh::encode(direction, &mut row);
    row
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nerve_data::demo::{self, DemoConfig};
    use nerve_data::image::{Image8, Mask};

    const SIDE: u32 = 16;

    /// A scene whose photographs show a color that depends on the direction alone.
    fn scene(color: impl Fn([f32; 3]) -> [f32; 3]) -> Scene {
        let config = DemoConfig { resolution: SIDE as usize, train: 20, test: 1, supersample: 1, shadow: 1 };
        let mut scene = demo::scene(&config).unwrap();
        for view in 0..scene.views.len() {
            let caster = scene.caster(view).unwrap();
            let pixel = |i: u32| {
                let (_, d) = caster.cast(f64::from(i % SIDE) + 0.5, f64::from(i / SIDE) + 0.5);
                color(d).map(|c| (255.0 * c).round() as u8)
            };
            let pixels = (0..SIDE * SIDE).flat_map(pixel).collect::<Vec<u8>>();
            scene.views[view].image = Image8::new(SIDE, SIDE, 3, pixels).unwrap();
        }
        scene
    }

    #[test]
    fn it_shows_what_the_photographs_show_in_a_direction() {
        let truth = |d: [f32; 3]| [0.5 + 0.3 * d[2], 0.4, 0.5 - 0.2 * d[0]];
        let scene = scene(truth);
        let backdrop = Backdrop::of(&scene, &scene.splits.train).unwrap();
        let caster = scene.caster(scene.splits.test[0]).unwrap();
        for at in [0.5, 7.5, 15.5] {
            let (_, direction) = caster.cast(at, at);
            let (found, want) = (backdrop.color(direction), truth(direction));
            assert!(found.iter().zip(want).all(|(f, w)| (f - w).abs() < 0.05), "{found:?} {want:?}");
        }
        // Where nobody looked, it stays among the colors that there are, about.
        assert!(backdrop.color([0.0, 0.0, 1.0]).iter().all(|c| (0.1..0.9).contains(c)));
    }

    #[test]
    fn what_a_mask_takes_out_does_not_count() {
        let mut scene = scene(|_| [0.25; 3]);
        for &view in &scene.splits.train {
            let keep: Vec<bool> = (0..SIDE * SIDE).map(|i| i % SIDE < 8).collect();
            let pixels = keep.iter().flat_map(|keep| [if *keep { 64 } else { 255 }; 3]).collect::<Vec<u8>>();
            scene.views[view].image = Image8::new(SIDE, SIDE, 3, pixels).unwrap();
            scene.views[view].mask = Some(Mask::new(SIDE, SIDE, keep).unwrap());
        }
        let backdrop = Backdrop::of(&scene, &scene.splits.train).unwrap();
        assert!(backdrop.color([0.6, 0.0, 0.8]).iter().all(|c| (c - 64.0 / 255.0).abs() < 0.01));
        for &view in &scene.splits.train {
            scene.views[view].mask =
                Some(Mask::new(SIDE, SIDE, vec![false; (SIDE * SIDE) as usize]).unwrap());
        }
        assert!(Backdrop::of(&scene, &scene.splits.train).is_none() && Backdrop::of(&scene, &[]).is_none());
    }
}
