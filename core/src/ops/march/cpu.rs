//! Marching as many rays at a time as the instruction set has lanes: cell by cell where there is something, block by
//! block where there is nothing.
//!
//! Each step of the loop takes every ray to its next candidate: behind the sample it has found, or out of the empty
//! cell or block it is in. Rays do not see each other, so what comes with them in a register changes nothing.
//!
//! An empty block is left in the cascade in which it was met, though growing steps may ask for the next coarser
//! one on the way: where the cascades contradict each other, samples of up to four cells behind that change may
//! be skipped. The reference does the same with single cells.

use super::{Bitfield, CELLS, SIDE, Steps};
use crate::engine::{CAPACITY, Live, Ray, Staged};
use crate::simd::{Isa, Kernel, Simd};

/// Marches the rays of `live`, each from where it is: appends up to `limit` samples of each to `out`, and sets `from`
/// to the distance at which to go on, or to infinity if the ray has left the box (`ray.far`).
///
/// A ray ends, too, where `t + dt` is no longer greater than `t` in f32: so far from its origin (16 million steps) it
/// cannot be sampled, and would never get on.
///
/// # Panics
/// If `limit` is above [`CAPACITY`], or `live` names a ray that does not exist.
pub fn march(
    isa: Isa,
    bits: &Bitfield,
    steps: &Steps,
    rays: &[Ray],
    live: &mut [Live],
    limit: usize,
    out: &mut Staged,
) {
    assert!(limit <= CAPACITY, "march: {limit} samples are more than a tile holds");
    isa.run(March { bits, steps, rays, live, limit, out });
}

struct March<'a> {
    bits: &'a Bitfield,
    steps: &'a Steps,
    rays: &'a [Ray],
    live: &'a mut [Live],
    limit: usize,
    out: &'a mut Staged,
}

/// Lanes of the widest instruction set.
const WIDEST: usize = 16;

/// Rays as the loop wants them; lanes without a ray are at their end.
struct Lanes {
    origin: [[f32; WIDEST]; 3],
    direction: [[f32; WIDEST]; 3],
    from: [f32; WIDEST],
    far: [f32; WIDEST],
}

impl Lanes {
    fn new(rays: &[Ray], live: &[Live]) -> Self {
        let axes = [[0.0; WIDEST]; 3];
        let mut lanes =
            Self { origin: axes, direction: axes, from: [f32::INFINITY; WIDEST], far: [0.0; WIDEST] };
        for (i, l) in live.iter().enumerate() {
            let ray = &rays[l.ray as usize];
            for axis in 0..3 {
                lanes.origin[axis][i] = ray.origin[axis] - 0.5;
                lanes.direction[axis][i] = ray.direction[axis];
            }
            (lanes.from[i], lanes.far[i]) = (l.from, ray.far);
        }
        lanes
    }
}

impl Kernel for March<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { bits, steps, rays, live, limit, out } = self;
        out.lanes.resize(WIDEST * limit.max(1), 0.0);
        for live in live.chunks_mut(S::LANES) {
            let mut lanes = Lanes::new(rays, live);
            let mut found = [0u32; WIDEST];
            // SAFETY: there is room for `limit` distances of every lane.
            unsafe { several(s, bits, steps, &mut lanes, limit, &mut out.lanes, &mut found) };
            for (i, l) in live.iter_mut().enumerate() {
                let t = &out.lanes[i * limit..i * limit + found[i] as usize];
                out.samples.t.extend_from_slice(t);
                out.samples.dt.extend(t.iter().map(|t| steps.at(*t)));
                out.counts.push(found[i]);
                l.from = lanes.from[i];
            }
        }
    }
}

/// Marches one register of rays: lane i's distances go to `to[i * limit ..]`, their number to `found[i]`, and where
/// to go on to `lanes.from[i]`.
///
/// # Safety
/// `to` holds LANES `limit` values.
#[inline(always)]
unsafe fn several<S: Simd>(
    s: S,
    bits: &Bitfield,
    steps: &Steps,
    lanes: &mut Lanes,
    limit: usize,
    to: &mut [f32],
    found: &mut [u32; WIDEST],
) {
    let single = bits.cascades() == 1;
    let (zero, one, infinity) = (s.splat(0.0), s.splat(1.0), s.splat(f32::INFINITY));
    let (none, unit) = (s.splat_i(0), s.splat_i(1));
    let lane: [u32; WIDEST] = std::array::from_fn(|i| (i * limit) as u32);
    // SAFETY: the arrays have WIDEST values, at least LANES. A cell's index is below the number of cells, and words
    // and blocks are pairs of u32. A lane writes at most `limit` distances.
    unsafe {
        let [x, y, z] = &lanes.origin;
        let origin = [s.load(x.as_ptr()), s.load(y.as_ptr()), s.load(z.as_ptr())];
        let [x, y, z] = &lanes.direction;
        let direction = [s.load(x.as_ptr()), s.load(y.as_ptr()), s.load(z.as_ptr())];
        let inverse = [invert(s, direction[0]), invert(s, direction[1]), invert(s, direction[2])];
        let ahead = [s.gt(inverse[0], zero), s.gt(inverse[1], zero), s.gt(inverse[2], zero)];
        let (mut t, far) = (s.load(lanes.from.as_ptr()), s.load(lanes.far.as_ptr()));
        let first = s.load_i(lane.as_ptr());
        let full = s.add_i(first, s.splat_i(limit as u32));
        let mut place = first;
        let mut alive = s.gt(far, t);
        let mut stopped = s.gt(zero, zero);
        while s.any(alive) {
            let dt = steps_at(s, steps, t);
            let next = s.add(t, dt);
            alive = s.and_m(alive, s.gt(next, t));
            let p = [
                s.fma(t, direction[0], origin[0]),
                s.fma(t, direction[1], origin[1]),
                s.fma(t, direction[2], origin[2]),
            ];
            let cascade = if single { none } else { cascade_of(s, p, dt, bits.cascades()) };
            // Cells per unit is SIDE / 2^cascade.
            let exponent = s.sub_i(s.splat_i(127 + SIDE.ilog2()), cascade);
            let cells = s.floats(s.shl_i(exponent, s.splat_i(23)));
            let size = s.floats(s.shl_i(s.sub_i(s.splat_i(254), exponent), s.splat_i(23)));
            let g = [to_cells(s, p[0], cells), to_cells(s, p[1], cells), to_cells(s, p[2], cells)];
            let cell = [to_cell(s, g[0]), to_cell(s, g[1]), to_cell(s, g[2])];
            let [x, y, z] = [spread(s, cell[0]), spread(s, cell[1]), spread(s, cell[2])];
            let code = s.or_i(x, s.or_i(s.add_i(y, y), s.shl_i(z, s.splat_i(2))));
            let index = s.add_i(code, s.mul_i(cascade, s.splat_i(CELLS as u32)));
            let (low, high) = word(s, bits.words(), s.shr_i(index, s.splat_i(6)));
            let upper = s.eq_i(s.and_i(code, s.splat_i(32)), none);
            let bit = s.shr_i(s.select_i(upper, low, high), s.and_i(code, s.splat_i(31)));
            let occupied = s.and_m(s.eq_i(s.and_i(bit, unit), unit), alive);
            // Samples.
            let no_room = s.and_m(occupied, s.eq_i(place, full));
            let sample = s.and_m(occupied, s.not_m(no_room));
            s.scatter(to.as_mut_ptr(), place, t, sample);
            place = s.add_i(place, s.select_i(sample, unit, none));
            stopped = s.or_m(stopped, no_room);
            // Behind the sample, or out of the cell, or of the block that is empty.
            let mut around = s.splat_i(1);
            let empty = s.eq_i(s.or_i(low, high), none);
            if s.any(empty) {
                around = s.select_i(empty, s.splat_i(4), around);
                if single {
                    let (low, high) = word(s, bits.blocks(), s.shr_i(index, s.splat_i(12)));
                    around = s.select_i(s.eq_i(s.or_i(low, high), none), s.splat_i(16), around);
                }
            }
            let corner = s.sub_i(none, around);
            let mut leave = infinity;
            for a in 0..3 {
                let plane = s.add_i(s.and_i(cell[a], corner), s.select_i(ahead[a], around, none));
                // In this order `min` passes over what is not a number.
                leave = s.min(s.mul(s.sub(s.to_float(plane), g[a]), inverse[a]), leave);
            }
            let target = s.fma(s.max(leave, zero), size, t);
            let skipped = if steps.cone == 0.0 {
                // The samples' lattice is t + k dt, whatever is skipped.
                let whole = s.floor(s.div(s.sub(t, target), dt));
                s.fma(s.max(s.sub(zero, whole), one), dt, t)
            } else {
                steps_to(s, steps, next, s.min(target, far), alive)
            };
            alive = s.and_m(alive, s.not_m(no_room));
            t = s.select(alive, s.select(sample, next, skipped), t);
            alive = s.and_m(alive, s.gt(far, t));
        }
        let from = s.select(stopped, t, infinity);
        s.store(lanes.from.as_mut_ptr(), from);
        s.store_i(found.as_mut_ptr(), s.sub_i(place, first));
    }
}

/// 1 / d, away from zero.
#[inline(always)]
fn invert<S: Simd>(s: S, d: S::F) -> S::F {
    let tiny = s.gt(s.splat(1e-12), s.max(d, s.sub(s.splat(0.0), d)));
    s.div(s.splat(1.0), s.select(tiny, s.splat(1e-12), d))
}

/// A coordinate relative to the centre, in cells from the cube's corner.
#[inline(always)]
fn to_cells<S: Simd>(s: S, p: S::F, cells: S::F) -> S::F {
    s.fma(p, cells, s.splat((SIDE / 2) as f32))
}

/// The cell along an axis; coordinates outside belong to the cell at the face.
#[inline(always)]
fn to_cell<S: Simd>(s: S, g: S::F) -> S::I {
    s.max_i(s.min_i(s.to_int(g), s.splat_i(SIDE as u32 - 1)), s.splat_i(0))
}

/// The steps' lengths at distances `t`.
#[inline(always)]
fn steps_at<S: Simd>(s: S, steps: &Steps, t: S::F) -> S::F {
    s.min(s.max(s.mul(t, s.splat(steps.cone)), s.splat(steps.min)), s.splat(steps.max))
}

/// The first distances of the lattices through `t` that are not below `target`, in the lanes that are `alive`;
/// infinity where a step is too short for f32.
#[inline(always)]
fn steps_to<S: Simd>(s: S, steps: &Steps, mut t: S::F, target: S::F, alive: S::M) -> S::F {
    let mut short = s.and_m(alive, s.gt(target, t));
    while s.any(short) {
        let next = s.add(t, steps_at(s, steps, t));
        let next = s.select(s.gt(next, t), next, s.splat(f32::INFINITY));
        t = s.select(short, next, t);
        short = s.and_m(short, s.gt(target, t));
    }
    t
}

/// Moves bit i to bit 3 i, for values below 128.
#[inline(always)]
fn spread<S: Simd>(s: S, v: S::I) -> S::I {
    let v = s.and_i(s.or_i(v, s.shl_i(v, s.splat_i(8))), s.splat_i(0x0300_f00f));
    let v = s.and_i(s.or_i(v, s.shl_i(v, s.splat_i(4))), s.splat_i(0x030c_30c3));
    s.and_i(s.or_i(v, s.shl_i(v, s.splat_i(2))), s.splat_i(0x0924_9249))
}

/// The lower and upper halves of the words at `index`.
///
/// # Safety
/// Every index is below the number of words.
#[inline(always)]
unsafe fn word<S: Simd>(s: S, words: &[u64], index: S::I) -> (S::I, S::I) {
    let first = s.add_i(index, index);
    // SAFETY: the caller's promise; a word is two u32.
    let (a, b) = unsafe {
        let base: *const u32 = words.as_ptr().cast();
        (s.gather_i(base, first), s.gather_i(base.add(1), first))
    };
    if cfg!(target_endian = "big") { (b, a) } else { (a, b) }
}

/// The finest cascade that contains the point (relative to the centre) and whose cells are not shorter than `dt`.
/// Both bounds are closed, as in the reference: a point on a cube's face belongs to that cube, and cells of exactly
/// `dt` will do.
#[inline(always)]
fn cascade_of<S: Simd>(s: S, p: [S::F; 3], dt: S::F, cascades: usize) -> S::I {
    let zero = s.splat(0.0);
    let largest = s.max(s.max(p[0], p[1]), p[2]);
    let smallest = s.min(s.min(p[0], p[1]), p[2]);
    let reach = s.mul(s.splat(2.0), s.max(largest, s.sub(zero, smallest)));
    // Not a number only in lanes that have ended; `max` takes its second value then.
    let size = s.max(s.max(reach, s.mul(dt, s.splat(SIDE as f32))), s.splat(1.0));
    // The exponent, rounded up.
    let up = s.shr_i(s.add_i(s.bits(size), s.splat_i(0x7f_ffff)), s.splat_i(23));
    s.min_i(s.sub_i(up, s.splat_i(127)), s.splat_i(cascades as u32 - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::march::reference;
    use proptest::prelude::*;

    struct CascadeOf([f32; 3], f32, usize);

    impl Kernel for CascadeOf {
        type Output = usize;

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> usize {
            let mut lanes = [0; WIDEST];
            let cascade = super::cascade_of(s, self.0.map(|p| s.splat(p)), s.splat(self.1), self.2);
            // SAFETY: WIDEST is at least LANES.
            unsafe { s.store_i(lanes.as_mut_ptr(), cascade) };
            assert!(lanes[..S::LANES].iter().all(|c| *c == lanes[0]));
            lanes[0] as usize
        }
    }

    fn cascade_of(p: [f32; 3], dt: f32, cascades: usize) -> usize {
        let all: Vec<usize> =
            Isa::available().into_iter().map(|isa| isa.run(CascadeOf(p, dt, cascades))).collect();
        assert!(all.iter().all(|c| *c == all[0]), "{all:?}");
        all[0]
    }

    /// Faces and cell sizes are powers of two: points and steps on them are exact on both sides.
    #[test]
    fn closed_faces_belong_to_the_finer_cascade() {
        let field = reference::Bitfield::new(SIDE as u32, 4);
        for (reach, size) in [(0.25, 0), (0.5, 0), (1.0, 1), (2.0, 2), (4.0, 3), (9.0, 3)] {
            for axis in 0..3 {
                let mut p = [0.1f32; 3];
                p[axis] = -reach;
                assert_eq!(cascade_of(p, 1e-3, 4), size, "{p:?}");
                assert_eq!(field.cascade(p.map(|p| f64::from(p) + 0.5), 1e-3), size as u32);
            }
            let dt = 2.0 * reach / SIDE as f32;
            assert_eq!(cascade_of([0.1; 3], dt, 4), size, "{dt}");
            assert_eq!(field.cascade([0.6; 3], dt.into()), size as u32);
        }
    }

    proptest! {
        #[test]
        fn the_cascade_is_the_references(
            p in prop::array::uniform3(-5.0f32..5.0), dt in 0.0f32..0.1, cascades in 1usize..5,
        ) {
            let field = reference::Bitfield::new(SIDE as u32, cascades as u32);
            let want = field.cascade(p.map(|p| f64::from(p) + 0.5), dt.into());
            prop_assert_eq!(cascade_of(p, dt, cascades), want as usize);
        }
    }
}
