//! One pass over weight, gradient and moments; the gradient is zeroed for the next step.

use super::{Adam, Folded, Lanes};
use crate::simd::{Isa, Kernel, Simd};

/// Updates `w`, `m` and `v` by the gradient `g` at step `t` (the first is 1) and sets `g` to zero.
///
/// # Panics
/// If the slices differ in length.
pub fn update(isa: Isa, adam: &Adam, t: u64, w: &mut [f32], g: &mut [f32], m: &mut [f32], v: &mut [f32]) {
    assert!(w.len() == g.len() && m.len() == w.len() && v.len() == w.len(), "adam: lengths differ");
    isa.run(Update { adam, folded: adam.fold(t), w, g, m, v });
}

struct Update<'a> {
    adam: &'a Adam,
    folded: Folded,
    w: &'a mut [f32],
    g: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [b1, b2] = self.adam.betas;
        let lanes = Lanes::new(s, self.adam, &self.folded);
        let zero = s.splat(0.0);
        let whole = self.w.len() / S::LANES * S::LANES;
        let (w, g) = (self.w.as_mut_ptr(), self.g.as_mut_ptr());
        let (m, v) = (self.m.as_mut_ptr(), self.v.as_mut_ptr());
        let mut i = 0;
        while i < whole {
            // SAFETY: i + LANES <= len, the same for all four.
            unsafe {
                let gi = s.load(g.add(i));
                let live = s.ne(gi, zero);
                if !self.adam.sparse || s.any(live) {
                    let (m0, v0, w0) = (s.load(m.add(i)), s.load(v.add(i)), s.load(w.add(i)));
                    let [w1, m1, v1] = lanes.step(s, gi, [w0, m0, v0]);
                    let keep = |new, old| if self.adam.sparse { s.select(live, new, old) } else { new };
                    s.store(m.add(i), keep(m1, m0));
                    s.store(v.add(i), keep(v1, v0));
                    s.store(w.add(i), keep(w1, w0));
                    s.store(g.add(i), zero);
                }
            }
            i += S::LANES;
        }
        for i in whole..self.w.len() {
            let g = std::mem::take(&mut self.g[i]);
            if self.adam.sparse && g == 0.0 {
                continue;
            }
            self.m[i] = b1 * self.m[i] + (1.0 - b1) * g;
            self.v[i] = b2 * self.v[i] + (1.0 - b2) * g * g;
            let step = self.m[i] / (self.v[i].sqrt() + self.folded.eps);
            self.w[i] = self.folded.keep * self.w[i] - self.folded.rate * step;
        }
    }
}
