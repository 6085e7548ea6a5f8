//! Marching one ray: cell by cell where there is something, block by block where there is nothing.
//!
//! An empty block is left in the cascade in which it was met, though growing steps may ask for the next coarser
//! one on the way: where the cascades contradict each other, samples of up to four cells behind that change may
//! be skipped. The reference does the same with single cells.

use super::{Bitfield, SIDE, Steps, morton};
use crate::engine::{Ray, Samples};

/// Morton codes of the coordinates of one axis.
const SPREAD: [u32; SIDE] = {
    let mut table = [0; SIDE];
    let mut i = 0;
    while i < SIDE {
        table[i] = morton::spread(i as u32);
        i += 1;
    }
    table
};

/// Appends up to `limit` samples of `ray` at distances from `from` on; returns the distance at which to go on, or
/// infinity if the ray has left the box (`ray.far`).
///
/// It ends, too, where `t + dt` is no longer greater than `t` in f32: so far from its origin (16 million steps) a
/// ray cannot be sampled, and would never get on.
pub fn march(bits: &Bitfield, steps: &Steps, ray: &Ray, from: f32, limit: usize, out: &mut Samples) -> f32 {
    let far = ray.far;
    let inverse = ray.direction.map(|d| 1.0 / if d.abs() < 1e-12 { 1e-12f32.copysign(d) } else { d });
    let single = bits.cascades() == 1;
    let (mut t, mut left) = (from, limit);
    while t < far {
        let dt = steps.at(t);
        let next = t + dt;
        if next <= t {
            break;
        }
        let p: [f32; 3] = std::array::from_fn(|a| ray.origin[a] + t * ray.direction[a] - 0.5);
        let cascade = if single { 0 } else { cascade_of(p, dt, bits.cascades()) };
        // Grid coordinates: cells per unit is SIDE / 2^cascade.
        let cells = SIDE as f32 / (1u32 << cascade) as f32;
        let g: [f32; 3] = p.map(|p| p * cells + (SIDE / 2) as f32);
        let cell = g.map(|g| (g as i32).clamp(0, SIDE as i32 - 1) as usize);
        let code = SPREAD[cell[0]] | SPREAD[cell[1]] << 1 | SPREAD[cell[2]] << 2;
        let word = bits.word(cascade, code as usize);
        if word >> (code & 63) & 1 == 1 {
            if left == 0 {
                return t;
            }
            left -= 1;
            out.push(t, dt);
            t = next;
            continue;
        }
        // Leave the cell, or the whole block if it is empty.
        let size = match word {
            0 if single && bits.block(0, code as usize) == 0 => 16,
            0 => 4,
            _ => 1,
        };
        let mut leave = f32::INFINITY;
        for a in 0..3 {
            let low = cell[a] & !(size - 1);
            let plane = if inverse[a] > 0.0 { low + size } else { low } as f32;
            leave = leave.min((plane - g[a]) * inverse[a]);
        }
        let target = t + leave.max(0.0) / cells;
        if steps.cone == 0.0 {
            // The samples' lattice is t + k dt, whatever is skipped.
            let steps = (target - t) / dt;
            // `ceil` by hand: f32's is a library call on baseline x86-64.
            let whole = steps as i32 as f32;
            t += (if whole < steps { whole + 1.0 } else { whole }).max(1.0) * dt;
        } else {
            t = next;
            while t < target.min(far) {
                let next = t + steps.at(t);
                if next <= t {
                    return f32::INFINITY;
                }
                t = next;
            }
        }
    }
    f32::INFINITY
}

/// The finest cascade that contains the point (relative to the centre) and whose cells are not shorter than `dt`.
/// Both bounds are closed, as in the reference: a point on a cube's face belongs to that cube, and cells of exactly
/// `dt` will do.
#[inline]
fn cascade_of(p: [f32; 3], dt: f32, cascades: usize) -> usize {
    let reach = 2.0 * p[0].abs().max(p[1].abs()).max(p[2].abs());
    let step = dt * SIDE as f32;
    let ceil_log2 = |v: f32| {
        let bits = v.max(1.0).to_bits();
        (bits >> 23) as usize - 127 + usize::from(bits & 0x7f_ffff != 0)
    };
    ceil_log2(reach).max(ceil_log2(step)).min(cascades - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::march::reference;
    use proptest::prelude::*;

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
