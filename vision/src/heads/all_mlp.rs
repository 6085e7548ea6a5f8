//! SegFormer's All-MLP head (Xie et al. 2021, equation 4).
//!
//! Maps of any strides are projected to the same channels, resized to the grid of the first, concatenated, last map
//! first, fused by a 1x1 convolution with batch norm and ReLU, and classified. Keys are those of Hugging Face's
//! `decode_head.`.
//!
//! Projection, resizing (bilinear, as `align_corners = False`) and fusion are linear with nothing between them, and
//! resizing works on each channel alone: `fuse(cat(resize(P_i x_i + b_i))) = sum resize(F_i P_i x_i + F_i b_i)`, where
//! `F_i` are the columns of the fusion that belong to map i. The head computes the right-hand side, on the small maps
//! and with the products `F_i P_i` made first: for TinyViT's maps an eighth of the work, and no map of all channels.
use nerve_core::graph::{Init, Mode, Result, Scope, Tensor, bail};
use nerve_core::layers::{BatchNorm2d, Conv2d, ConvConfig};
use nerve_core::ops::{add::add, drop_path::dropout, linear::linear, relu::relu, resize::bilinear};
use serde::{Deserialize, Serialize};

use super::Head;

/// The head's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllMlpConfig {
    /// Channels of the maps it is given.
    pub inputs: Vec<usize>,
    /// Channels inside the head.
    pub channels: usize,
    /// The number of classes.
    pub classes: usize,
    /// Dropout before the classifier, in training.
    pub dropout: f32,
}

/// The head: maps become scores of classes.
#[derive(Clone, Debug)]
pub struct AllMlp {
    projections: Vec<(Tensor, Tensor)>,
    fuse: Tensor,
    norm: BatchNorm2d,
    classifier: Conv2d,
    channels: usize,
    dropout: f32,
}

impl AllMlp {
    /// Finds or makes its variables in the scope.
    ///
    /// # Errors
    /// If there is no input, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &AllMlpConfig) -> Result<Self> {
        let AllMlpConfig { inputs, channels, classes, dropout } = config;
        let (channels, classes) = (*channels, *classes);
        if inputs.is_empty() || channels == 0 || classes == 0 {
            bail!("All-MLP: {} maps to {channels} channels and {classes} classes", inputs.len());
        }
        let mut projections = Vec::new();
        for (i, inputs) in inputs.iter().enumerate() {
            let at = scope.at("linear_c").at(i).at("proj");
            let weight = at.weight("weight", &[channels, *inputs], Init::Normal(0.02))?;
            projections.push((weight, at.weight("bias", &[channels], Init::Constant(0.0))?));
        }
        let shape = [channels, channels * inputs.len(), 1, 1];
        Ok(Self {
            projections,
            fuse: scope.at("linear_fuse").weight("weight", &shape, Init::FanOut)?,
            norm: BatchNorm2d::new(&scope.at("batch_norm"), channels, 1e-5, 0.1)?,
            classifier: Conv2d::new(&scope.at("classifier"), ConvConfig::same(channels, classes, 1))?,
            channels,
            dropout: *dropout,
        })
    }

    /// The output of the fusion.
    fn fused(&self, maps: &[Tensor]) -> Result<Tensor> {
        let (n, channels) = (maps.len(), self.channels);
        if n != self.projections.len() {
            bail!("All-MLP: {n} maps, not {}", self.projections.len());
        }
        let fuse = self.fuse.reshape((channels, n * channels))?;
        // Sums by size of the map: what has one size is added before it is resized.
        let mut sums: Vec<([usize; 2], Tensor)> = Vec::new();
        for (i, (x, (weight, bias))) in maps.iter().zip(&self.projections).enumerate() {
            let columns = fuse.narrow(1, (n - 1 - i) * channels, channels)?.contiguous()?;
            let bias = linear(&bias.unsqueeze(0)?, &columns, None)?.squeeze(0)?;
            let y = linear(x, &columns.matmul(weight)?, Some(&bias))?;
            let (_, height, width, _) = y.dims4()?;
            match sums.iter_mut().find(|(size, _)| *size == [height, width]) {
                Some((_, sum)) => *sum = add(sum, &y)?,
                None => sums.push(([height, width], y)),
            }
        }
        let mut sums = sums.into_iter();
        let Some((size, mut total)) = sums.next() else { bail!("All-MLP: no maps") };
        for (_, sum) in sums {
            total = add(&total, &bilinear(&sum, size, false)?)?;
        }
        Ok(total)
    }
}

impl Head for AllMlp {
    fn forward(&self, maps: &[Tensor], mode: Mode) -> Result<Tensor> {
        let x = relu(&self.norm.forward(&self.fused(maps)?, mode)?)?;
        self.classifier.forward(&dropout(&x, self.dropout, mode, 0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_core::graph::{Device, Randomness, Variables, read};
    use nerve_core::ops::parity::{PARITY_L2, PARITY_MAX, close};

    fn values(seed: usize, shape: &[usize]) -> Tensor {
        let n: usize = shape.iter().product();
        let values: Vec<f32> = (seed..seed + n).map(|i| ((i * 7919) % 1009) as f32 / 504.0 - 1.0).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).expect("values")
    }

    /// A head for maps of which two have one size, as TinyViT's, with variables everywhere.
    fn head() -> (Variables, AllMlp, Vec<Tensor>) {
        let variables = Variables::random(1);
        let config = AllMlpConfig { inputs: vec![4, 6, 5, 7], channels: 8, classes: 3, dropout: 0.5 };
        let head = AllMlp::new(&variables.tracked(), &config).expect("a head");
        for (i, (_, variable)) in variables.all().iter().enumerate() {
            let moved = values(31 * i, variable.var.dims());
            let moved = if variable.is_trainable() { moved } else { moved.abs().expect("values") };
            variable.var.set(&moved).expect("set");
        }
        let sizes = [[9, 7], [5, 4], [3, 2], [3, 2]];
        let maps = sizes.iter().zip(&config.inputs);
        let maps = maps.map(|([h, w], c)| values(*c, &[2, *h, *w, *c])).collect();
        (variables, head, maps)
    }

    #[test]
    fn the_products_made_first_are_those_of_the_paper() {
        let (variables, head, maps) = head();
        let get = |key: &str| variables.get(key).expect("a variable").var.as_detached_tensor();
        let mut resized = Vec::new();
        for (i, map) in maps.iter().enumerate() {
            let part = |name: &str| get(&format!("linear_c.{i}.proj.{name}"));
            let y = linear(map, &part("weight"), Some(&part("bias"))).expect("projected");
            resized.insert(0, bilinear(&y, [9, 7], false).expect("resized"));
        }
        let all = Tensor::cat(&resized, 3).expect("all channels");
        let fuse = get("linear_fuse.weight").reshape((8, 32)).expect("a matrix");
        let want = linear(&all, &fuse, None).expect("fused");
        let found = head.fused(&maps).expect("fused");
        assert_eq!(found.dims(), want.dims());
        let want: Vec<f64> = read(&want).expect("values").iter().map(|v| f64::from(*v)).collect();
        close(&read(&found).expect("values"), &want, PARITY_L2, PARITY_MAX).expect("the same");
    }

    #[test]
    fn dropout_is_for_training() {
        let (_, head, maps) = head();
        let scores = |mode| {
            let scores = head.forward(&maps, mode).expect("scores");
            assert_eq!(scores.dims(), [2, 9, 7, 3]);
            read(&scores).expect("values").to_vec()
        };
        let train = |step| Mode::Train(Randomness { seed: 1, step });
        assert_eq!(scores(train(1)), scores(train(1)));
        assert_ne!(scores(train(1)), scores(train(2)));
        assert_eq!(scores(Mode::Eval), scores(Mode::Eval));
    }

    #[test]
    fn maps_that_do_not_fit_are_refused() {
        let (_, head, mut maps) = head();
        assert!(head.forward(&maps[..3], Mode::Eval).is_err());
        maps.swap(0, 1);
        assert!(head.forward(&maps, Mode::Eval).is_err());
        let none = AllMlpConfig { inputs: vec![], channels: 8, classes: 3, dropout: 0.0 };
        assert!(AllMlp::new(&Variables::random(1).tracked(), &none).is_err());
    }
}
