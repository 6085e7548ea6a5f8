//! What stands on the ground: a solid, turned and placed, with its texture.
use std::f64::consts::TAU;

use nalgebra::Matrix3;

use crate::demo::solid::{Hit, Solid, TracerRay, V3};
use crate::demo::texture::noise;
use crate::draws::Draws;

/// A solid of an object.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    pub(super) solid: Solid,
    pub(super) centre: V3,
    /// From its own frame to the world.
    pub(super) axes: Matrix3<f64>,
    /// Its class, by number.
    pub(super) class: u8,
    /// Its part of a person, 0 for other things.
    pub(super) part: u8,
    /// The object that it belongs to, from 1.
    pub(super) object: u16,
    pub(super) texture: Texture,
}

impl Thing {
    /// Distance and unit outward normal of a ray's first hit nearer than `t_max`.
    pub(super) fn hit(&self, ray: &TracerRay, t_max: f64) -> Option<Hit> {
        let back = self.axes.transpose();
        let own = TracerRay { origin: back * (ray.origin - self.centre), dir: back * ray.dir };
        self.solid.hit(&own, t_max).map(|(t, normal)| (t, self.axes * normal))
    }

    /// The color at a point of the world.
    pub(super) fn albedo(&self, p: &V3) -> V3 {
        self.texture.at(&(self.axes.transpose() * (p - self.centre)))
    }
}

/// Turned about the vertical axis by one angle, after a tilt about the first axis by another.
pub(super) fn turned(turn: f64, tilt: f64) -> Matrix3<f64> {
    let (s, c) = libm::sincos(turn);
    let (sin, cos) = libm::sincos(tilt);
    Matrix3::new(c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0)
        * Matrix3::new(1.0, 0.0, 0.0, 0.0, cos, -sin, 0.0, sin, cos)
}

/// Two colors in bands or squares, with a grain.
#[derive(Clone, Debug)]
pub(super) struct Texture {
    pub(super) colors: [V3; 2],
    /// Bands a unit along each axis; 0 for none.
    pub(super) bands: V3,
    /// Where in the noise its grain is, and how fine.
    pub(super) grain: (f64, f64),
}

impl Texture {
    /// Drawn at random about a typical color, channels from 0 to 1.
    pub(super) fn draw(typical: V3, draws: &mut Draws) -> Self {
        let any = V3::new(draws.unit(), draws.unit(), draws.unit());
        let first = typical.lerp(&any, draws.between(0.1, 0.7));
        let second = if draws.unit() < 0.5 {
            first * draws.between(0.35, 0.9)
        } else {
            first.lerp(&V3::new(draws.unit(), draws.unit(), draws.unit()), 0.6)
        };
        let kind = draws.upto(3);
        let step = draws.between(1.0, 7.0);
        let bands = match kind {
            0 => V3::zeros(),
            1 => V3::new(0.0, 0.0, step),
            2 => V3::new(step, 0.0, 0.0),
            _ => V3::repeat(step),
        };
        Self { colors: [first, second], bands, grain: (draws.between(0.0, 1000.0), draws.between(3.0, 25.0)) }
    }

    pub(super) fn at(&self, p: &V3) -> V3 {
        let squares = p.component_mul(&self.bands).map(f64::floor).sum();
        let color = self.colors[usize::from(squares * 0.5 != (squares * 0.5).floor())];
        color * (0.7 + 0.6 * noise(p * self.grain.1 + V3::new(self.grain.0, 0.0, 0.0)))
    }
}

/// A full turn, at random.
pub(super) fn any_turn(draws: &mut Draws) -> f64 {
    draws.between(0.0, TAU)
}
