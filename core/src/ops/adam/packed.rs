//! Adam with both moments in 32 bits, for large tables: an update waits for memory, and a third of it goes away.
//!
//! The upper half holds m as a bf16, the lower half v, which has no sign, with that bit spent on precision: both are
//! rounded to nearest, with relative errors up to 2^-8 and 2^-9. The weight's step uses the moments before they are
//! rounded. Both moments still decay: a touch takes a tenth of m and a hundredth of v, several units of their last
//! place.

use super::{Adam, Folded, Lanes};
use crate::simd::{Isa, Kernel, Simd};

/// `m` and `v >= 0` in one word.
pub fn pack(m: f32, v: f32) -> u32 {
    (m.to_bits().wrapping_add(0x8000) & 0xffff_0000) | (v.to_bits().wrapping_add(0x4000) >> 15)
}

/// The moments of a word.
pub fn unpack(word: u32) -> (f32, f32) {
    (f32::from_bits(word & 0xffff_0000), f32::from_bits(word << 16 >> 1))
}

/// Updates `w` and the packed `moments` by the gradient `g` at step `t` (the first is 1) and sets `g` to zero.
///
/// # Panics
/// If the slices differ in length.
pub fn update_packed(isa: Isa, adam: &Adam, t: u64, w: &mut [f32], g: &mut [f32], moments: &mut [u32]) {
    assert!(w.len() == g.len() && moments.len() == w.len(), "adam: lengths differ");
    isa.run(Update { adam, folded: adam.fold(t), w, g, moments });
}

struct Update<'a> {
    adam: &'a Adam,
    folded: Folded,
    w: &'a mut [f32],
    g: &'a mut [f32],
    moments: &'a mut [u32],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [b1, b2] = self.adam.betas;
        let lanes = Lanes::new(s, self.adam, &self.folded);
        let zero = s.splat(0.0);
        let (upper, half_m, half_v) = (s.splat_i(0xffff_0000), s.splat_i(0x8000), s.splat_i(0x4000));
        let (one, fifteen, sixteen) = (s.splat_i(1), s.splat_i(15), s.splat_i(16));
        let whole = self.w.len() / S::LANES * S::LANES;
        let (w, g, moments) = (self.w.as_mut_ptr(), self.g.as_mut_ptr(), self.moments.as_mut_ptr());
        let mut i = 0;
        while i < whole {
            // SAFETY: i + LANES <= len, the same for all three.
            unsafe {
                let gi = s.load(g.add(i));
                let live = s.ne(gi, zero);
                if !self.adam.sparse || s.any(live) {
                    let (word, w0) = (s.load_i(moments.add(i)), s.load(w.add(i)));
                    let m0 = s.floats(s.and_i(word, upper));
                    let v0 = s.floats(s.shr_i(s.shl_i(word, sixteen), one));
                    let [w1, m1, v1] = lanes.step(s, gi, [w0, m0, v0]);
                    let m1 = s.and_i(s.add_i(s.bits(m1), half_m), upper);
                    let v1 = s.shr_i(s.add_i(s.bits(v1), half_v), fifteen);
                    let word1 = s.or_i(m1, v1);
                    let (w1, word1) = if self.adam.sparse {
                        (s.select(live, w1, w0), s.select_i(live, word1, word))
                    } else {
                        (w1, word1)
                    };
                    s.store_i(moments.add(i), word1);
                    s.store(w.add(i), w1);
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
            let (m, v) = unpack(self.moments[i]);
            let (m, v) = (b1 * m + (1.0 - b1) * g, b2 * v + (1.0 - b2) * g * g);
            self.moments[i] = pack(m, v);
            self.w[i] = self.folded.keep * self.w[i] - self.folded.rate * m / (v.sqrt() + self.folded.eps);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ops::adam::reference::{self, State};
    use crate::ops::adam::tests::in_f64;
    use crate::ops::check::{TestRng, close, narrow, widen};
    use proptest::prelude::*;

    const ADAM: Adam = Adam { rate: 1e-2, betas: [0.9, 0.99], eps: 1e-15, decay: 0.0, sparse: true };

    proptest! {
        #[test]
        fn packing_rounds_to_nearest(m in -1e4f32..1e4, v in 0f32..1e8, scale in -60i32..0) {
            let (m, v) = (m * (scale as f32 / 4.0).exp2(), v * (scale as f32).exp2());
            let (m1, v1) = unpack(pack(m, v));
            prop_assert!((m1 - m).abs() <= m.abs() / 256.0 && (v1 - v).abs() <= v / 512.0, "{m} {m1} {v} {v1}");
            prop_assert_eq!(pack(m1, v1), pack(m, v));
        }
    }

    #[test]
    fn the_edges_of_the_range_survive() {
        for (m, v) in [(0.0, 0.0), (-0.0, f32::MIN_POSITIVE), (f32::INFINITY, f32::INFINITY)] {
            let (m1, v1) = unpack(pack(m, v));
            assert_eq!((m1.to_bits(), v1.to_bits()), (m.to_bits(), v.to_bits()));
        }
        assert!(unpack(pack(f32::NAN, 0.0)).0.is_nan());
    }

    /// One update is the reference's on what the words hold, every length of tail, on every path.
    #[test]
    fn an_update_is_the_references_with_rounded_moments() {
        for isa in Isa::available() {
            for adam in [ADAM, Adam { sparse: false, decay: 0.1, ..ADAM }] {
                for n in 1..40 {
                    let mut rng = TestRng::new(n as u64);
                    let mut w = narrow(&rng.normals(n, 1.0));
                    let mut words: Vec<u32> =
                        (0..n).map(|_| pack(rng.normal() as f32, rng.uniform(0.1, 1.0) as f32)).collect();
                    let g: Vec<f32> =
                        (0..n).map(|i| if i % 3 == 0 { 0.0 } else { rng.normal() as f32 }).collect();
                    let mut want = State::new(widen(&w));
                    for (i, word) in words.iter().enumerate() {
                        let (m, v) = unpack(*word);
                        (want.m[i], want.v[i]) = (m.into(), v.into());
                    }
                    reference::update(&in_f64(&adam), 7, &mut want, &widen(&g));
                    let mut spent = g.clone();
                    update_packed(isa, &adam, 7, &mut w, &mut spent, &mut words);
                    assert!(spent.iter().all(|g| *g == 0.0));
                    close(&w, &want.w, 1e-6, 1e-6).unwrap();
                    let (m, v): (Vec<f32>, Vec<f32>) = words.iter().map(|w| unpack(*w)).unzip();
                    for (i, (m, v)) in m.iter().zip(&v).enumerate() {
                        assert!(
                            (f64::from(*m) - want.m[i]).abs() <= want.m[i].abs() * 0.00391,
                            "{isa:?} m {i}"
                        );
                        assert!((f64::from(*v) - want.v[i]).abs() <= want.v[i] * 0.00196, "{isa:?} v {i}");
                    }
                }
            }
        }
    }

    /// Over hundreds of noisy steps, the weights go where those of exact moments go.
    #[test]
    fn a_long_run_stays_with_the_exact_one() {
        const N: usize = 512;
        let mut rng = TestRng::new(1);
        let target = narrow(&rng.normals(N, 1.0));
        let run = |packed: bool| {
            let mut noise = TestRng::new(2);
            let (mut w, mut words) = (vec![0.0f32; N], vec![0u32; N]);
            let (mut m, mut v) = (vec![0.0f32; N], vec![0.0f32; N]);
            for t in 1..=800 {
                let adam = Adam { rate: if t < 400 { 1e-2 } else { 1e-3 }, ..ADAM };
                let mut g: Vec<f32> =
                    (0..N).map(|i| w[i] - target[i] + 0.3 * noise.normal() as f32).collect();
                match packed {
                    true => update_packed(Isa::best(), &adam, t, &mut w, &mut g, &mut words),
                    false => super::super::update(Isa::best(), &adam, t, &mut w, &mut g, &mut m, &mut v),
                }
            }
            w.iter().zip(&target).map(|(w, t)| f64::from(w - t).powi(2)).sum::<f64>() / N as f64
        };
        let (packed, exact) = (run(true), run(false));
        assert!(packed < 0.01 && (packed / exact - 1.0).abs() < 0.03, "{packed} {exact}");
    }
}
