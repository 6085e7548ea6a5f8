//! Morton (Z-order) codes of grid cells: neighbors in space stay close in memory.

/// Interleaves the low 10 bits of x, y and z: bit 3i is x's bit i, 3i + 1 y's, 3i + 2 z's.
#[inline]
pub const fn encode([x, y, z]: [u32; 3]) -> u32 {
    spread(x) | spread(y) << 1 | spread(z) << 2
}

/// The cell of a code below 2^30.
#[inline]
pub const fn decode(code: u32) -> [u32; 3] {
    [gather(code), gather(code >> 1), gather(code >> 2)]
}

/// Moves bit i to bit 3i, for the low 10 bits.
#[inline]
pub const fn spread(v: u32) -> u32 {
    let v = v & 0x3ff;
    let v = (v | v << 16) & 0x0300_00ff;
    let v = (v | v << 8) & 0x0300_f00f;
    let v = (v | v << 4) & 0x030c_30c3;
    (v | v << 2) & 0x0924_9249
}

/// Moves bit 3i to bit i.
#[inline]
const fn gather(v: u32) -> u32 {
    let v = v & 0x0924_9249;
    let v = (v | v >> 2) & 0x030c_30c3;
    let v = (v | v >> 4) & 0x0300_f00f;
    let v = (v | v >> 8) & 0x0300_00ff;
    (v | v >> 16) & 0x3ff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, bit by bit.
    fn interleave(cell: [u32; 3]) -> u32 {
        (0..30).filter(|bit| cell[bit % 3] >> (bit / 3) & 1 == 1).map(|bit| 1 << bit).sum()
    }

    #[test]
    fn the_corners_of_a_block_are_its_first_codes() {
        assert_eq!([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]].map(encode), [0, 1, 2, 3, 4]);
        assert_eq!(encode([127; 3]), 128 * 128 * 128 - 1);
    }

    proptest! {
        #[test]
        fn encode_interleaves_and_decode_undoes_it(x in 0u32..1024, y in 0u32..1024, z in 0u32..1024) {
            prop_assert_eq!(encode([x, y, z]), interleave([x, y, z]));
            prop_assert_eq!(decode(encode([x, y, z])), [x, y, z]);
        }
    }
}
