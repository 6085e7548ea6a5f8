//! Marching as many rays at a time as the instruction set has lanes: cell by cell where there is something, block by
//! block where there is nothing.
//!
//! Each step of the loop takes every ray to its next candidate: behind the sample it has found, or out of the empty
//! cell or block it is in. Rays do not see each other, so what comes with them in a register changes nothing.
//!
//! An empty block is left in the cascade in which it was met, though growing steps may ask for the next coarser
//! one on the way: where the cascades contradict each other, samples of up to four cells behind that change may
//! be skipped. The reference does the same with single cells.

use super::lanes::{Lanes, WIDEST, cascade_of, invert, spread, steps_at, steps_to, to_cell, to_cells, word};
use super::{Bitfield, CELLS, Live, MOST_SAMPLES, Ray, SIDE, Staged, Steps};
use crate::simd::{Isa, Kernel, Simd};

/// Marches the rays of `live`, each from where it is: appends up to `limit` samples of each to `out`, and sets `from`
/// to the distance at which to go on, or to infinity if the ray has left the box (`ray.far`).
///
/// A ray ends, too, where `t + dt` is no longer greater than `t` in f32: so far from its origin (16 million steps) it
/// cannot be sampled, and would never get on.
///
/// # Panics
/// If `limit` is above [`MOST_SAMPLES`], or `live` names a ray that does not exist.
pub fn march(
    isa: Isa,
    bits: &Bitfield,
    steps: &Steps,
    rays: &[Ray],
    live: &mut [Live],
    limit: usize,
    out: &mut Staged,
) {
    assert!(limit <= MOST_SAMPLES, "march: {limit} samples at a time");
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
            let lower = s.eq_i(s.and_i(code, s.splat_i(32)), none);
            let bit = s.shr_i(s.select_i(lower, low, high), s.and_i(code, s.splat_i(31)));
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
