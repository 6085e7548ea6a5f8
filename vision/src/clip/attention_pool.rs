//! CLIP's attention pool (Radford et al. 2021, section 2.4), kept spatial as in DenseCLIP (Rao et al. 2022, section 3.2).
//!
//! The mean of a map and its places are tokens with learned positions; each of them attends to all, and is projected into
//! the space of the texts. CLIP itself uses the first alone. Keys: `pos_embed` `(1 + places, channels)`, `qkv`, `proj`.
use nerve_core::graph::{Init, Result, Scope, Tensor, bail, cat, narrow, reshape};
use nerve_core::layers::Linear;
use nerve_core::ops::attention::self_attention;
use serde::{Deserialize, Serialize};

use super::Embedded;
use crate::backbones::grid::Resampling;

/// An attention pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionPoolConfig {
    /// Channels of the map.
    pub channels: usize,
    /// Number of heads.
    pub heads: usize,
    /// Channels of the vectors that it makes.
    pub embed: usize,
    /// Rows and columns of the grid of positions; those of another map are resampled from it, bilinearly.
    pub grid: [usize; 2],
}

impl AttentionPoolConfig {
    /// For any map: heads of 64 channels if there can be such, else of 32 or one.
    #[must_use]
    pub fn new(channels: usize, embed: usize, grid: [usize; 2]) -> Self {
        let heads =
            [64, 32].into_iter().find(|width| channels.is_multiple_of(*width)).map_or(1, |w| channels / w);
        Self { channels, heads: heads.max(1), embed, grid }
    }
}

/// An attention pool.
#[derive(Clone, Debug)]
pub struct AttentionPool {
    config: AttentionPoolConfig,
    positions: Tensor,
    qkv: Linear,
    proj: Linear,
}

impl AttentionPool {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is not consistent, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &AttentionPoolConfig) -> Result<Self> {
        let AttentionPoolConfig { channels, heads, embed, grid: [rows, columns] } = *config;
        if [channels, heads, embed, rows, columns].contains(&0) || !channels.is_multiple_of(heads) {
            bail!(
                "attention pool: {heads} heads, {channels} channels and a grid of {rows} x {columns} are not possible"
            );
        }
        let deviation = (channels as f32).powf(-0.5);
        Ok(Self {
            positions: scope.weight("pos_embed", &[1 + rows * columns, channels], Init::Normal(deviation))?,
            qkv: Linear::new(&scope.at("qkv"), channels, 3 * channels)?,
            proj: Linear::new(&scope.at("proj"), channels, embed)?,
            config: config.clone(),
        })
    }

    /// Vectors of a map `(batch, rows, columns, channels)` and of its places.
    ///
    /// # Errors
    /// If it has other channels.
    pub fn forward(&self, map: &Tensor) -> Result<Embedded> {
        let (batch, rows, columns, channels) = map.dims4()?;
        let AttentionPoolConfig { channels: wanted, heads, embed, grid } = self.config;
        if channels != wanted {
            bail!("attention pool: a map of {channels} channels, not {wanted}");
        }
        let places = reshape(map, (batch, rows * columns, channels))?;
        let tokens = cat(&[&places.mean_keepdim(1)?, &places], 1)?;
        let own = self.positions.narrow(0, 1, grid[0] * grid[1])?.reshape((grid[0], grid[1], channels))?;
        let own = Resampling::Bilinear.resize(&own, [rows, columns])?.reshape((rows * columns, channels))?;
        let positions = Tensor::cat(&[self.positions.narrow(0, 0, 1)?, own], 0)?;
        let scale = ((channels / heads) as f32).powf(-0.5);
        let qkv = self.qkv.forward(&tokens.broadcast_add(&positions)?)?;
        let found = self.proj.forward(&self_attention(&qkv, heads, scale, None)?)?;
        Ok(Embedded {
            global: narrow(&found, 1, 0, 1)?.squeeze(1)?,
            map: reshape(&narrow(&found, 1, 1, rows * columns)?, (batch, rows, columns, embed))?,
        })
    }
}
