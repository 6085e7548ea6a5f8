//! Convolutions, batch normalization, pooling and resizing against what PyTorch computes (`tests/fixtures/maps.py`).
use super::{BatchNorm2d, Conv2d, ConvConfig};
use crate::graph::{
    Device, Gradients, Mode, Randomness, Result, Tensor, Var, Variables, differentiate, read,
};
use crate::ops::check::{PARITY_L2, PARITY_MAX, close, widen};
use crate::ops::pool::{adaptive_avg_pool2d, avg_pool2d, max_pool2d};
use crate::ops::resize::{bilinear, nearest};
use crate::weights::WeightFile;

struct Fixture(WeightFile);

impl Fixture {
    fn open() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/maps.safetensors");
        Self(WeightFile::open(path).expect("the fixture"))
    }

    fn tensor(&mut self, name: &str) -> Tensor {
        let shape = self.0.shapes().find(|(n, _)| *n == name).expect("an array").1.to_vec();
        Tensor::from_vec(self.0.read(name).expect("values"), shape, &Device::Cpu).expect("a tensor")
    }

    fn agrees(&mut self, name: &str, got: &[f32]) {
        let want = widen(&self.0.read(name).expect("values"));
        close(got, &want, PARITY_L2, PARITY_MAX).unwrap_or_else(|e| panic!("{name}: {e}"));
    }

    /// Compares y, dx and the gradients of `variables`, which take the fixture's values first.
    fn case(&mut self, name: &str, variables: &Variables, op: impl Fn(&Tensor) -> Result<Tensor>) {
        let keys = [("weight", "w"), ("bias", "b")];
        for (key, array) in keys {
            if let Some(variable) = variables.get(key) {
                variable.var.set(&self.tensor(&format!("{name}.{array}"))).expect("the same shape");
            }
        }
        let x = Var::from_tensor(&self.tensor(&format!("{name}.x"))).expect("a variable");
        let dy = self.tensor(&format!("{name}.dy"));
        let mut gradients = Gradients::default();
        // Once: a norm's running statistics follow every pass.
        let loss = || {
            let y = op(x.as_tensor())?;
            assert_eq!(y.dims(), dy.dims(), "{name}");
            self.agrees(&format!("{name}.y"), &read(&y)?);
            (y * dy)?.sum_all()
        };
        differentiate(&mut gradients, loss).expect("backward");
        self.agrees(&format!("{name}.dx"), gradients.get(&x).expect("dx"));
        for (key, array) in keys {
            if let Some(variable) = variables.get(key) {
                self.agrees(&format!("{name}.d{array}"), gradients.get(&variable.var).expect("a gradient"));
            }
        }
    }
}

#[test]
fn convolutions() {
    let mut fixture = Fixture::open();
    let conv = |inputs, outputs, kernel, stride, padding, depthwise| ConvConfig {
        inputs,
        outputs,
        kernel,
        stride,
        padding,
        depthwise,
        bias: true,
    };
    for (name, config) in [
        ("conv.1x1", conv(5, 6, [1, 1], [1, 1], [0, 0], false)),
        ("conv.3x3", conv(3, 5, [3, 3], [1, 1], [1, 1], false)),
        ("conv.strided", conv(3, 5, [3, 3], [2, 2], [1, 1], false)),
        ("conv.patches", conv(3, 7, [4, 4], [4, 4], [0, 0], false)),
        ("conv.uneven", conv(2, 3, [2, 5], [1, 2], [0, 2], false)),
        ("depthwise.same", conv(18, 18, [3, 3], [1, 1], [1, 1], true)),
        ("depthwise.strided", conv(5, 5, [3, 3], [2, 2], [1, 1], true)),
    ] {
        let variables = Variables::random(1);
        let layer = Conv2d::new(&variables.tracked(), config).expect("a layer");
        fixture.case(name, &variables, |x| layer.forward(x));
    }
}

#[test]
fn batch_normalisation() {
    let mut fixture = Fixture::open();
    let variables = Variables::random(1);
    let norm = BatchNorm2d::new(&variables.tracked(), 4, 1e-3, 0.2).expect("a layer");
    let train = Mode::Train(Randomness { seed: 1, step: 0 });
    for (name, mode) in [("norm.first", train), ("norm.second", train), ("norm.eval", Mode::Eval)] {
        fixture.case(name, &variables, |x| norm.forward(x, mode));
        for buffer in ["running_mean", "running_var"] {
            let var = variables.get(buffer).expect("a buffer").var;
            fixture.agrees(&format!("{name}.{buffer}"), &read(var.as_tensor()).expect("values"));
        }
    }
}

#[test]
fn pooling_and_resizing() {
    let mut fixture = Fixture::open();
    let none = Variables::random(1);
    fixture.case("max.2", &none, |x| max_pool2d(x, [2, 2], [2, 2], [0, 0]));
    fixture.case("max.3", &none, |x| max_pool2d(x, [3, 3], [2, 2], [1, 1]));
    for pad in [true, false] {
        fixture.case(&format!("avg.{pad}"), &none, |x| avg_pool2d(x, [3, 3], [2, 2], [1, 1], pad));
    }
    for (name, size) in [("bins", [3, 4]), ("larger", [5, 7]), ("one", [1, 1])] {
        fixture.case(&format!("adaptive.{name}"), &none, |x| adaptive_avg_pool2d(x, size));
    }
    for (name, size) in [("up", [9, 8]), ("twice", [8, 10]), ("down", [4, 3])] {
        for corners in [false, true] {
            fixture.case(&format!("bilinear.{name}.{corners}"), &none, |x| bilinear(x, size, corners));
        }
        fixture.case(&format!("nearest.{name}"), &none, |x| nearest(x, size));
    }
}
