//! Batch normalization with its variables.
use crate::graph::{Init, Mode, Result, Scope, Tensor, Var, read};
use crate::ops::batch_norm::{batch_norm, normalize};
use crate::ops::gelu::Form;

/// Batch normalization of the last extent; keys `weight`, `bias`, and the buffers `running_mean` and `running_var`, all
/// `(channels)`. PyTorch's `num_batches_tracked` is not needed. A frozen one (its weight is) uses and keeps its running
/// statistics in training too.
#[derive(Clone, Debug)]
pub struct BatchNorm2d {
    weight: Tensor,
    bias: Tensor,
    mean: Var,
    variance: Var,
    eps: f64,
    momentum: f64,
    frozen: bool,
}

impl BatchNorm2d {
    /// `momentum` is the weight of a batch in the running statistics (PyTorch's default: 0.1, with `eps` 1e-5).
    ///
    /// # Errors
    /// If variables exist with other shapes.
    pub fn new(scope: &Scope, channels: usize, eps: f64, momentum: f64) -> Result<Self> {
        Ok(Self {
            weight: scope.weight("weight", &[channels], Init::Constant(1.0))?,
            bias: scope.weight("bias", &[channels], Init::Constant(0.0))?,
            mean: scope.buffer("running_mean", &[channels], 0.0)?,
            variance: scope.buffer("running_var", &[channels], 1.0)?,
            eps,
            momentum,
            frozen: scope.is_frozen("weight"),
        })
    }

    /// x and the result are `(batch, height, width, channels)`. In training the batch's statistics are used, and move
    /// the running ones: `running += momentum (batch - running)`, the variance divided by the number of values less one.
    ///
    /// # Errors
    /// If x has other channels, or a training batch has one value a channel.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        self.run(x, mode, None)
    }

    /// `gelu` of [`Self::forward`], in one op that keeps x alone.
    ///
    /// # Errors
    /// See [`Self::forward`].
    pub fn forward_gelu(&self, x: &Tensor, mode: Mode, form: Form) -> Result<Tensor> {
        self.run(x, mode, Some(form))
    }

    fn run(&self, x: &Tensor, mode: Mode, activation: Option<Form>) -> Result<Tensor> {
        if self.frozen || !mode.training() {
            let (mean, variance) = (read(self.mean.as_tensor())?, read(self.variance.as_tensor())?);
            return normalize(x, &self.weight, &self.bias, &mean, &variance, self.eps, activation);
        }
        let (y, batch) = batch_norm(x, &self.weight, &self.bias, self.eps, activation)?;
        let rows = batch.rows.unwrap_or(2) as f64;
        self.follow(&self.mean, &batch.mean, 1.0)?;
        self.follow(&self.variance, &batch.variance, rows / (rows - 1.0))?;
        Ok(y)
    }

    fn follow(&self, running: &Var, batch: &[f64], factor: f64) -> Result<()> {
        let old = read(running.as_tensor())?.to_vec();
        let next = |(old, batch): (&f32, &f64)| {
            let old = f64::from(*old);
            (old + self.momentum * (factor * batch - old)) as f32
        };
        let new = old.iter().zip(batch).map(next).collect();
        running.set(&Tensor::from_vec(new, running.shape(), running.device())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Device, Randomness, Variables};
    use crate::ops::check::{PARITY_L2, PARITY_MAX, TestRng, close, narrow, widen};
    use crate::ops::gelu::gelu;

    const TRAIN: Mode = Mode::Train(Randomness { seed: 1, step: 0 });

    fn values(variables: &Variables, key: &str) -> Vec<f32> {
        read(variables.get(key).expect("a buffer").var.as_tensor()).expect("values").to_vec()
    }

    #[test]
    fn running_statistics_follow_batches_and_are_used() {
        let variables = Variables::random(1);
        let norm = BatchNorm2d::new(&variables.tracked(), 2, 1e-5, 0.25).expect("a layer");
        // Channel means 2.5 and 1, squares about them 5 and 4 in all.
        let x = vec![1.0f32, 0.0, 2.0, 2.0, 3.0, 0.0, 4.0, 2.0];
        let x = Tensor::from_vec(x, (1, 2, 2, 2), &Device::Cpu).expect("x");
        norm.forward(&x, TRAIN).expect("y");
        let (mean, variance) = ([0.625, 0.25], [0.75 + 5.0 / 12.0, 0.75 + 1.0 / 3.0]);
        close(&values(&variables, "running_mean"), &mean, 1e-6, 1e-6).expect("mean");
        close(&values(&variables, "running_var"), &variance, 1e-6, 1e-6).expect("variance");

        let y = norm.forward(&x, Mode::Eval).expect("y");
        let x = read(&x).expect("x").to_vec();
        let want: Vec<f64> =
            (0..8).map(|i| (f64::from(x[i]) - mean[i % 2]) / (variance[i % 2] + 1e-5f64).sqrt()).collect();
        close(&read(&y).expect("y"), &want, PARITY_L2, PARITY_MAX).expect("evaluation");
        close(&values(&variables, "running_mean"), &mean, 1e-6, 1e-6).expect("untouched");
        close(&values(&variables, "running_var"), &variance, 1e-6, 1e-6).expect("untouched");
        let trainable: Vec<_> = variables.trainable().into_iter().map(|(key, _)| key).collect();
        assert_eq!(trainable, ["bias", "weight"]);
    }

    /// The same result and running statistics as the two ops, in both modes.
    #[test]
    fn a_gelu_is_applied_to_the_result() {
        let x = TestRng::new(5).normals(2 * 3 * 5 * 7, 2.0);
        let x = Tensor::from_vec(narrow(&x), (2, 3, 5, 7), &Device::Cpu).expect("x");
        let run = |activate: &dyn Fn(&BatchNorm2d, Mode) -> Result<Tensor>| {
            let variables = Variables::random(1);
            let norm = BatchNorm2d::new(&variables.tracked(), 7, 1e-5, 0.25).expect("a layer");
            let train = activate(&norm, TRAIN).expect("y");
            let running = [values(&variables, "running_mean"), values(&variables, "running_var")];
            let eval = activate(&norm, Mode::Eval).expect("y");
            (running, [train, eval].map(|y| read(&y).expect("values").to_vec()))
        };
        let (running, fused) = run(&|norm, mode| norm.forward_gelu(&x, mode, Form::Exact));
        let (want_running, want) = run(&|norm, mode| gelu(&norm.forward(&x, mode)?));
        assert_eq!(running, want_running);
        for (fused, want) in fused.iter().zip(&want) {
            close(fused, &widen(want), PARITY_L2, PARITY_MAX).expect("the same");
        }
    }

    #[test]
    fn a_frozen_norm_keeps_its_statistics() {
        let variables = Variables::random(1);
        let norm = BatchNorm2d::new(&variables.tracked().frozen(), 2, 1e-5, 0.25).expect("a layer");
        let x = Tensor::from_vec(vec![1.0f32, 0.0, 2.0, 2.0], (1, 1, 2, 2), &Device::Cpu).expect("x");
        let [trained, inferred] = [TRAIN, Mode::Eval]
            .map(|mode| read(&norm.forward(&x, mode).expect("y")).expect("values").to_vec());
        assert_eq!(trained, inferred);
        assert_eq!(values(&variables, "running_mean"), [0.0, 0.0]);
        assert_eq!(values(&variables, "running_var"), [1.0, 1.0]);
    }

    #[test]
    fn a_single_value_cannot_be_trained_with() {
        let norm = BatchNorm2d::new(&Variables::random(1).tracked(), 1, 1e-5, 0.1).expect("a layer");
        let x = Tensor::from_vec(vec![1.0f32], (1, 1, 1, 1), &Device::Cpu).expect("x");
        assert!(norm.forward(&x, TRAIN).is_err());
        assert!(norm.forward(&x, Mode::Eval).is_ok());
    }
}
