//! What marching does to a register of rays at a time: places, cells, steps.

use super::{Live, Ray, SIDE, Steps};
use crate::simd::Simd;

/// Lanes of the widest instruction set.
pub(super) const WIDEST: usize = 16;

/// Rays as the loop wants them; lanes without a ray are at their end.
pub(super) struct Lanes {
    pub origin: [[f32; WIDEST]; 3],
    pub direction: [[f32; WIDEST]; 3],
    pub from: [f32; WIDEST],
    pub far: [f32; WIDEST],
}

impl Lanes {
    pub fn new(rays: &[Ray], live: &[Live]) -> Self {
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

/// 1 / d, away from zero.
#[inline(always)]
pub(super) fn invert<S: Simd>(s: S, d: S::F) -> S::F {
    let tiny = s.gt(s.splat(1e-12), s.max(d, s.sub(s.splat(0.0), d)));
    s.div(s.splat(1.0), s.select(tiny, s.splat(1e-12), d))
}

/// A coordinate relative to the center, in cells from the cube's corner.
#[inline(always)]
pub(super) fn to_cells<S: Simd>(s: S, p: S::F, cells: S::F) -> S::F {
    s.fma(p, cells, s.splat((SIDE / 2) as f32))
}

/// The cell along an axis; coordinates outside belong to the cell at the face.
#[inline(always)]
pub(super) fn to_cell<S: Simd>(s: S, g: S::F) -> S::I {
    s.max_i(s.min_i(s.to_int(g), s.splat_i(SIDE as u32 - 1)), s.splat_i(0))
}

/// The steps' lengths at distances `t`.
#[inline(always)]
pub(super) fn steps_at<S: Simd>(s: S, steps: &Steps, t: S::F) -> S::F {
    s.min(s.max(s.mul(t, s.splat(steps.cone)), s.splat(steps.min)), s.splat(steps.max))
}

/// The first distances of the lattices through `t` that are not below `target`, in the lanes that are `alive`;
/// infinity where a step is too short for f32.
#[inline(always)]
pub(super) fn steps_to<S: Simd>(s: S, steps: &Steps, mut t: S::F, target: S::F, alive: S::M) -> S::F {
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
pub(super) fn spread<S: Simd>(s: S, v: S::I) -> S::I {
    let v = s.and_i(s.or_i(v, s.shl_i(v, s.splat_i(8))), s.splat_i(0x0300_f00f));
    let v = s.and_i(s.or_i(v, s.shl_i(v, s.splat_i(4))), s.splat_i(0x030c_30c3));
    s.and_i(s.or_i(v, s.shl_i(v, s.splat_i(2))), s.splat_i(0x0924_9249))
}

/// The lower and upper halves of the words at `index`.
///
/// # Safety
/// Every index is below the number of words.
#[inline(always)]
pub(super) unsafe fn word<S: Simd>(s: S, words: &[u64], index: S::I) -> (S::I, S::I) {
    let first = s.add_i(index, index);
    // SAFETY: the caller's promise; a word is two u32.
    let (a, b) = unsafe {
        let base: *const u32 = words.as_ptr().cast();
        (s.gather_i(base, first), s.gather_i(base.add(1), first))
    };
    if cfg!(target_endian = "big") { (b, a) } else { (a, b) }
}

/// The finest cascade that contains the point (relative to the center) and whose cells are not shorter than `dt`.
/// Both bounds are closed, as in the reference: a point on a cube's face belongs to that cube, and cells of exactly
/// `dt` will do.
#[inline(always)]
pub(super) fn cascade_of<S: Simd>(s: S, p: [S::F; 3], dt: S::F, cascades: usize) -> S::I {
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
    use crate::simd::{Isa, Kernel};
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
