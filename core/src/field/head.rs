//! What a field shows along a ray, and what that is compared with.

use super::SlotId;
use crate::ops::loss::{PIXEL, Penalty};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Values of every sample that are composited along the ray: a color, the features of another network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Its name; a channels head's targets are the views' [maps](crate::engine::TrainView) of this name.
    pub name: String,
    /// The slot of its raw values; as many channels as that has columns.
    pub input: SlotId,
    /// From raw values to what is composited.
    pub activation: Activation,
    /// What its composited values are compared with.
    pub loss: HeadLoss,
    /// Weight in the sum of the heads' losses.
    pub weight: f32,
    /// Whether densities hear nothing of its loss through the compositing weights. What its network says to the slots in
    /// front of it is [`MlpSpec::detach`](super::MlpSpec::detach)'s.
    pub detach_density: bool,
}

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `x`.
    Identity,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

/// The loss of a ray (see [`crate::ops::loss`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "penalty", rename_all = "lowercase")]
pub enum HeadLoss {
    /// Three channels against the pixel, both on one background.
    Photometric(Penalty),
    /// Every channel against its target.
    Channels(Penalty),
}

impl Head {
    /// Target values of a ray, of a head with so many channels.
    pub fn targets(&self, channels: usize) -> usize {
        match self.loss {
            HeadLoss::Photometric(_) => PIXEL,
            HeadLoss::Channels(_) => channels,
        }
    }
}

/// The columns of a ray's composited output: the heads' channels, depth, opacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// Of each head.
    pub heads: Vec<Range<usize>>,
    /// Expected distance, not divided by the opacity.
    pub depth: usize,
    /// The opacity.
    pub opacity: usize,
}

impl Outputs {
    pub(super) fn new(channels: impl IntoIterator<Item = usize>) -> Self {
        let heads = ranges(channels);
        let depth = heads.last().map_or(0, |last| last.end);
        Self { heads, depth, opacity: depth + 1 }
    }

    /// All columns.
    pub fn width(&self) -> usize {
        self.opacity + 1
    }
}

/// The columns of a ray's target: the heads' values, and the known distance where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Of each head: of a photometric one the pixel's red, green, blue, alpha and the background's red, green, blue.
    pub heads: Vec<Range<usize>>,
    /// The known distance to what the ray meets, 0 for none; absent where nothing is learned from it.
    pub distance: Option<usize>,
}

impl Targets {
    pub(super) fn new(values: impl IntoIterator<Item = usize>, distance: bool) -> Self {
        let heads = ranges(values);
        let end = heads.last().map_or(0, |last| last.end);
        Self { heads, distance: distance.then_some(end) }
    }

    /// All columns.
    pub fn width(&self) -> usize {
        self.heads.last().map_or(0, |last| last.end) + usize::from(self.distance.is_some())
    }
}

/// Ranges of these lengths, one behind the other.
fn ranges(lengths: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut end = 0;
    let next = |length| {
        end += length;
        end - length..end
    };
    lengths.into_iter().map(next).collect()
}
