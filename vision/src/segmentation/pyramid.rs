//! Maps of several strides from a plain vision transformer's, which all have one.
//!
//! As in the UPerNet of BEiT and MAE (Bao et al. 2022, He et al. 2022): the maps of four depths are brought to strides
//! 4, 8, 16 and 32 by two transposed convolutions of 2x2 with batch norm and GELU between them, one such convolution,
//! nothing, and the largest of 2x2 values. Patches whose side is no multiple of 4 (DINOv2's 14) give strides of half
//! a patch, a patch, a patch and two.
//!
//! A transposed convolution whose stride is its kernel is a linear map to the four cells that one becomes: keys
//! `I.J.up.{weight,bias}` with `(4 channels, channels)`, and `I.J.norm` between two. DenseCLIP's maps, which come
//! without the transformer's last norm, have a norm of their own, `I.norm`.
use nerve_core::graph::{DType, Init, Mode, Result, Scope, Tensor, bail, permute, reshape};
use nerve_core::layers::{BatchNorm2d, LayerNorm, Linear};
use nerve_core::ops::gelu::Form;
use nerve_core::ops::pool::max_pool2d;

use crate::backbones::Level;

/// Maps that a pyramid is made of.
const MAPS: usize = 4;

/// A transposed convolution of 2x2 with a stride of two.
#[derive(Clone, Debug)]
struct Up(Linear);

impl Up {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, rows, columns, channels) = x.dims4()?;
        let cells = reshape(&self.0.forward(x)?, vec![batch, rows, columns, 2, 2, channels])?;
        reshape(&permute(&cells, &[0, 1, 3, 2, 4, 5])?, (batch, 2 * rows, 2 * columns, channels))
    }
}

/// How one map is rescaled.
#[derive(Clone, Debug)]
enum Rescale {
    Same,
    Double(Up),
    Quadruple(Up, BatchNorm2d, Up),
    Half,
}

/// Normalization of a whole map, all channels together (a group norm of one group), then a factor and a summand a channel;
/// keys `weight` and `bias`.
#[derive(Clone, Debug)]
struct MapNorm {
    weight: Tensor,
    bias: Tensor,
}

impl MapNorm {
    fn new(scope: &Scope, channels: usize) -> Result<Self> {
        let weight = scope.weight("weight", &[channels], Init::Constant(1.0))?;
        Ok(Self { weight, bias: scope.weight("bias", &[channels], Init::Constant(0.0))? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, rows, columns, channels) = x.dims4()?;
        let n = rows * columns * channels;
        let (one, zero) =
            (Tensor::ones(n, DType::F32, x.device())?, Tensor::zeros(n, DType::F32, x.device())?);
        let y = LayerNorm::from_tensors(one, zero, 1e-5)?.forward(&reshape(x, (batch, n))?)?;
        reshape(&y, (batch, rows, columns, channels))?.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}

/// The pyramid.
#[derive(Clone, Debug)]
pub(super) struct Pyramid {
    /// Of maps that come without a norm: DenseCLIP's.
    norms: Vec<MapNorm>,
    rescales: [Rescale; MAPS],
    levels: Vec<Level>,
}

impl Pyramid {
    /// For the maps of a transformer with this patch; `normed` puts a norm before each.
    ///
    /// # Errors
    /// If there are not four, or variables exist with other shapes.
    pub(super) fn new(scope: &Scope, maps: &[Level], normed: bool) -> Result<Self> {
        let [Level { channels, stride: patch }, _, _, _] = *maps else {
            bail!("a pyramid is made of {MAPS} maps, not {}", maps.len());
        };
        let up = |i: usize, j: usize| {
            let scope = scope.at(i).at(j);
            Ok::<_, nerve_core::graph::Error>(Up(Linear::new(&scope.at("up"), channels, 4 * channels)?))
        };
        let (rescales, strides) = if patch.is_multiple_of(4) {
            let norm = BatchNorm2d::new(&scope.at(0).at(0).at("norm"), channels, 1e-5, 0.1)?;
            let first = Rescale::Quadruple(up(0, 0)?, norm, up(0, 1)?);
            let rescales = [first, Rescale::Double(up(1, 0)?), Rescale::Same, Rescale::Half];
            (rescales, [patch / 4, patch / 2, patch, 2 * patch])
        } else {
            let rescales = [Rescale::Double(up(0, 0)?), Rescale::Same, Rescale::Same, Rescale::Half];
            (rescales, [patch / 2, patch, patch, 2 * patch])
        };
        let norm = |i: usize| MapNorm::new(&scope.at(i).at("norm"), channels);
        let norms = (0..if normed { MAPS } else { 0 }).map(norm).collect::<Result<_>>()?;
        Ok(Self { norms, rescales, levels: strides.map(|stride| Level { channels, stride }).to_vec() })
    }

    /// The maps that heads are given.
    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Each map is `(batch, rows, columns, channels)`, all of one size.
    ///
    /// # Errors
    /// If they have other channels.
    pub(super) fn forward(&self, maps: &[Tensor], mode: Mode) -> Result<Vec<Tensor>> {
        let rescale = |(i, (x, rescale)): (usize, (&Tensor, &Rescale))| {
            let x = &match self.norms.get(i) {
                Some(norm) => norm.forward(x)?,
                None => x.clone(),
            };
            match rescale {
                Rescale::Same => Ok(x.clone()),
                Rescale::Double(up) => up.forward(x),
                Rescale::Quadruple(first, norm, second) => {
                    second.forward(&norm.forward_gelu(&first.forward(x)?, mode, Form::Exact)?)
                }
                Rescale::Half => {
                    let (_, rows, columns, _) = x.dims4()?;
                    // A side of one patch stays.
                    let kernel = [rows, columns].map(|side| side.min(2));
                    max_pool2d(x, kernel, kernel, [0, 0])
                }
            }
        };
        maps.iter().zip(&self.rescales).enumerate().map(rescale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::gradient_reach;
    use nerve_core::graph::{Device, Randomness, Variables, read};

    const TRAIN: Mode = Mode::Train(Randomness { seed: 1, step: 0 });

    fn maps(patch: usize, rows: usize, columns: usize) -> (Vec<Level>, Vec<Tensor>) {
        let map = |seed: usize| {
            let n = 2 * rows * columns * 3;
            let values: Vec<f32> = (0..n).map(|i| ((i + seed) * 7919 % 1009) as f32 / 504.0 - 1.0).collect();
            Tensor::from_vec(values, (2, rows, columns, 3), &Device::Cpu).expect("a map")
        };
        (vec![Level { channels: 3, stride: patch }; 4], (0..4).map(map).collect())
    }

    #[test]
    fn maps_have_the_sizes_of_their_strides_and_every_variable_a_gradient() {
        for (patch, strides, normed) in [(16, [4, 8, 16, 32], true), (14, [7, 14, 14, 28], false)] {
            let (levels, maps) = maps(patch, 4, 6);
            let variables = Variables::random(2);
            let pyramid = Pyramid::new(&variables.tracked(), &levels, normed).expect("a pyramid");
            assert_eq!(pyramid.levels().iter().map(|l| l.stride).collect::<Vec<_>>(), strides);
            let run = || {
                let maps = pyramid.forward(&maps, TRAIN)?;
                for (map, stride) in maps.iter().zip(strides) {
                    assert_eq!(map.dims(), [2, 4 * patch / stride, 6 * patch / stride, 3]);
                }
                Ok(maps)
            };
            gradient_reach(&variables, run).expect("all are reached");
        }
    }

    #[test]
    fn a_cell_becomes_four_in_their_places() {
        let variables = Variables::random(2);
        let up = Up(Linear::new(&variables.tracked(), 1, 4).expect("a layer"));
        let set = |key: &str, values: Vec<f32>| {
            let var = variables.get(key).expect("a variable").var;
            var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).expect("values")).expect("set");
        };
        set("weight", vec![1.0, 2.0, 3.0, 4.0]);
        let x = Tensor::from_vec(vec![1.0f32, 10.0], (1, 1, 2, 1), &Device::Cpu).expect("x");
        let y = up.forward(&x).expect("y");
        assert_eq!(y.dims(), [1, 2, 4, 1]);
        assert_eq!(&*read(&y).expect("values"), [1.0, 2.0, 10.0, 20.0, 3.0, 4.0, 30.0, 40.0]);
    }

    #[test]
    fn a_single_patch_is_not_halved() {
        let (levels, maps) = maps(16, 1, 1);
        let pyramid = Pyramid::new(&Variables::random(2).tracked(), &levels, false).expect("a pyramid");
        let sizes = pyramid.forward(&maps, Mode::Eval).expect("maps");
        assert_eq!(sizes.iter().map(|m| m.dims()[1]).collect::<Vec<_>>(), [4, 2, 1, 1]);
        let error = Pyramid::new(&Variables::random(2).tracked(), &levels[..3], false)
            .expect_err("three")
            .to_string();
        assert!(error.contains("4 maps, not 3"), "{error}");
    }
}
