//! The head of fully convolutional networks (Long et al. 2015), as UPerNet's auxiliary one.
//!
//! Keys are Hugging Face's (`UperNetFCNHead`): `convs.I`, `conv_cat`, `classifier`.
use nerve_core::graph::{Mode, Result, Scope, Tensor, cat};
use nerve_core::layers::Conv2d;
use serde::{Deserialize, Serialize};

use super::parts::{ConvNorm, conv};

/// The head's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FcnHeadConfig {
    /// Channels of the map it is given.
    pub inputs: usize,
    /// Channels inside the head.
    pub channels: usize,
    /// Number of 3x3 convolutions, at least one.
    pub convs: usize,
    /// Whether one more convolution fuses the map and the last one's output.
    pub concat_input: bool,
    /// The number of classes.
    pub classes: usize,
}

/// The head: a map becomes scores of classes.
#[derive(Clone, Debug)]
pub struct FcnHead {
    convs: Vec<ConvNorm>,
    fusion: Option<ConvNorm>,
    classifier: Conv2d,
}

impl FcnHead {
    /// Finds or makes its variables in the scope.
    ///
    /// # Errors
    /// If variables exist with other shapes.
    pub fn new(scope: &Scope, config: &FcnHeadConfig) -> Result<Self> {
        let FcnHeadConfig { inputs, channels, convs, concat_input, classes } = *config;
        let step = |i: usize| {
            ConvNorm::new(&scope.at("convs").at(i), if i == 0 { inputs } else { channels }, channels, 3)
        };
        let fusion = || ConvNorm::new(&scope.at("conv_cat"), inputs + channels, channels, 3);
        Ok(Self {
            convs: (0..convs.max(1)).map(step).collect::<Result<_>>()?,
            fusion: concat_input.then(fusion).transpose()?,
            classifier: conv(&scope.at("classifier"), channels, classes, 1, true)?,
        })
    }

    /// x is `(batch, height, width, inputs)`; the result is `(batch, height, width, classes)`.
    ///
    /// # Errors
    /// If x has other channels.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut y = x.clone();
        for conv in &self.convs {
            y = conv.forward(&y, mode)?;
        }
        if let Some(fusion) = &self.fusion {
            y = fusion.forward(&cat(&[x, &y], 3)?, mode)?;
        }
        self.classifier.forward(&y)
    }
}
