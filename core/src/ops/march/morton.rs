//! Morton (Z-order) codes of 3D cells with up to 10 bits per axis.

/// Spreads the low 10 bits of `v` to every third bit.
#[inline]
pub const fn spread(v: u32) -> u32 {
    let mut v = v & 0x3ff;
    v = (v | v << 16) & 0x0300_00ff;
    v = (v | v << 8) & 0x0300_f00f;
    v = (v | v << 4) & 0x030c_30c3;
    (v | v << 2) & 0x0924_9249
}

/// The inverse of [`spread`].
#[inline]
pub const fn compact(v: u32) -> u32 {
    let mut v = v & 0x0924_9249;
    v = (v | v >> 2) & 0x030c_30c3;
    v = (v | v >> 4) & 0x0300_f00f;
    v = (v | v >> 8) & 0x0300_00ff;
    (v | v >> 16) & 0x3ff
}

/// The code of a cell; x varies fastest.
#[inline]
pub const fn encode(x: u32, y: u32, z: u32) -> u32 {
    spread(x) | spread(y) << 1 | spread(z) << 2
}

/// The cell of a code.
#[inline]
pub const fn decode(code: u32) -> [u32; 3] {
    [compact(code), compact(code >> 1), compact(code >> 2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_a_bijection_and_words_are_blocks() {
        for code in 0..1u32 << 18 {
            let [x, y, z] = decode(code);
            assert_eq!(encode(x, y, z), code);
            let [bx, by, bz] = decode(code & !63);
            assert_eq!([x / 4, y / 4, z / 4], [bx / 4, by / 4, bz / 4]);
        }
    }
}
