//! The two networks: torchvision's AlexNet and VGG16, as far as LPIPS goes.
use std::fmt;

/// A step of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// A convolution with bias, and the ReLU after it.
    Convolution {
        /// torchvision's `features.INDEX`.
        index: usize,
        /// The package's `net.sliceSLICE.INDEX`.
        slice: usize,
        inputs: usize,
        outputs: usize,
        side: usize,
        stride: usize,
        pad: usize,
    },
    /// The largest of a square, without padding.
    Pool { side: usize, stride: usize },
    /// Here images are compared.
    Tap,
}

/// The network that LPIPS looks through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// AlexNet: fast, and the one that papers report unless they say otherwise.
    AlexNet,
    /// VGG16.
    Vgg16,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const fn convolution(index: usize, slice: usize, inputs: usize, outputs: usize, side: usize) -> Layer {
    Layer::Convolution { index, slice, inputs, outputs, side, stride: 1, pad: side / 2 }
}

const ALEXNET: [Layer; 12] = [
    Layer::Convolution { index: 0, slice: 1, inputs: 3, outputs: 64, side: 11, stride: 4, pad: 2 },
    Layer::Tap,
    Layer::Pool { side: 3, stride: 2 },
    convolution(3, 2, 64, 192, 5),
    Layer::Tap,
    Layer::Pool { side: 3, stride: 2 },
    convolution(6, 3, 192, 384, 3),
    Layer::Tap,
    convolution(8, 4, 384, 256, 3),
    Layer::Tap,
    convolution(10, 5, 256, 256, 3),
    Layer::Tap,
];

const HALVE: Layer = Layer::Pool { side: 2, stride: 2 };

const VGG16: [Layer; 22] = [
    convolution(0, 1, 3, 64, 3),
    convolution(2, 1, 64, 64, 3),
    Layer::Tap,
    HALVE,
    convolution(5, 2, 64, 128, 3),
    convolution(7, 2, 128, 128, 3),
    Layer::Tap,
    HALVE,
    convolution(10, 3, 128, 256, 3),
    convolution(12, 3, 256, 256, 3),
    convolution(14, 3, 256, 256, 3),
    Layer::Tap,
    HALVE,
    convolution(17, 4, 256, 512, 3),
    convolution(19, 4, 512, 512, 3),
    convolution(21, 4, 512, 512, 3),
    Layer::Tap,
    HALVE,
    convolution(24, 5, 512, 512, 3),
    convolution(26, 5, 512, 512, 3),
    convolution(28, 5, 512, 512, 3),
    Layer::Tap,
];

impl Network {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AlexNet => "AlexNet",
            Self::Vgg16 => "VGG16",
        }
    }

    /// Images are at least so many pixels wide and high.
    #[must_use]
    pub fn least_side(self) -> usize {
        match self {
            Self::AlexNet => 31,
            Self::Vgg16 => 16,
        }
    }

    pub(super) fn layers(self) -> &'static [Layer] {
        match self {
            Self::AlexNet => &ALEXNET,
            Self::Vgg16 => &VGG16,
        }
    }

    /// Channels at each tap.
    pub(super) fn channels(self) -> [usize; 5] {
        match self {
            Self::AlexNet => [64, 192, 384, 256, 256],
            Self::Vgg16 => [64, 128, 256, 512, 512],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The side after all layers, `None` if something does not fit.
    fn side(network: Network, input: usize) -> Option<usize> {
        network.layers().iter().try_fold(input, |n, layer| match *layer {
            Layer::Convolution { side, stride, pad, .. } => {
                Some((n + 2 * pad).checked_sub(side)? / stride + 1)
            }
            Layer::Pool { side, stride } => Some(n.checked_sub(side)? / stride + 1),
            Layer::Tap => Some(n),
        })
    }

    #[test]
    fn the_layers_fit_together() {
        for network in [Network::AlexNet, Network::Vgg16] {
            let least = network.least_side();
            assert_eq!(side(network, least), Some(1), "{network}");
            assert_eq!(side(network, least - 1), None, "{network}");
            let (mut channels, mut taps) = (3, Vec::new());
            for layer in network.layers() {
                match *layer {
                    Layer::Convolution { inputs, outputs, .. } => {
                        assert_eq!(inputs, channels);
                        channels = outputs;
                    }
                    Layer::Tap => taps.push(channels),
                    Layer::Pool { .. } => {}
                }
            }
            assert_eq!(taps, network.channels());
        }
    }
}
