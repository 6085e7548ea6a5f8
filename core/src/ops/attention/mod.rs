//! Multi-head attention (Vaswani et al. 2017), over whole sequences or over the windows of a map.
//!
//! ```text
//! s_ij = scale q_i . k_j + bias_ij + mask_ij     p_i = softmax(s_i)     o_i = sum_j p_ij v_j
//! ```
//!
//! For `do`: `dv_j = sum_i p_ij do_i`, `dp_ij = do_i . v_j`, `ds_ij = p_ij (dp_ij - sum_l p_il dp_il)`,
//! `dq_i = scale sum_j ds_ij k_j`, `dk_j = scale sum_i ds_ij q_i`, `dbias_ij = sum ds_ij` over all sets that share it.
//! Scores are computed again in the backward pass, so that nothing of the size `N x N` is ever kept; a few dozen
//! queries are worked on at a time, whose scores stay in the cache.
//!
//! **Windows** (Swin, Liu et al. 2021): the op takes them out of the map and puts results back by itself; there is no
//! rolled, padded or partitioned copy of the map. A map that is not a multiple of the window is padded at the bottom and
//! on the right with tokens whose packed queries, keys and values are `pad` (a model knows what its projection makes of
//! a padded token); they are attended to like others. With a shift the map is rolled up and left by it, and tokens
//! attend only to those of their own region, as Swin's mask says (-100 is added elsewhere).
mod backward;
mod cpu;
mod gather;
mod graph;
mod pattern;
#[cfg(test)]
pub(crate) mod reference;
mod rows;

pub use graph::{Packing, WindowConfig, cross_attention, self_attention, window_attention};

#[cfg(test)]
mod tests;
