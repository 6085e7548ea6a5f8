//! Counter-based randomness: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
//! SC 2011).
//!
//! A random value is a pure function of `(seed, stream, step, index)`. There is no generator state, so a
//! checkpoint stores none, the samples do not depend on the number of threads, and a kernel on another device
//! draws the same values: the function needs only 32-bit xor, add and multiply-high (`__umulhi` in CUDA).
//!
//! How the four words fill Philox's counter and key, all 192 bits used and none shared:
//!
//! | word         | content                       |
//! |--------------|-------------------------------|
//! | `counter[0]` | index (ray, cell, weight ...) |
//! | `counter[1]` | step, low 32 bits             |
//! | `counter[2]` | step, high 32 bits            |
//! | `counter[3]` | stream                        |
//! | `key[0]`     | seed, low 32 bits             |
//! | `key[1]`     | seed, high 32 bits            |

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// Weyl increments of the key: the golden ratio and sqrt(3) - 1.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// The Philox4x32-10 block function: 128 random bits from a 128-bit counter and a 64-bit key.
#[inline]
#[must_use]
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        let (hi0, lo0) = mul_hi_lo(MULTIPLIERS[0], c0);
        let (hi1, lo1) = mul_hi_lo(MULTIPLIERS[1], c2);
        (c0, c1, c2, c3) = (hi1 ^ c1 ^ k0, lo1, hi0 ^ c3 ^ k1, lo0);
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    [c0, c1, c2, c3]
}

#[inline]
fn mul_hi_lo(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    ((product >> 32) as u32, product as u32)
}

/// What a random value is for. Two streams never share values, whatever their steps and indices.
///
/// The numbers are part of the checkpoint contract: changing one changes what a resumed run samples.
#[non_exhaustive]
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Which pixels a training batch draws.
    Pixels = 1,
    /// Offsets of the samples along a ray.
    Jitter = 2,
    /// Random background colors.
    Background = 3,
    /// Which occupancy cells are refreshed, and where inside them.
    Occupancy = 4,
    /// Initial weights.
    Init = 5,
    /// Which samples of a batch skip a residual branch.
    DropPath = 6,
    /// Which activations are zeroed.
    Dropout = 7,
    /// The order in which pictures are seen.
    Order = 8,
    /// Which pixels are looked through to find out where light gets to.
    Light = 9,
    /// Random features: the matrices of [EUGen layers](crate::ops::eugen).
    Features = 10,
}

/// The random function of one run: a seed and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rng {
    /// The run's seed.
    pub seed: u64,
}

impl Rng {
    /// The random function of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Four independent words of 32 random bits for this `(stream, step, index)`.
    #[inline]
    #[must_use]
    pub fn bits(self, stream: Stream, step: u64, index: u32) -> [u32; 4] {
        let counter = [index, step as u32, (step >> 32) as u32, stream as u32];
        philox4x32(counter, [self.seed as u32, (self.seed >> 32) as u32])
    }

    /// Four independent uniform values in `[0, 1)` for this `(stream, step, index)`; see [`uniform`].
    #[inline]
    #[must_use]
    pub fn uniform4(self, stream: Stream, step: u64, index: u32) -> [f32; 4] {
        self.bits(stream, step, index).map(uniform)
    }
}

/// A uniform value in `[0, 1)` from the upper 24 of 32 random bits, all that an `f32` holds exactly.
#[inline]
#[must_use]
pub fn uniform(bits: u32) -> f32 {
    const TWO_POW_MINUS_24: f32 = 1.0 / 16_777_216.0;
    (bits >> 8) as f32 * TWO_POW_MINUS_24
}

/// An integer in `0..n` from 32 random bits, by multiply-high (Lemire 2019, without the rejection step).
///
/// Each value's probability differs from `1/n` by less than `2^-32`: for a million pixels a relative bias of
/// at most `2.4e-4`, without a loop whose length would depend on the draw. `n = 0` gives 0.
#[inline]
#[must_use]
pub fn below(bits: u32, n: u32) -> u32 {
    mul_hi_lo(bits, n).0
}

#[cfg(test)]
mod tests {
    use super::{Rng, *};
    use proptest::prelude::{prop_assert, prop_assert_ne, proptest};

    /// The `philox4x32 10` lines of Random123's `kat_vectors`.
    #[test]
    fn known_answers_of_random123() {
        let ones = u32::MAX;
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([ones; 4], [ones; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    /// Pins the packing: a change here would break every resumed run and the CUDA twin.
    #[test]
    fn packing_is_index_step_stream_and_seed() {
        let rng = Rng::new(0x0123_4567_89ab_cdef);
        let expected = philox4x32([7, 0x9abc_def0, 0x1234_5678, 3], [0x89ab_cdef, 0x0123_4567]);
        assert_eq!(rng.bits(Stream::Background, 0x1234_5678_9abc_def0, 7), expected);
    }

    #[test]
    fn uniform_covers_the_half_open_unit_interval() {
        assert_eq!(uniform(0), 0.0);
        assert_eq!(uniform(1 << 31), 0.5);
        assert_eq!(uniform(u32::MAX), 1.0 - 2.0_f32.powi(-24));
    }

    #[test]
    fn moments_and_lanes_look_uniform_and_independent() {
        let rng = Rng::new(1);
        let n = 1 << 16;
        let (mut sum, mut squares, mut cross) = ([0.0; 4], [0.0; 4], 0.0);
        for i in 0..n {
            let u = rng.uniform4(Stream::Jitter, 5, i).map(f64::from);
            for lane in 0..4 {
                sum[lane] += u[lane];
                squares[lane] += u[lane] * u[lane];
            }
            cross += (u[0] - 0.5) * (u[1] - 0.5);
        }
        // Five standard errors of each estimate.
        let n = f64::from(n);
        for lane in 0..4 {
            assert!((sum[lane] / n - 0.5).abs() < 5.0 * (1.0 / 12.0 / n).sqrt());
            assert!((squares[lane] / n - 1.0 / 3.0).abs() < 5.0 * (4.0 / 45.0 / n).sqrt());
        }
        assert!((cross / n).abs() < 5.0 / 12.0 / n.sqrt());
    }

    #[test]
    fn below_reaches_both_ends_and_is_even() {
        assert_eq!(below(0, 10), 0);
        assert_eq!(below(u32::MAX, 10), 9);
        assert_eq!(below(12345, 0), 0);
        let mut counts = [0u32; 7];
        for i in 0..70_000 {
            counts[below(Rng::new(2).bits(Stream::Pixels, 0, i)[0], 7) as usize] += 1;
        }
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 500), "{counts:?}");
    }

    proptest! {
        #[test]
        fn below_is_below(bits: u32, n in 1u32..) {
            prop_assert!(below(bits, n) < n);
        }

        /// Philox is a bijection of the counter, so any change of stream, step or index changes the block.
        #[test]
        fn each_coordinate_matters(seed: u64, step: u64, index: u32) {
            let rng = Rng::new(seed);
            let base = rng.bits(Stream::Pixels, step, index);
            prop_assert_ne!(base, rng.bits(Stream::Jitter, step, index));
            prop_assert_ne!(base, rng.bits(Stream::Pixels, step.wrapping_add(1), index));
            prop_assert_ne!(base, rng.bits(Stream::Pixels, step ^ (1 << 63), index));
            prop_assert_ne!(base, rng.bits(Stream::Pixels, step, index.wrapping_add(1)));
        }
    }
}
