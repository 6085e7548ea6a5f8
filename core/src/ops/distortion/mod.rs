//! How a ray's weights are spread: among themselves, and around a known distance.
//!
//! **Distortion** (mip-NeRF 360, Barron et al. 2022, equation 15), which pulls the weights w of a ray together and
//! so takes away what floats in front of a surface, for samples at places s with lengths ds on a normalised scale:
//!
//! ```text
//! L = sum_ij w_i w_j |s_i - s_j| + 1/3 sum_i w_i^2 ds_i
//! ```
//!
//! in O(n) by prefix sums, as in DVGO (Sun et al. 2022): places ascend, so with W and S the sums of w and w s in front
//! of i, `sum_ij = 2 sum_i w_i (s_i W_i - S_i)`.
//!
//! **Deviation** from a known place p: `L = sum_i w_i |s_i - p|`, the distance (Wasserstein-1) between the weights
//! and one surface at p. Unlike the error of the mean depth it cannot be met by something in front and something behind.
//!
//! The gradients are those of the weights: `dL/dw_i`, which compositing adds to the worth of a unit of weight.
//!
//! [`DistanceScale`] is the normalised scale: distance up to where steps begin to grow, its logarithm beyond, as marching
//! samples it; 1 is as far as a ray can be in the render box.

mod cpu;
#[cfg(test)]
pub(crate) mod reference;
mod scale;

pub(crate) use cpu::{deviation, distortion};
pub use scale::DistanceScale;

#[cfg(test)]
mod tests;
