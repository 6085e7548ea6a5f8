//! A scene at random: solids and people on a ground, a light, a camera.
use nalgebra::Matrix3;

use super::CLASSES;
use super::thing::{Texture, Thing, any_turn, turned};
use crate::demo::solid::{Rod, Solid, V3};
use crate::draws::Draws;

/// A scene.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) things: Vec<Thing>,
    pub(super) ground: Texture,
    /// Colors of the sky at the horizon and above.
    pub(super) sky: [V3; 2],
    /// Towards the light, and its color.
    pub(super) light: (V3, V3),
    pub(super) ambient: f64,
    pub(super) eye: V3,
    /// Columns: right, up, back.
    pub(super) axes: Matrix3<f64>,
    /// The tangent of half the angle that the shorter side is seen at.
    pub(super) tangent: f64,
}

/// A color, channels from 0 to 1.
fn color(class: u8) -> V3 {
    V3::from(CLASSES[usize::from(class)].1.map(|byte| f64::from(byte) / 255.0))
}

/// A direction by azimuth and elevation in radians.
fn direction(azimuth: f64, elevation: f64) -> V3 {
    let ((sin, cos), (up, flat)) = (libm::sincos(azimuth), libm::sincos(elevation));
    V3::new(flat * cos, flat * sin, up)
}

impl World {
    /// Draws a scene.
    pub(super) fn draw(draws: &mut Draws) -> Self {
        let mut things = Vec::new();
        let (solids, people) = (2 + draws.upto(4), draws.upto(2));
        let mut places: Vec<(V3, f64)> = Vec::new();
        for object in 1..=(solids + people) as u16 {
            let person = usize::from(object) > solids;
            let size = if person { draws.between(1.1, 1.7) } else { draws.between(0.25, 0.6) };
            let reach = if person { 0.35 * size } else { size };
            let place = free_place(&mut places, reach, draws);
            if person {
                figure(&mut things, object, place, size, draws);
            } else {
                things.push(solid(object, place, size, draws));
            }
        }
        let sky = V3::new(draws.between(0.35, 0.8), draws.between(0.5, 0.8), draws.between(0.6, 0.95));
        let ground = Texture::draw(color(0), draws);
        let light = direction(any_turn(draws), draws.between(0.45, 1.3));
        let warm = V3::new(1.0, draws.between(0.85, 1.0), draws.between(0.7, 1.0)) * draws.between(0.7, 1.1);
        let ambient = draws.between(0.25, 0.5);
        let target = V3::new(draws.between(-0.4, 0.4), draws.between(-0.4, 0.4), draws.between(0.2, 0.7));
        let back = direction(any_turn(draws), draws.between(0.08, 0.75));
        let eye = target + back * draws.between(3.0, 5.5);
        let right = V3::z().cross(&back).normalize();
        Self {
            things,
            ground,
            sky: [sky * 1.1, sky * 0.75],
            light: (light, warm),
            ambient,
            eye,
            axes: Matrix3::from_columns(&[right, back.cross(&right), back]),
            tangent: libm::tan(draws.between(0.33, 0.52)),
        }
    }
}

/// A place where an object of this reach stands free of the others, if a few tries find one.
fn free_place(places: &mut Vec<(V3, f64)>, reach: f64, draws: &mut Draws) -> V3 {
    let mut place = V3::zeros();
    for _ in 0..12 {
        place = direction(any_turn(draws), 0.0) * (1.9 * draws.unit().sqrt());
        if places.iter().all(|(other, far)| (place - other).norm() > 0.85 * (reach + far)) {
            break;
        }
    }
    places.push((place, reach));
    place
}

fn solid(object: u16, place: V3, size: f64, draws: &mut Draws) -> Thing {
    let class = 2 + draws.upto(4) as u8;
    let (a, b) = (draws.between(0.6, 1.0), draws.between(0.6, 1.0));
    let upright = draws.unit() < 0.7;
    // Half its height where it stands, and its tilt.
    let (solid, rest, tilt) = match class {
        2 => (Solid::Sphere { radius: size }, size, 0.0),
        3 => {
            let half = V3::new(size, size * a, size * b);
            (Solid::Cuboid { half }, half.z, 0.0)
        }
        4 => {
            let (radius, half_height) = (0.7 * size * a, size);
            let rest = if upright { half_height } else { radius };
            (Solid::Cylinder { radius, half_height }, rest, if upright { 0.0 } else { 0.25 })
        }
        5 => (Solid::Cone { radius: size * a, height: 2.0 * size * b }, size * b, 0.0),
        _ => {
            let (major, minor) = (0.75 * size, 0.22 * size * a);
            let rest = if upright { major + minor } else { minor };
            (Solid::Torus { major, minor }, rest, if upright { 0.25 } else { 0.0 })
        }
    };
    Thing {
        solid,
        centre: place + V3::new(0.0, 0.0, rest),
        axes: turned(any_turn(draws), tilt * std::f64::consts::TAU),
        class,
        part: 0,
        object,
        texture: Texture::draw(color(class), draws),
    }
}

/// A person of this height: a ball and rods, walking or waving.
fn figure(things: &mut Vec<Thing>, object: u16, place: V3, height: f64, draws: &mut Draws) {
    const CLASS: u8 = 7;
    let axes = turned(any_turn(draws), 0.0);
    let skin = V3::new(0.8, 0.58, 0.45) * draws.between(0.35, 1.1);
    let [skin, shirt, trousers] =
        [skin, color(CLASS), V3::new(0.25, 0.3, 0.5)].map(|typical| Texture::draw(typical, draws));
    let skin = Texture { bands: V3::zeros(), ..skin };
    let mut add = |solid: Solid, centre: V3, part: u8, texture: &Texture| {
        let centre = place + axes * (centre * height);
        things.push(Thing { solid, centre, axes, class: CLASS, part, object, texture: texture.clone() });
    };
    add(Solid::Sphere { radius: 0.085 * height }, V3::new(0.0, 0.0, 0.91), 1, &skin);
    let rod = |a: V3, b: V3, radius: f64| {
        Solid::Rods(vec![Rod { a: a * height, b: b * height, radius: radius * height }])
    };
    let along = |angle: f64, length: f64| {
        let (sin, cos) = libm::sincos(angle);
        V3::new(length * sin, 0.0, -length * cos)
    };
    add(rod(V3::new(0.0, 0.0, 0.5), V3::new(0.0, 0.0, 0.72), 0.1), V3::zeros(), 2, &shirt);
    let stride = draws.between(-0.5, 0.5);
    for side in [-1.0, 1.0] {
        let shoulder = V3::new(0.0, 0.15 * side, 0.76);
        let swing = draws.between(-0.7, 2.2);
        let elbow = shoulder + along(swing, 0.17) + V3::new(0.0, 0.04 * side, 0.0);
        let wrist = elbow + along(swing + draws.between(0.0, 1.2), 0.17);
        add(rod(shoulder, elbow, 0.042), V3::zeros(), 3, &shirt);
        add(rod(elbow, wrist, 0.034), V3::zeros(), 4, &skin);
        let hip = V3::new(0.0, 0.065 * side, 0.46);
        let knee = hip + along(stride * side, 0.22);
        let ankle = knee + along(stride * side - draws.between(0.0, 0.5), 0.2);
        add(rod(hip, knee, 0.058), V3::zeros(), 5, &trousers);
        add(rod(knee, ankle, 0.045), V3::zeros(), 6, &trousers);
    }
}
