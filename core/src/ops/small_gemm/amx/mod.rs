//! Products of bf16 values with f32 sums on Intel's AMX tiles: 16 x 16 x 32 multiply-adds per instruction.
//!
//! Operands stay f32 in memory. The left one is rounded (to nearest even) on its way into a tile, sixteen rows at a
//! time; weights are rounded and laid out once per step ([`Packed`]). A weight's gradient sums over samples, so both
//! of its operands are rounded and paired sample by sample, and one of them is transposed in registers.

mod outer;
mod product;
#[cfg(test)]
mod tests;

pub use outer::outer;
pub use product::product;

use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::sync::OnceLock;

/// Rows and columns of a tile's f32 sums.
const SIDE: usize = 16;
/// Values along the depth of one instruction.
const DEEP: usize = 32;
use super::MOST_BF16_DEPTH as MOST;

/// The right operand of a product, rounded to bf16: tiles of 16 pairs along the depth by 16 columns.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    tiles: Vec<u32>,
    depth: usize,
    columns: usize,
}

impl Packed {
    /// Packs `k x n` values with row stride `ld`; `n` is rounded up to whole tiles, `k` to 32, with zeros.
    pub fn pack(&mut self, values: &[f32], ld: usize, k: usize, n: usize) {
        (self.depth, self.columns) = (k.div_ceil(DEEP), n.div_ceil(SIDE));
        self.tiles.clear();
        self.tiles.resize(self.depth * self.columns * SIDE * SIDE, 0);
        for i in 0..k {
            for j in 0..n {
                let tile = (i / DEEP) * self.columns + j / SIDE;
                let at = (tile * SIDE + i % DEEP / 2) * SIDE + j % SIDE;
                self.tiles[at] |= u32::from(round(values[i * ld + j])) << (16 * (i & 1));
            }
        }
    }
}

/// The bf16 nearest to `v`, ties to even.
fn round(v: f32) -> u16 {
    let bits = v.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// Whether this CPU has AMX and AVX-512 with bf16, and the system lets this process use it.
pub fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| is_x86_feature_detected!("avx512bf16") && has_amx_bf16() && permitted())
}

fn has_amx_bf16() -> bool {
    let leaf = __cpuid_count(7, 0);
    // Bits 22 (AMX-BF16) and 24 (AMX-TILE) of EDX; the system must have enabled XTILE state too, which
    // `permitted` finds out.
    __cpuid(0).eax >= 7 && leaf.edx >> 22 & 1 == 1 && leaf.edx >> 24 & 1 == 1
}

#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: i32 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    // SAFETY: asks the kernel for a permission; no memory is involved.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// All eight tiles: 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Config([u8; 64]);

const CONFIG: Config = {
    let mut c = [0; 64];
    c[0] = 1;
    let mut t = 0;
    while t < 8 {
        c[16 + 2 * t] = 64;
        c[48 + t] = SIDE as u8;
        t += 1;
    }
    Config(c)
};
