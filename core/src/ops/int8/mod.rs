//! Products of rows with weights in 8 bits: weights by one scale an output, rows by one scale each, sums in 32 bits.
//!
//! ```text
//! w'[o][i] = round(w[o][i] / s_o),      s_o = max |w[o]| / 127                  -127 to 127
//! x'[i]    = round(x[i] / s) + z,       s = max x / 255, z = 0 where no value is negative, else s = max |x| / 127, z = 128
//! y[o]     = start[o] + (sum over i of x'[i] w'[o][i] - z sum over i of w'[o][i]) (s s_o),  then perhaps ReLU
//! ```
//!
//! Rounding is to the nearest, ties to even. With AVX-512 VNNI four products and their sum are one instruction a lane; the
//! portable twin gives the same bits. Sums of up to [`MOST_INPUTS`] products cannot overflow.
mod cpu;

pub use cpu::{Int8Weights, Kind, product};

/// The most inputs: `2^31 / (255 * 127)`, rounded down to a power of two.
pub const MOST_INPUTS: usize = 1 << 15;

#[cfg(test)]
mod tests;
