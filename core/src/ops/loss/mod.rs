//! What a composited ray costs against what is known of its pixel, before the division by the number of rays.
//!
//! **Photometric**: the ray's color and the pixel's (straight alpha) are composited on the same background,
//! `p_c = value_c + (1 - opacity) b_c`, `q_c = a rgb_c + (1 - a) b_c`; the loss is the mean over the three channels of
//! a [`Penalty`] of `p_c - q_c`. With random backgrounds the opacity learns the alpha channel.
//!
//! **Channels**: the mean over the channels of a penalty of `value_c - target_c`.

mod cpu;
#[cfg(test)]
pub(crate) mod reference;

pub use cpu::{HUBER_DELTA, PIXEL, Penalty, channels, photometric};

#[cfg(test)]
mod tests;
