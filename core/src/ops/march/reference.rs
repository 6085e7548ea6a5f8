//! Marching a ray over a cascaded occupancy bitfield, in f64 (Müller et al. 2022, appendix E).
//!
//! Cascade k covers the cube of side 2^k centered at (0.5, 0.5, 0.5) with G^3 cells; cascade 0 is the unit cube
//! of the field. The render box is the last cascade's cube, of side `aabb_scale`.
//! Steps are `dt(t) = clamp(t * cone_angle, dt_min, dt_max)`. Starting at `max(entry, near) + jitter * dt`, a
//! position whose cell is occupied becomes a sample `(t, dt)` and advances t by dt; an empty cell is left by
//! whole steps. The cell is read in the coarser of two cascades: the smallest one that contains the position,
//! and the smallest one whose cells are not shorter than dt.
//! Lengths are in units of the unit cube's side, directions have length 1, so t is a distance.

use super::morton;

/// Which cells may hold density, for all cascades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitfield {
    resolution: u32,
    cascades: u32,
    words: Vec<u64>,
}

impl Bitfield {
    /// An empty field of `cascades` cascades of `resolution`^3 cells; `resolution` a power of two, 4 to 1024.
    pub fn new(resolution: u32, cascades: u32) -> Self {
        let bits = cascades as usize * (resolution as usize).pow(3);
        Self { resolution, cascades, words: vec![0; bits.div_ceil(64)] }
    }

    /// Position of a cell's bit: cascade by cascade, in Morton order within one.
    fn bit(&self, cascade: u32, cell: [u32; 3]) -> usize {
        cascade as usize * (self.resolution as usize).pow(3) + morton::encode(cell) as usize
    }

    /// Whether a cell is occupied.
    pub fn get(&self, cascade: u32, cell: [u32; 3]) -> bool {
        let bit = self.bit(cascade, cell);
        self.words[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// Marks a cell as occupied or empty.
    pub fn set(&mut self, cascade: u32, cell: [u32; 3], occupied: bool) {
        let bit = self.bit(cascade, cell);
        self.words[bit / 64] &= !(1 << (bit % 64));
        self.words[bit / 64] |= u64::from(occupied) << (bit % 64);
    }

    /// The bits, lowest first in each word.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Lower corner and side of a cell.
    fn bounds(&self, cascade: u32, cell: [u32; 3]) -> ([f64; 3], f64) {
        let side = cube_side(cascade) / f64::from(self.resolution);
        (cell.map(|c| 0.5 - 0.5 * cube_side(cascade) + f64::from(c) * side), side)
    }

    /// The cell of a position in a cascade's cube; its upper faces belong to the last cells.
    fn cell(&self, cascade: u32, position: [f64; 3]) -> [u32; 3] {
        let scale = f64::from(self.resolution) / cube_side(cascade);
        position.map(|p| (((p - 0.5 + 0.5 * cube_side(cascade)) * scale) as u32).min(self.resolution - 1))
    }

    /// The cascade in which a sample of length dt at a position is looked up.
    pub(super) fn cascade(&self, position: [f64; 3], dt: f64) -> u32 {
        let reach = position.iter().map(|p| (p - 0.5).abs()).fold(0.0, f64::max);
        let contains = |k: u32| reach <= 0.5 * cube_side(k);
        let resolves = |k: u32| cube_side(k) / f64::from(self.resolution) >= dt;
        (0..self.cascades).find(|&k| contains(k) && resolves(k)).unwrap_or(self.cascades - 1)
    }
}

fn cube_side(cascade: u32) -> f64 {
    f64::from(1u32 << cascade)
}

/// Where rays are sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// Side of the render box, a power of two; it has `log2(aabb_scale) + 1` cascades.
    pub aabb_scale: u32,
    /// Shortest step.
    pub dt_min: f64,
    /// Longest step.
    pub dt_max: f64,
    /// Growth of the step with distance.
    pub cone_angle: f64,
    /// Nothing is sampled nearer than this.
    pub near: f64,
}

impl Steps {
    /// The default: `dt_min = sqrt(3) / steps_per_unit` (usually 512), `dt_max = aabb_scale dt_min`.
    ///
    /// The shortest step cuts the unit cube's diagonal into `steps_per_unit` parts, the longest cuts the render
    /// box's into as many. In the unit cube steps are constant; in a larger box they grow as t / 256.
    pub fn new(aabb_scale: u32, steps_per_unit: f64, near: f64) -> Self {
        let dt_min = 3f64.sqrt() / steps_per_unit;
        let cone_angle = if aabb_scale <= 1 { 0.0 } else { 1.0 / 256.0 };
        Self { aabb_scale, dt_min, dt_max: dt_min * f64::from(aabb_scale), cone_angle, near }
    }

    /// Cascades of the render box.
    pub fn cascades(&self) -> u32 {
        self.aabb_scale.ilog2() + 1
    }

    /// Length of a step at distance t.
    pub fn dt(&self, t: f64) -> f64 {
        (t * self.cone_angle).clamp(self.dt_min, self.dt_max)
    }
}

/// A sample of a ray.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Distance from the origin.
    pub t: f64,
    /// Length of its step.
    pub dt: f64,
}

/// The distances `(enter, leave)` at which a ray crosses the box, `enter >= 0`; None if it misses.
///
/// A ray that starts inside enters at 0. One that runs within a face touches the box.
pub fn ray_box(origin: [f64; 3], direction: [f64; 3], low: [f64; 3], high: [f64; 3]) -> Option<(f64, f64)> {
    let (mut enter, mut leave) = (0.0f64, f64::INFINITY);
    for axis in 0..3 {
        if direction[axis] == 0.0 {
            // 0 / 0 below would be NaN: parallel rays are inside the slab for ever, or never.
            if origin[axis] < low[axis] || origin[axis] > high[axis] {
                return None;
            }
            continue;
        }
        let a = (low[axis] - origin[axis]) / direction[axis];
        let b = (high[axis] - origin[axis]) / direction[axis];
        enter = enter.max(a.min(b));
        leave = leave.min(a.max(b));
    }
    (enter <= leave).then_some((enter, leave))
}

/// The samples of a ray, front to back; `jitter` in `[0, 1)` shifts the start by a part of a step.
pub fn march(
    field: &Bitfield,
    steps: &Steps,
    origin: [f64; 3],
    direction: [f64; 3],
    jitter: f64,
) -> Vec<Sample> {
    let half = 0.5 * f64::from(steps.aabb_scale);
    let Some((enter, leave)) = ray_box(origin, direction, [0.5 - half; 3], [0.5 + half; 3]) else {
        return Vec::new();
    };
    let mut samples = Vec::new();
    let mut t = enter.max(steps.near);
    t += jitter * steps.dt(t);
    while t < leave {
        let dt = steps.dt(t);
        let position = [0, 1, 2].map(|axis| origin[axis] + t * direction[axis]);
        let cascade = field.cascade(position, dt);
        let cell = field.cell(cascade, position);
        if field.get(cascade, cell) {
            samples.push(Sample { t, dt });
            t += dt;
            continue;
        }
        let (low, side) = field.bounds(cascade, cell);
        let exit = ray_box(origin, direction, low, low.map(|c| c + side)).map_or(t, |(_, leave)| leave);
        // At least one step, also when rounding puts the exit at or behind t.
        loop {
            t += steps.dt(t);
            if t >= exit {
                break;
            }
        }
    }
    samples
}

#[cfg(test)]
mod tests;
