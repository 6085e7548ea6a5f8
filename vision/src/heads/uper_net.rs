//! UPerNet's head (Xiao et al. 2018): pooled context of the coarsest map, a feature pyramid, and their fusion.
//!
//! The coarsest map is pooled to grids of a few sizes, each projected and resized back, and fused with the map (as in
//! PSPNet). That and the projections of the finer maps are added up from coarse to fine; the sums are smoothed, resized to
//! the finest map's size and fused. Keys are Hugging Face's (`UperNetHead`): `psp_modules.I.1`, `bottleneck`,
//! `lateral_convs.I`, `fpn_convs.I`, `fpn_bottleneck`, `classifier`. All resizing is bilinear with corners not aligned.
use nerve_core::graph::{Mode, Result, Scope, Tensor, bail, cat};
use nerve_core::layers::Conv2d;
use nerve_core::ops::{add::add, pool::adaptive_avg_pool2d, resize::bilinear};
use serde::{Deserialize, Serialize};

use super::Head;
use super::parts::{ConvNorm, conv, size};

/// The head's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UperNetHeadConfig {
    /// Channels of the maps it is given, finest first.
    pub inputs: Vec<usize>,
    /// Channels inside the head.
    pub channels: usize,
    /// Sides of the grids that the coarsest map is pooled to.
    pub pool_scales: Vec<usize>,
    /// The number of classes.
    pub classes: usize,
}

/// The head: maps become scores of classes.
#[derive(Clone, Debug)]
pub struct UperNetHead {
    pools: Vec<(usize, ConvNorm)>,
    bottleneck: ConvNorm,
    laterals: Vec<ConvNorm>,
    smoothing: Vec<ConvNorm>,
    fusion: ConvNorm,
    classifier: Conv2d,
}

impl UperNetHead {
    /// Finds or makes its variables in the scope.
    ///
    /// # Errors
    /// If there is no input, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &UperNetHeadConfig) -> Result<Self> {
        let UperNetHeadConfig { inputs, channels, pool_scales, classes } = config;
        let channels = *channels;
        let Some((coarsest, finer)) = inputs.split_last() else { bail!("UPerNet: no maps") };
        if channels == 0 || *classes == 0 || pool_scales.contains(&0) {
            bail!(
                "UPerNet: {channels} channels, pools of {pool_scales:?} and {classes} classes are not possible"
            );
        }
        let psp = scope.at("psp_modules");
        let pools = pool_scales.iter().enumerate();
        let pools = pools
            .map(|(i, scale)| Ok((*scale, ConvNorm::new(&psp.at(i).at(1), *coarsest, channels, 1)?)))
            .collect::<Result<_>>()?;
        let pooled = coarsest + pool_scales.len() * channels;
        let lateral =
            |(i, n): (usize, &usize)| ConvNorm::new(&scope.at("lateral_convs").at(i), *n, channels, 1);
        let smooth = |i: usize| ConvNorm::new(&scope.at("fpn_convs").at(i), channels, channels, 3);
        Ok(Self {
            pools,
            bottleneck: ConvNorm::new(&scope.at("bottleneck"), pooled, channels, 3)?,
            laterals: finer.iter().enumerate().map(lateral).collect::<Result<_>>()?,
            smoothing: (0..finer.len()).map(smooth).collect::<Result<_>>()?,
            fusion: ConvNorm::new(&scope.at("fpn_bottleneck"), inputs.len() * channels, channels, 3)?,
            classifier: conv(&scope.at("classifier"), channels, *classes, 1, true)?,
        })
    }

    /// The coarsest map with its pooled context.
    fn context(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut parts = vec![x.clone()];
        for (scale, project) in &self.pools {
            let pooled = project.forward(&adaptive_avg_pool2d(x, [*scale; 2])?, mode)?;
            parts.push(bilinear(&pooled, size(x)?, false)?);
        }
        self.bottleneck.forward(&cat(&parts.iter().collect::<Vec<_>>(), 3)?, mode)
    }
}

impl Head for UperNetHead {
    fn forward(&self, maps: &[Tensor], mode: Mode) -> Result<Tensor> {
        let Some((coarsest, finer)) = maps.split_last() else { bail!("UPerNet: no maps") };
        if finer.len() != self.laterals.len() {
            bail!("UPerNet: {} maps, not {}", maps.len(), self.laterals.len() + 1);
        }
        // From coarse to fine.
        let mut sum = self.context(coarsest, mode)?;
        let mut levels = vec![sum.clone()];
        for ((x, lateral), smooth) in finer.iter().zip(&self.laterals).zip(&self.smoothing).rev() {
            sum = add(&lateral.forward(x, mode)?, &bilinear(&sum, size(x)?, false)?)?;
            levels.push(smooth.forward(&sum, mode)?);
        }
        let finest = size(&maps[0])?;
        let levels = levels.iter().rev().map(|level| bilinear(level, finest, false));
        let levels = levels.collect::<Result<Vec<_>>>()?;
        let fused = self.fusion.forward(&cat(&levels.iter().collect::<Vec<_>>(), 3)?, mode)?;
        self.classifier.forward(&fused)
    }
}
