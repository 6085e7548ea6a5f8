//! Which instruction sets the processor has, and kernels run on one of them.

use super::Simd;
use std::sync::OnceLock;

/// An instruction set that this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust, four lanes that the compiler maps to what the target's baseline has.
    Scalar,
    /// AVX2 and FMA, eight lanes.
    Avx2,
    /// AVX-512 F, BW, DQ, VL, sixteen lanes.
    Avx512,
}

/// A computation written once over [`Simd`]; mark `run` `#[inline(always)]`.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// The computation.
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

impl Isa {
    /// The best instruction set of this CPU, or what `NERVE_SIMD` narrows it to. Detected once.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let all = Self::available();
            let best = all.last().copied().unwrap_or(Self::Scalar);
            match std::env::var("NERVE_SIMD") {
                Err(_) => best,
                Ok(name) => {
                    all.into_iter().find(|isa| isa.name() == name.to_lowercase()).unwrap_or_else(|| {
                        tracing::warn!("NERVE_SIMD={name} is not available here: using {}", best.name());
                        best
                    })
                }
            }
        })
    }

    /// Everything this CPU can run, slowest first.
    pub fn available() -> Vec<Self> {
        let mut all = vec![Self::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx2() {
                all.push(Self::Avx2);
                if has_avx512() {
                    all.push(Self::Avx512);
                }
            }
        }
        all
    }

    /// `scalar`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Values per register.
    pub fn lanes(self) -> usize {
        match self {
            Self::Scalar => super::Portable::LANES,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Runs `kernel` on this instruction set.
    ///
    /// # Panics
    /// If the CPU lacks it: values other than `Scalar` come from [`Isa::available`] or [`Isa::best`].
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Scalar => kernel.run(super::Portable),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the features are checked right before (std caches the answer in a static).
            Self::Avx2 => unsafe {
                assert!(has_avx2());
                super::avx2::run(kernel)
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 => unsafe {
                assert!(has_avx2() && has_avx512());
                super::avx512::run(kernel)
            },
            #[cfg(not(target_arch = "x86_64"))]
            _ => kernel.run(super::Portable),
        }
    }
}

/// AVX2 and what every CPU with it has, too.
#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Hints that the line at `p` will be read soon (x86-64; a no-op elsewhere). Any address is allowed.
#[inline(always)]
pub fn prefetch<T>(p: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a hint accesses nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(p.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// Makes this thread treat denormal floats as zero (x86-64; a no-op elsewhere): the moments of values that are
/// rarely touched decay into denormals, and each operation on one costs over a hundred cycles.
pub fn flush_denormals() {
    #[cfg(target_arch = "x86_64")]
    {
        let mut csr: u32 = 0;
        // SAFETY: stmxcsr and ldmxcsr access the four bytes of `csr`; setting FTZ (bit 15) and DAZ (bit 6)
        // changes only how this thread rounds denormals.
        unsafe {
            std::arch::asm!("stmxcsr [{}]", in(reg) &mut csr, options(nostack));
            csr |= 0x8040;
            std::arch::asm!("ldmxcsr [{}]", in(reg) &csr, options(nostack));
        }
    }
}
