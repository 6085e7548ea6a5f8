//! The demo's world: its objects with their classes and materials, and the light.

use nalgebra::Matrix3;

use super::solid::{Hit, Rod, Solid, TracerRay, V3};
use super::texture::{Pattern, color};

/// Class names; the index is the label, 0 is where the ray meets nothing.
pub(super) const CLASSES: [(&str, [u8; 3]); 10] = [
    ("background", [0, 0, 0]),
    ("ground", [58, 110, 116]),
    ("ball", [231, 98, 62]),
    ("torus", [72, 66, 200]),
    ("brick_box", [170, 80, 56]),
    ("cone", [250, 204, 72]),
    ("log", [120, 90, 60]),
    ("cage", [220, 220, 220]),
    ("pearl", [200, 30, 70]),
    ("ladder", [140, 200, 120]),
];

/// Height of the ground's upper face (world units).
const FLOOR: f64 = -0.3;

/// Color and gloss of a surface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Material {
    pub pattern: Pattern,
    /// Weight of the Blinn-Phong highlight.
    pub specular: f64,
    /// The highlight's exponent is 2 to this power (repeated squaring is exact on every machine).
    pub gloss: u32,
}

/// A placed solid.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub class: u8,
    pub solid: Solid,
    pub material: Material,
    pub centre: V3,
    /// Columns: the solid's axes in the world frame.
    pub axes: Matrix3<f64>,
    /// Radius of the bounding ball around `centre`.
    pub bound: f64,
    /// Radius of the ball that stands for the solid in ambient occlusion; 0 for thin things.
    pub bulk: f64,
}

impl Object {
    /// First hit of a world ray, normal in the world frame.
    pub fn hit(&self, ray: &TracerRay, t_max: f64) -> Option<Hit> {
        let to = self.centre - ray.origin;
        let along = to.dot(&ray.dir);
        let off = to.norm_squared() - along * along;
        if off > self.bound * self.bound || along < -self.bound || along - self.bound > t_max {
            return None;
        }
        let local = TracerRay { origin: self.axes.tr_mul(&-to), dir: self.axes.tr_mul(&ray.dir) };
        self.solid.hit(&local, t_max).map(|(t, n)| (t, self.axes * n))
    }

    /// Linear albedo at a world point with a world normal.
    pub fn albedo(&self, p: &V3, n: &V3) -> V3 {
        let local = self.axes.tr_mul(&(p - self.centre));
        self.material.pattern.albedo(&local, &self.axes.tr_mul(n))
    }
}

/// A square light: shadows are soft because it has a size.
#[derive(Clone, Copy, Debug)]
pub(super) struct AreaLight {
    pub centre: V3,
    /// Half edges of the square.
    pub u: V3,
    pub v: V3,
    pub color: V3,
}

/// The whole scene. The first object is the ground, which casts no shadow: nothing lies below it.
#[derive(Clone, Debug)]
pub(super) struct DemoWorld {
    pub objects: Vec<Object>,
    pub light: AreaLight,
    /// Radius of a ball around the origin that holds everything.
    pub bound: f64,
}

fn matte(pattern: Pattern) -> Material {
    Material { pattern, specular: 0.0, gloss: 0 }
}

fn glossy(pattern: Pattern, specular: f64, gloss: u32) -> Material {
    Material { pattern, specular, gloss }
}

/// Rotation by right-handed turns about x, then z, in degrees.
fn turned(about_x: f64, about_z: f64) -> Matrix3<f64> {
    let (sx, cx) = libm::sincos(about_x.to_radians());
    let (sz, cz) = libm::sincos(about_z.to_radians());
    Matrix3::new(cz, -sz, 0.0, sz, cz, 0.0, 0.0, 0.0, 1.0)
        * Matrix3::new(1.0, 0.0, 0.0, 0.0, cx, -sx, 0.0, sx, cx)
}

fn place(class: u8, solid: Solid, material: Material, centre: V3, axes: Matrix3<f64>, bulk: f64) -> Object {
    let bound = solid.bound() * (1.0 + 1e-9);
    Object { class, solid, material, centre, axes, bound, bulk }
}

/// The twelve edges of a cube and one diagonal brace on each upright face.
fn cage_rods(half: f64, radius: f64) -> Vec<Rod> {
    let corner = |k: usize, z: f64| {
        let (x, y) = [(-half, -half), (half, -half), (half, half), (-half, half)][k % 4];
        V3::new(x, y, z)
    };
    (0..4)
        .flat_map(|k| {
            [
                (corner(k, -half), corner(k + 1, -half)),
                (corner(k, half), corner(k + 1, half)),
                (corner(k, -half), corner(k, half)),
                (corner(k, -half), corner(k + 1, half)),
            ]
        })
        .map(|(a, b)| Rod { a, b, radius })
        .collect()
}

/// Two rails along z and evenly spaced rungs along x.
fn ladder_rods(half_width: f64, half_length: f64, rungs: u32, radius: f64) -> Vec<Rod> {
    let rail = |x: f64| (V3::new(x, 0.0, -half_length), V3::new(x, 0.0, half_length));
    let rung = |k: u32| {
        let z = half_length * (2.0 * (f64::from(k) + 0.5) / f64::from(rungs) - 1.0);
        (V3::new(-half_width, 0.0, z), V3::new(half_width, 0.0, z))
    };
    [rail(-half_width), rail(half_width)]
        .into_iter()
        .chain((0..rungs).map(rung))
        .map(|(a, b)| Rod { a, b, radius })
        .collect()
}

impl DemoWorld {
    /// The one scene; frozen by a checksum test.
    pub fn new() -> Self {
        let on_floor = |x: f64, y: f64, lift: f64| V3::new(x, y, FLOOR + lift);
        let brick = V3::new(0.25, 0.19, 0.35);
        // The ring leans on the log, the ladder on the box's top edge: the numbers make them touch.
        let objects = vec![
            place(
                1,
                Solid::Cylinder { radius: 1.18, half_height: 0.03 },
                matte(Pattern::Tiles { rim: 1.12 }),
                on_floor(0.0, 0.0, -0.03),
                turned(0.0, 0.0),
                0.0,
            ),
            place(
                2,
                Solid::Sphere { radius: 0.33 },
                glossy(Pattern::Swirl { radius: 0.33 }, 0.15, 5),
                on_floor(-0.5, 0.42, 0.33),
                turned(28.0, 40.0),
                0.31,
            ),
            place(
                3,
                Solid::Torus { major: 0.27, minor: 0.095 },
                glossy(Pattern::Plain(color(82, 70, 206)), 0.9, 6),
                on_floor(-0.42, -0.48, 0.2091),
                turned(25.0, -115.0),
                0.2,
            ),
            place(
                4,
                Solid::Cuboid { half: brick },
                matte(Pattern::Bricks { half: brick }),
                on_floor(0.42, 0.48, brick.z),
                turned(0.0, 24.0),
                0.3,
            ),
            place(
                5,
                Solid::Cone { radius: 0.22, height: 0.72 },
                glossy(Pattern::Bands { height: 0.72 }, 0.1, 5),
                on_floor(-0.02, -0.02, 0.36),
                turned(0.0, 0.0),
                0.17,
            ),
            place(
                6,
                Solid::Cylinder { radius: 0.13, half_height: 0.27 },
                matte(Pattern::Wood { half_height: 0.27 }),
                on_floor(-0.0937, -0.6321, 0.13),
                turned(90.0, -25.0),
                0.15,
            ),
            place(
                7,
                Solid::Rods(cage_rods(0.25, 0.016)),
                glossy(Pattern::Plain(color(216, 216, 210)), 0.4, 5),
                on_floor(0.58, -0.42, 0.266),
                turned(0.0, 15.0),
                0.0,
            ),
            place(
                8,
                Solid::Sphere { radius: 0.16 },
                glossy(Pattern::Plain(color(205, 32, 72)), 0.9, 7),
                on_floor(0.58, -0.42, 0.16),
                turned(0.0, 0.0),
                0.16,
            ),
            place(
                9,
                Solid::Rods(ladder_rods(0.09, 0.4, 7, 0.016)),
                matte(Pattern::Plain(color(150, 205, 120))),
                on_floor(0.5597, 0.2155, 0.4),
                turned(-17.0, 24.0),
                0.0,
            ),
        ];
        let light = AreaLight {
            centre: V3::new(2.4, -1.2, 3.6),
            u: V3::new(0.18, 0.36, 0.0),
            v: V3::new(-0.27, 0.135, 0.225),
            color: V3::new(1.0, 0.95, 0.86),
        };
        let bound = objects.iter().map(|o| o.centre.norm() + o.bound).fold(0.0, f64::max);
        Self { objects, light, bound }
    }

    /// The nearest hit: distance, world normal and the object's index.
    pub fn hit(&self, ray: &TracerRay) -> Option<(f64, V3, usize)> {
        let along = ray.origin.dot(&ray.dir);
        if ray.origin.norm_squared() - along * along > self.bound * self.bound {
            return None;
        }
        let mut nearest: Option<(f64, V3, usize)> = None;
        for (index, object) in self.objects.iter().enumerate() {
            let t_max = nearest.map_or(f64::INFINITY, |n| n.0);
            if let Some((t, normal)) = object.hit(ray, t_max) {
                nearest = Some((t, normal, index));
            }
        }
        nearest
    }
}
