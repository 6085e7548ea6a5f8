//! Drawing the shapes of an image at random, and painting them to pixels and labels.

use ndarray::{Array2, Array3};

use super::shape::{Shape, color};
use super::{CLASSES, LabelDemo};
use crate::demo::solid::V3;
use crate::demo::texture::noise;
use crate::draws::Draws;
use crate::labels::{IGNORE, Labelled};

/// Color samples per pixel along each axis.
const SAMPLES: usize = 2;

/// The shapes of an image, before it is painted.
pub(super) struct ShapeImage {
    /// Later shapes cover earlier ones.
    shapes: Vec<Shape>,
    /// Center (column, row) and radius of the ignored patch, in pixels.
    patch: Option<(f64, f64, f64)>,
    ground: V3,
    /// Offset of the ground in the noise.
    place: (f64, f64),
}

impl ShapeImage {
    /// Draws the shapes of an image at random.
    pub fn draw(config: &LabelDemo, draws: &mut Draws) -> Self {
        let size = (config.height as f64, config.width as f64);
        let mut shape = || {
            let class = 1 + draws.upto(CLASSES.len() - 2);
            Shape::draw(class as u8, size, draws)
        };
        let shapes: Vec<Shape> = (0..config.shapes).map(|_| shape()).collect();
        let tint = V3::new(draws.unit(), draws.unit(), draws.unit());
        let ground = color(CLASSES[0].1).lerp(&tint, 0.35);
        let place = (draws.between(0.0, 1000.0), draws.between(0.0, 1000.0));
        let hides = draws.unit() < 0.5;
        let patch = (draws.between(0.0, size.1), draws.between(0.0, size.0), draws.between(0.08, 0.16));
        let patch = hides.then_some((patch.0, patch.1, patch.2 * size.0.min(size.1)));
        Self { shapes, patch, ground, place }
    }

    /// `height` x `width` pixels: the color is the mean over a pixel, the label that of its center.
    pub fn paint(&self, height: usize, width: usize) -> Labelled {
        let mut image = Array3::zeros((height, width, 3));
        let mut mask = Array2::zeros((height, width));
        for ((y, x), label) in mask.indexed_iter_mut() {
            *label = self.at(x as f64 + 0.5, y as f64 + 0.5).1;
            let mut sum = V3::zeros();
            for (i, j) in (0..SAMPLES).flat_map(|j| (0..SAMPLES).map(move |i| (i, j))) {
                let offset = |k: usize| (k as f64 + 0.5) / SAMPLES as f64;
                sum += self.at(x as f64 + offset(i), y as f64 + offset(j)).0;
            }
            let mean = sum / (SAMPLES * SAMPLES) as f64;
            for c in 0..3 {
                image[[y, x, c]] = (mean[c].clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
            }
        }
        Labelled { image, mask }
    }

    /// Color and label of a point.
    fn at(&self, x: f64, y: f64) -> (V3, u8) {
        if let Some((px, py, radius)) = self.patch {
            let (dx, dy) = (x - px, y - py);
            if dx * dx + dy * dy <= radius * radius {
                let fine = noise(V3::new(x * 0.7 + self.place.0, y * 0.7, 5.0));
                return (V3::repeat(0.35 + 0.3 * fine), IGNORE);
            }
        }
        if let Some((color, class)) = self.shapes.iter().rev().find_map(|s| Some((s.at(x, y)?, s.class))) {
            return (color, class);
        }
        let (u, v) = (x + self.place.0, y + self.place.1);
        let coarse = noise(V3::new(u * 0.05, v * 0.05, 1.0));
        let fine = noise(V3::new(u * 0.4, v * 0.4, 2.0));
        (self.ground * (0.55 + 0.6 * coarse + 0.3 * fine), 0)
    }
}
