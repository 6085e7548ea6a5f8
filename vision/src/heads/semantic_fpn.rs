//! Semantic FPN: a feature pyramid (Lin et al. 2017) whose levels are brought to one size and added (Kirillov et al. 2019,
//! "Panoptic Feature Pyramid Networks", figure 3).
//!
//! In the pyramid each map is projected, the coarser level resized to it (nearest) and added, and the sum smoothed; these
//! convolutions have biases and no norm. Each level then goes through convolutions with batch norm and ReLU, each
//! followed by a bilinear resizing to twice the size, until it has the finest one's; the finest goes through one. Keys:
//! `lateral_convs.I`, `fpn_convs.I`, `scale_heads.I.J`, `classifier`.
use nerve_core::graph::{Mode, Result, Scope, Tensor, bail};
use nerve_core::layers::Conv2d;
use nerve_core::ops::{
    add::add,
    drop_path::dropout,
    resize::{bilinear, nearest},
};
use serde::{Deserialize, Serialize};

use super::Head;
use super::parts::{ConvNorm, conv, size};
use crate::backbones::Level;

/// The head's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SemanticFpnConfig {
    /// Channels and strides of the maps it is given, finest first; each stride is a power of two times the first.
    pub inputs: Vec<Level>,
    /// Channels of the pyramid.
    pub pyramid: usize,
    /// Channels of the levels that are added.
    pub channels: usize,
    /// The number of classes.
    pub classes: usize,
    /// Dropout before the classifier, in training.
    pub dropout: f32,
}

impl SemanticFpnConfig {
    /// As published: 256 channels in the pyramid, 128 after it, dropout 0.1 (mmsegmentation's).
    #[must_use]
    pub fn new(inputs: Vec<Level>, classes: usize) -> Self {
        Self { inputs, pyramid: 256, channels: 128, classes, dropout: 0.1 }
    }
}

/// The head: maps become scores of classes.
#[derive(Clone, Debug)]
pub struct SemanticFpn {
    laterals: Vec<Conv2d>,
    smoothing: Vec<Conv2d>,
    /// Per level, its convolutions, and whether it is enlarged after each.
    scales: Vec<(Vec<ConvNorm>, bool)>,
    classifier: Conv2d,
    dropout: f32,
}

impl SemanticFpn {
    /// Finds or makes its variables in the scope.
    ///
    /// # Errors
    /// If strides are not as they must be, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &SemanticFpnConfig) -> Result<Self> {
        let SemanticFpnConfig { inputs, pyramid, channels, classes, dropout } = config;
        let (pyramid, channels) = (*pyramid, *channels);
        let Some(first) = inputs.first() else { bail!("Semantic FPN: no maps") };
        let mut head = Self {
            laterals: Vec::new(),
            smoothing: Vec::new(),
            scales: Vec::new(),
            classifier: conv(&scope.at("classifier"), channels, *classes, 1, true)?,
            dropout: *dropout,
        };
        for (i, level) in inputs.iter().enumerate() {
            let ratio = level.stride / first.stride.max(1);
            if !ratio.is_power_of_two() || ratio * first.stride != level.stride {
                bail!(
                    "Semantic FPN: strides {} and {}; each must be the first times a power of two",
                    first.stride,
                    level.stride
                );
            }
            let doublings = ratio.trailing_zeros() as usize;
            head.laterals.push(conv(&scope.at("lateral_convs").at(i), level.channels, pyramid, 1, true)?);
            head.smoothing.push(conv(&scope.at("fpn_convs").at(i), pyramid, pyramid, 3, true)?);
            let step = |j: usize| {
                let inputs = if j == 0 { pyramid } else { channels };
                ConvNorm::new(&scope.at("scale_heads").at(i).at(j), inputs, channels, 3)
            };
            head.scales.push(((0..doublings.max(1)).map(step).collect::<Result<_>>()?, doublings > 0));
        }
        Ok(head)
    }
}

impl Head for SemanticFpn {
    fn forward(&self, maps: &[Tensor], mode: Mode) -> Result<Tensor> {
        if maps.len() != self.laterals.len() {
            bail!("Semantic FPN: {} maps, not {}", maps.len(), self.laterals.len());
        }
        let mut above: Option<Tensor> = None;
        let mut sum: Option<Tensor> = None;
        let finest = size(&maps[0])?;
        for (i, x) in maps.iter().enumerate().rev() {
            let mut level = self.laterals[i].forward(x)?;
            if let Some(above) = above {
                level = add(&level, &nearest(&above, size(x)?)?)?;
            }
            let (convs, enlarged) = &self.scales[i];
            let mut y = self.smoothing[i].forward(&level)?;
            for conv in convs {
                y = conv.forward(&y, mode)?;
                if *enlarged {
                    let [height, width] = size(&y)?;
                    y = bilinear(&y, [2 * height, 2 * width], false)?;
                }
            }
            // Sizes that were rounded up have become too large.
            y = bilinear(&y, finest, false)?;
            sum = Some(match sum {
                Some(sum) => add(&sum, &y)?,
                None => y,
            });
            above = Some(level);
        }
        let Some(sum) = sum else { bail!("Semantic FPN: no maps") };
        self.classifier.forward(&dropout(&sum, self.dropout, mode, 0)?)
    }
}
