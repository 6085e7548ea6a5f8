//! The flat shapes of the label set: their random parameters, coverage and color.

use std::f64::consts::TAU;

use super::CLASSES;
use crate::demo::solid::V3;
use crate::demo::texture::noise;
use crate::draws::Draws;

/// A placed shape.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// 1 to 5: disc, box, bar, ring, triangle.
    pub class: u8,
    /// In pixels, column then row.
    centre: (f64, f64),
    /// Pixels per unit.
    size: f64,
    /// Cosine and sine of the turn.
    turn: (f64, f64),
    /// Two colors, each channel from 0 to 1, that alternate along the shape.
    colors: [V3; 2],
    /// Bands per unit.
    bands: f64,
    /// Offset of its grain in the noise.
    grain: f64,
}

impl Shape {
    /// Draws a shape of a class for an image of that size in pixels.
    pub fn draw(class: u8, (height, width): (f64, f64), draws: &mut Draws) -> Self {
        let (x, y) = (draws.between(0.0, width), draws.between(0.0, height));
        let size = height.min(width) * draws.between(0.11, 0.3);
        let (sin, cos) = libm::sincos(draws.between(0.0, TAU));
        // The class's color, mixed with any other: hues overlap.
        let typical = color(CLASSES[usize::from(class)].1);
        let any = V3::new(draws.unit(), draws.unit(), draws.unit());
        let mixed = typical.lerp(&any, draws.between(0.1, 0.75));
        let darker = mixed * draws.between(0.45, 0.95);
        Self {
            class,
            centre: (x, y),
            size,
            turn: (cos, sin),
            colors: [mixed, darker],
            bands: draws.between(0.8, 4.0),
            grain: draws.between(0.0, 1000.0),
        }
    }

    /// The color at a point of the image, or nothing beside the shape.
    pub fn at(&self, x: f64, y: f64) -> Option<V3> {
        let (dx, dy) = ((x - self.centre.0) / self.size, (y - self.centre.1) / self.size);
        let (u, v) = (self.turn.0 * dx + self.turn.1 * dy, self.turn.0 * dy - self.turn.1 * dx);
        if !self.covers(u, v) {
            return None;
        }
        let band = (u * self.bands).floor();
        let color = self.colors[usize::from(band * 0.5 != (band * 0.5).floor())];
        Some(color * (0.8 + 0.4 * noise(V3::new(u * 6.0 + self.grain, v * 6.0, 0.0))))
    }

    fn covers(&self, u: f64, v: f64) -> bool {
        let square = u * u + v * v;
        match self.class {
            1 => square <= 1.0,
            2 => u.abs() <= 1.0 && v.abs() <= 0.72,
            3 => u.abs() <= 2.6 && v.abs() <= 0.24,
            4 => (0.3..=1.0).contains(&square),
            // Of circumradius 1.15; the square root of 3 is its sides' slope.
            _ => v >= -0.575 && 3f64.sqrt() * u.abs() + v <= 1.15,
        }
    }
}

/// Channels from 0 to 1.
pub(super) fn color(bytes: [u8; 3]) -> V3 {
    V3::from(bytes.map(|byte| f64::from(byte) / 255.0))
}
