//! What MLPs are given and give, summed up while images are shown.
use std::collections::BTreeMap;
use std::sync::Mutex;

use nerve_core::distill::{DistillOptions, Form, Normal};
use nerve_core::graph::{Device, Mode, Result, Tensor, bail, read};
use nerve_core::layers::{Conv2d, ConvConfig, Features};
use nerve_core::ops::eugen::{FeatureConfig, Nonlinearity};
use nerve_core::ops::relu::relu;

use super::Place;
use crate::backbones::{Branch, MlpForms, MlpTap, MlpTrace, Pass};
use crate::segmentation::{SegmentationError, Segmenter, SemanticSegmenter};

/// Rows that are kept of an MLP, at most, where its projections are to be trained.
const KEPT: usize = 32_768;

/// What was recorded of one MLP.
pub(super) struct Recorded {
    pub normal: Normal,
    /// Rows of inputs and of outputs.
    pub x: Vec<f32>,
    pub y: Vec<f32>,
    regressors: Regressors,
}

/// What outputs are regressed on.
enum Regressors {
    /// Inputs.
    Inputs,
    /// Hidden values.
    Hidden,
    /// The features of the layer that takes the MLP's place, behind its convolution where it has one.
    Features(Features, Option<(Conv2d, Nonlinearity)>),
}

/// Listens to the MLPs of a forward pass.
pub(super) struct Recorder {
    recorded: BTreeMap<u32, Mutex<Recorded>>,
    keeps: bool,
}

impl Recorder {
    pub fn new(
        places: &[Place],
        teacher: &Segmenter,
        student: &Segmenter,
        forms: &MlpForms,
        options: &DistillOptions,
    ) -> std::result::Result<Self, SegmentationError> {
        let mut recorded = BTreeMap::new();
        for place in places {
            let scope = student.variables().detached().at(&place.prefix);
            let hidden = ["fc2.weight", "dense2.weight"]
                .iter()
                .find_map(|name| teacher.variables().get(&format!("{}.{name}", place.prefix)))
                .map_or(0, |variable| variable.var.dims()[1]);
            let convolves =
                student.variables().get(&format!("{}.dwconv.dwconv.weight", place.prefix)).is_some();
            let (regressors, inputs) = match options.form {
                Form::LowRank | Form::Int8 => (Regressors::Inputs, place.channels),
                Form::Thin => (Regressors::Hidden, hidden),
                Form::Eugen => {
                    let config = &forms.features;
                    let phi = if convolves { Nonlinearity::Identity } else { config.phi };
                    let linear = FeatureConfig { phi, ..config.clone() };
                    let features = Features::new(&scope, place.channels, &linear)?;
                    let width = config.outputs();
                    let shape = ConvConfig { depthwise: true, ..ConvConfig::same(width, width, 3) };
                    let convolution = || Conv2d::new(&scope.at("dwconv").at("dwconv"), shape);
                    let convolution = convolves.then(convolution).transpose()?;
                    (Regressors::Features(features, convolution.map(|c| (c, config.phi))), width)
                }
            };
            if options.form == Form::Thin && options.m > hidden {
                let most = format!("at most the {hidden} hidden values of block {}", place.block);
                return Err(nerve_core::settings::SettingError::new("--m", options.m, most).into());
            }
            let normal = Normal::new(inputs, place.channels);
            let one = Recorded { normal, x: Vec::new(), y: Vec::new(), regressors };
            recorded.insert(place.block, Mutex::new(one));
        }
        Ok(Self { recorded, keeps: options.train_g > 0 })
    }

    /// In the order of the blocks.
    pub fn into_recorded(self) -> impl Iterator<Item = Recorded> {
        self.recorded
            .into_values()
            .map(|one| one.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl MlpTap for Recorder {
    fn tap(&self, branch: &Branch, trace: MlpTrace<'_>) -> Result<()> {
        let Some(recorded) = self.recorded.get(&branch.block) else { return Ok(()) };
        let Ok(mut recorded) = recorded.lock() else { bail!("an earlier image failed") };
        let output = trace.output.contiguous()?;
        let y = read(&output)?;
        let Recorded { normal, x: xs, y: ys, regressors } = &mut *recorded;
        let given = match regressors {
            Regressors::Inputs => trace.input.contiguous()?,
            Regressors::Hidden => trace.hidden.contiguous()?,
            Regressors::Features(features, convolution) => {
                let features = features.forward(trace.input)?;
                match convolution {
                    Some((convolution, Nonlinearity::Relu)) => relu(&convolution.forward(&features)?)?,
                    Some((convolution, Nonlinearity::Identity)) => convolution.forward(&features)?,
                    None => features,
                }
            }
        };
        normal.add(&read(&given)?, &y);
        if self.keeps {
            let (inputs, outputs) = (trace.input.dims(), trace.output.dims());
            let (Some(inputs), Some(outputs)) = (inputs.last(), outputs.last()) else { return Ok(()) };
            // A few rows of every image.
            let input = trace.input.contiguous()?;
            let rows = read(&input)?;
            let every = (y.len() / outputs / 256).max(1);
            for (x, y) in rows.chunks_exact(*inputs).zip(y.chunks_exact(*outputs)).step_by(every) {
                if xs.len() < KEPT * inputs {
                    xs.extend_from_slice(x);
                    ys.extend_from_slice(y);
                }
            }
        }
        Ok(())
    }
}

/// A segmenter whose MLPs are listened to.
pub(super) struct Tapped<'a> {
    pub segmenter: &'a Segmenter,
    pub recorder: &'a Recorder,
}

impl SemanticSegmenter for Tapped<'_> {
    fn classes(&self) -> usize {
        self.segmenter.classes()
    }

    fn device(&self) -> &Device {
        self.segmenter.device()
    }

    fn infer(&self, images: &Tensor) -> Result<Tensor> {
        let pass = Pass { tap: Some(self.recorder), ..Pass::from(Mode::Eval) };
        self.segmenter.infer_in(images, pass)
    }
}
