//! Procedural color: value noise and the patterns of the scene's materials.

use super::solid::V3;

/// A surface pattern, evaluated in the solid's own frame (world units).
#[derive(Clone, Copy, Debug)]
pub(super) enum Pattern {
    /// One color.
    Plain(V3),
    /// Square floor tiles in two tones with grout, and a bright rim at the given radius.
    Tiles { rim: f64 },
    /// Twisted stripes around z, broken into a checker, on a ball of the given radius.
    Swirl { radius: f64 },
    /// Brick courses on the four walls, a stone slab on the top.
    Bricks { half: V3 },
    /// Spiral bands around z, on a cone of the given height.
    Bands { height: f64 },
    /// Bark and growth rings around z.
    Wood { half_height: f64 },
}

/// A color from its sRGB-like bytes: the tone curve is a square root, so squaring undoes it.
pub(super) fn color(r: u8, g: u8, b: u8) -> V3 {
    V3::new(f64::from(r), f64::from(g), f64::from(b)).map(|c| (c / 255.0) * (c / 255.0))
}

/// A well mixed value in [0, 1) for a lattice cell.
fn cell(x: i64, y: i64, z: i64) -> f64 {
    let mut h = (x as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add((y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
        .wrapping_add((z as u64).wrapping_mul(0x1656_67b1_9e37_79f9));
    h = (h ^ (h >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    h = (h ^ (h >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (h >> 11) as f64 / (1u64 << 53) as f64
}

/// Trilinear value noise with a smooth step, in [0, 1).
pub(super) fn noise(p: V3) -> f64 {
    let base = p.map(f64::floor);
    let f = (p - base).map(|t| t * t * (3.0 - 2.0 * t));
    let (x, y, z) = (base.x as i64, base.y as i64, base.z as i64);
    let edge = |dy: i64, dz: i64| mix(cell(x, y + dy, z + dz), cell(x + 1, y + dy, z + dz), f.x);
    mix(mix(edge(0, 0), edge(1, 0), f.y), mix(edge(0, 1), edge(1, 1), f.y), f.z)
}

fn mix(a: f64, b: f64, t: f64) -> f64 {
    a + (b - a) * t
}

fn fract(x: f64) -> f64 {
    x - x.floor()
}

impl Pattern {
    /// Linear albedo at the surface point `p` with normal `n`, both in the solid's frame.
    pub fn albedo(&self, p: &V3, n: &V3) -> V3 {
        match *self {
            Self::Plain(c) => c,
            Self::Tiles { rim } => tiles(p, n, rim),
            Self::Swirl { radius } => swirl(p, radius),
            Self::Bricks { half } => bricks(p, n, &half),
            Self::Bands { height } => bands(p, height),
            Self::Wood { half_height } => wood(p, half_height),
        }
    }
}

fn tiles(p: &V3, n: &V3, rim: f64) -> V3 {
    if n.z < 0.5 || p.x * p.x + p.y * p.y > rim * rim {
        return color(226, 196, 138);
    }
    const SIZE: f64 = 0.17;
    let (u, v) = (p.x / SIZE + 0.5, p.y / SIZE + 0.5);
    let (i, j) = (u.floor() as i64, v.floor() as i64);
    let (fu, fv) = (fract(u), fract(v));
    if fu.min(fv).min(1.0 - fu).min(1.0 - fv) < 0.05 {
        return color(124, 142, 144);
    }
    let base = if (i + j) & 1 == 0 { color(38, 70, 83) } else { color(58, 110, 116) };
    // Each tile has a tone of its own and a faint cloud in the glaze.
    base * (0.75 + 0.35 * cell(i, j, 7) + 0.3 * noise(V3::new(p.x, p.y, 0.0) * 14.0))
}

fn swirl(p: &V3, radius: f64) -> V3 {
    let turn = libm::atan2(p.y, p.x) / std::f64::consts::TAU;
    let height = p.z / radius;
    let stripe = fract(turn + 0.22 * height) * 12.0;
    let ring = (fract(0.5 + 0.5 * height) * 7.0).floor() as i64;
    let grain = 0.85 + 0.3 * noise(p * (6.0 / radius));
    let tone = match (stripe.floor() as i64 + ring).rem_euclid(4) {
        0 => color(231, 98, 62),
        1 => color(247, 234, 208),
        2 => color(240, 164, 74),
        _ => color(247, 234, 208),
    };
    tone * grain
}

fn bricks(p: &V3, n: &V3, half: &V3) -> V3 {
    const LENGTH: f64 = 0.15;
    const HEIGHT: f64 = 0.07;
    const JOINT: f64 = 0.012;
    if n.z.abs() > 0.5 {
        let edge = (half.x - p.x.abs()).min(half.y - p.y.abs());
        let tone = if edge < 0.04 { color(158, 74, 54) } else { color(205, 190, 170) };
        return tone * (0.8 + 0.35 * noise(p * 22.0));
    }
    let wall = if n.x.abs() > 0.5 { p.y } else { p.x };
    let course = ((p.z + half.z) / HEIGHT).floor();
    let z = p.z + half.z - course * HEIGHT;
    let u = wall / LENGTH + 0.5 * (course - 2.0 * (course * 0.5).floor());
    let x = fract(u) * LENGTH;
    if x < JOINT || z < JOINT {
        return color(214, 200, 182);
    }
    let side = (n.x * 2.0 + n.y) as i64;
    let tone = cell(u.floor() as i64, course as i64, side);
    (color(150, 62, 46) * (1.0 - tone) + color(196, 98, 66) * tone) * (0.85 + 0.3 * noise(p * 40.0))
}

fn bands(p: &V3, height: f64) -> V3 {
    let turn = libm::atan2(p.y, p.x) / std::f64::consts::TAU;
    if fract(p.z / height * 6.0 + turn) < 0.35 { color(40, 44, 74) } else { color(250, 204, 72) }
}

fn wood(p: &V3, half_height: f64) -> V3 {
    let r = (p.x * p.x + p.y * p.y).sqrt();
    if p.z.abs() > half_height - 1e-6 {
        let ring = fract((r + 0.02 * noise(p * 9.0)) * 34.0);
        return color(226, 182, 122) * (0.62 + 0.5 * ring);
    }
    let grain = noise(V3::new(p.x * 34.0, p.y * 34.0, p.z * 5.0));
    color(146, 98, 62) * (0.5 + 0.9 * grain)
}
