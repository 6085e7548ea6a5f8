//! Parts that several backbones use: the MLP in its forms, patches, drop path rates.
use nerve_core::graph::{Init, Result, Scope, Tensor, bail};
use nerve_core::layers::{Eugen, Int8Linear, Linear};
use nerve_core::ops::linear::linear;

use super::mlps::MlpForm;
use super::{Branch, MlpTrace, Pass};
use crate::activation::Activation;

/// Two linear layers with an activation between them, keys `fc1` and `fc2`; or what stands for both (see [`super::mlps`]).
#[derive(Clone, Debug)]
pub struct Mlp(Form);

#[derive(Clone, Debug)]
enum Form {
    Full { fc1: Linear, fc2: Linear, activation: Activation },
    Int8 { fc1: Int8Linear, fc2: Int8Linear, activation: Activation },
    Eugen(Eugen),
}

impl Mlp {
    /// From and to `channels`, `hidden` between.
    ///
    /// # Errors
    /// If variables exist with other shapes.
    pub fn new(
        scope: &Scope,
        channels: usize,
        hidden: usize,
        activation: Activation,
        form: &MlpForm,
    ) -> Result<Self> {
        let hidden = match form {
            MlpForm::Eugen(config) => {
                return Ok(Self(Form::Eugen(Eugen::new(scope, channels, channels, config)?)));
            }
            MlpForm::Thin(hidden) => *hidden,
            MlpForm::Full | MlpForm::Int8 => hidden,
        };
        let fc1 = Linear::new(&scope.at("fc1"), channels, hidden)?;
        let fc2 = Linear::new(&scope.at("fc2"), hidden, channels)?;
        if *form == MlpForm::Int8 {
            let [fc1, fc2] = [fc1, fc2].map(Int8Linear::new);
            return Ok(Self(Form::Int8 { fc1, fc2, activation }));
        }
        Ok(Self(Form::Full { fc1, fc2, activation }))
    }

    /// Its layers and the activation between them.
    ///
    /// # Errors
    /// If it is of another form: task streams run through full MLPs.
    pub(super) fn layers(&self) -> Result<(&Linear, &Linear, Activation)> {
        match &self.0 {
            Form::Full { fc1, fc2, activation } => Ok((fc1, fc2, *activation)),
            Form::Int8 { .. } | Form::Eugen(_) => bail!("task streams need MLPs of two linear layers"),
        }
    }

    /// x is `(..., channels)`, as is the result. `branch` is where it stands, for what listens to the pass.
    ///
    /// # Errors
    /// If its last dimension has another size.
    pub fn forward(&self, x: &Tensor, branch: &Branch, pass: Pass<'_>) -> Result<Tensor> {
        match &self.0 {
            Form::Full { fc1, fc2, activation } => {
                let hidden = fc1.forward(x)?;
                second_layer(fc2, *activation, x, &hidden, branch, pass)
            }
            Form::Int8 { fc1, fc2, activation } => {
                let hidden = activation.forward(&fc1.forward(x)?)?;
                heard(x, &hidden, fc2.forward(&hidden)?, branch, pass)
            }
            Form::Eugen(eugen) => {
                let features = eugen.features().forward(x)?;
                heard(x, &features, eugen.theta(&features)?, branch, pass)
            }
        }
    }
}

/// An MLP's output, told to what listens to the pass.
pub(super) fn heard(
    input: &Tensor,
    hidden: &Tensor,
    output: Tensor,
    branch: &Branch,
    pass: Pass<'_>,
) -> Result<Tensor> {
    if let Some(tap) = pass.tap {
        tap.tap(branch, MlpTrace { input, hidden, output: &output })?;
    }
    Ok(output)
}

/// The second half of an MLP, with its activation: of `hidden`, which was computed of `input`.
pub(super) fn second_layer(
    layer: &Linear,
    activation: Activation,
    input: &Tensor,
    hidden: &Tensor,
    branch: &Branch,
    pass: Pass<'_>,
) -> Result<Tensor> {
    let output = match activation.gelu() {
        Some(form) => layer.forward_gelu(hidden, form)?,
        None => layer.forward(&activation.forward(hidden)?)?,
    };
    if let Some(tap) = pass.tap {
        // The op above does not keep what it activates.
        let hidden = &activation.forward(hidden)?;
        tap.tap(branch, MlpTrace { input, hidden, output: &output })?;
    }
    Ok(output)
}

/// Square patches of an image, each as a row of features: a convolution whose stride is its kernel, computed as one
/// product. Keys `weight` `(channels, inputs, side, side)` and, with a bias, `bias` `(channels)`.
#[derive(Clone, Debug)]
pub struct Patches {
    weight: Tensor,
    bias: Option<Tensor>,
    edge: Edge,
}

/// What becomes of pixels that do not fill a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Zeros are added at the bottom and on the right.
    Pad,
    /// They are left out.
    Cut,
}

impl Patches {
    /// Patches of `side` x `side` pixels with `inputs` channels.
    ///
    /// # Errors
    /// If variables exist with other shapes, or a patch has no pixels.
    pub fn new(
        scope: &Scope,
        inputs: usize,
        channels: usize,
        side: usize,
        bias: bool,
        edge: Edge,
    ) -> Result<Self> {
        if side == 0 {
            bail!("a patch must have a side of at least one pixel");
        }
        let weight = scope.weight("weight", &[channels, inputs, side, side], Init::Normal(0.02))?;
        let bias = if bias { Some(scope.weight("bias", &[channels], Init::Constant(0.0))?) } else { None };
        Ok(Self { weight, bias, edge })
    }

    /// `images` is `(batch, height, width, inputs)`; the result is `(batch, rows, columns, channels)`.
    ///
    /// # Errors
    /// If the images have another number of channels, or not a single patch.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let (batch, height, width, inputs) = images.dims4()?;
        let (channels, wanted, side, _) = self.weight.dims4()?;
        if inputs != wanted {
            bail!("images of {inputs} channels, not {wanted}");
        }
        let grid = [height, width].map(|n| match self.edge {
            Edge::Pad => n.div_ceil(side),
            Edge::Cut => n / side,
        });
        let [rows, columns] = grid;
        if rows == 0 || columns == 0 {
            bail!("images of {height} x {width} are smaller than a patch of {side} x {side}");
        }
        let mut x = images.clone();
        for (axis, count) in [(1, rows), (2, columns)] {
            let (have, need) = (x.dim(axis)?, count * side);
            x = if have < need { x.pad_with_zeros(axis, 0, need - have)? } else { x.narrow(axis, 0, need)? };
        }
        // To (channel, row, column) in a patch, as the weight has it.
        let x = x.reshape(vec![batch, rows, side, columns, side, inputs])?.permute([0, 1, 3, 5, 2, 4])?;
        let x = x.contiguous()?.reshape((batch, rows, columns, inputs * side * side))?;
        linear(&x, &self.weight.reshape((channels, inputs * side * side))?, self.bias.as_ref())
    }
}

/// Rates of stochastic depth, rising linearly from zero at the first block to `rate` at the last.
#[must_use]
pub fn drop_path_rates(rate: f32, blocks: usize) -> Vec<f32> {
    (0..blocks).map(|i| rate * i as f32 / (blocks.max(2) - 1) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_core::graph::{Device, Variables, read};

    #[test]
    fn patches_are_cut_or_padded() {
        let variables = Variables::random(1);
        let scope = variables.tracked();
        let image: Vec<f32> = (0..5 * 7 * 2).map(|v| ((v * 37 % 19) as f32) / 9.0 - 1.0).collect();
        let images = Tensor::from_vec(image.clone(), (1, 5, 7, 2), &Device::Cpu).expect("an image");
        for (edge, rows, columns) in [(Edge::Pad, 2, 3), (Edge::Cut, 1, 2)] {
            let patches = Patches::new(&scope, 2, 4, 3, true, edge).expect("patches");
            let y = patches.forward(&images).expect("rows");
            assert_eq!(y.dims(), [1, rows, columns, 4]);
            let weight = read(&patches.weight).expect("values");
            for (at, y) in read(&y).expect("values").iter().enumerate() {
                let (row, column, o) = (at / 4 / columns, at / 4 % columns, at % 4);
                let mut want = 0.0;
                for (c, i, j) in (0..2).flat_map(|c| (0..3).flat_map(move |i| (0..3).map(move |j| (c, i, j))))
                {
                    let (y, x) = (row * 3 + i, column * 3 + j);
                    if y < 5 && x < 7 {
                        want += image[(y * 7 + x) * 2 + c] * weight[((o * 2 + c) * 3 + i) * 3 + j];
                    }
                }
                assert!((y - want).abs() < 1e-6, "{edge:?} {at}: {y} {want}");
            }
        }
        let patches = Patches::new(&scope, 2, 4, 3, true, Edge::Cut).expect("patches");
        let small = images.narrow(1, 0, 2).expect("a strip");
        assert!(patches.forward(&small).expect_err("too small").to_string().contains("smaller than a patch"));
    }

    #[test]
    fn rates_rise_to_the_given_one() {
        assert_eq!(drop_path_rates(0.3, 4), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(drop_path_rates(0.3, 1), [0.0]);
    }
}
