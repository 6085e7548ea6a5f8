//! Fixtures, and what is required of agreement.
use std::collections::BTreeMap;
use std::path::PathBuf;

use nerve_core::graph::{DType, Device, Error, Gradients, Result, Tensor, Variables, differentiate, read};
use nerve_core::weights::WeightFile;
use nerve_vision::load::WeightSource;

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Weights: a file's name, or a folder's.
pub fn weights(name: &str) -> WeightSource {
    WeightSource::open(&path(name)).expect("a fixture's weights")
}

/// A file of inputs and results.
pub struct Cases(WeightFile);

impl Cases {
    pub fn open(name: &str) -> Self {
        Self(WeightFile::open(path(name)).expect("a fixture"))
    }

    pub fn names(&self) -> Vec<String> {
        self.0.shapes().map(|(name, _)| name.to_owned()).collect()
    }

    /// How many cases there are: numbers that an image is there for.
    pub fn count(&self) -> usize {
        (0..).take_while(|i| self.0.contains(&format!("{i}.image"))).count()
    }

    pub fn tensor(&mut self, name: &str) -> Tensor {
        let shape = self.0.shapes().find(|(n, _)| *n == name).map(|(_, shape)| shape.to_vec());
        let shape = shape.unwrap_or_else(|| panic!("no {name} in the fixture"));
        Tensor::from_vec(self.0.read(name).expect("values"), shape, &Device::Cpu).expect("a tensor")
    }

    /// `PREFIX0`, `PREFIX1`, ...
    pub fn numbered(&mut self, prefix: &str) -> Vec<Tensor> {
        let count = (0..).take_while(|i| self.0.contains(&format!("{prefix}{i}"))).count();
        assert!(count > 0, "no {prefix}0 in the fixture");
        (0..count).map(|i| self.tensor(&format!("{prefix}{i}"))).collect()
    }
}

/// Parity: `||a - b|| / ||b|| < 1e-5` and `max|a - b| < 1e-4 max|b|`.
pub fn agree(what: &str, found: &Tensor, wanted: &Tensor) {
    assert_eq!(found.dims(), wanted.dims(), "{what}");
    agree_values(
        what,
        &read(&found.contiguous().expect("contiguous")).expect("values"),
        wanted,
        [1e-5, 1e-4],
    );
}

fn agree_values(what: &str, found: &[f32], wanted: &Tensor, [l2, max]: [f64; 2]) {
    let wanted = read(wanted).expect("values");
    assert_eq!(found.len(), wanted.len(), "{what}");
    let (mut square, mut norm, mut worst, mut largest) = (0.0, 0.0, 0.0f64, 0.0f64);
    for (a, b) in found.iter().zip(&*wanted) {
        let (a, b) = (f64::from(*a), f64::from(*b));
        assert!(a.is_finite(), "{what}: {a}");
        square += (a - b) * (a - b);
        norm += b * b;
        worst = worst.max((a - b).abs());
        largest = largest.max(b.abs());
    }
    let relative = (square / norm).sqrt();
    assert!(
        relative < l2 && worst < max * largest,
        "{what}: ||a-b||/||b|| = {relative:.1e}, max {worst:.1e} of {largest:.1e}"
    );
}

pub fn agree_all(what: &str, found: &[Tensor], wanted: &[Tensor]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        agree(&format!("{what} {i}"), found, wanted);
    }
}

/// Gradients of `sum(output * weight)` against `gradient.KEY` of the fixture, for every variable.
pub fn gradients_agree(
    cases: &mut Cases,
    variables: &Variables,
    weights: &[Tensor],
    outputs: impl FnOnce() -> Result<Vec<Tensor>>,
) {
    let names = cases.names();
    let keys = names.iter().filter_map(|name| name.strip_prefix("gradient."));
    let wanted = keys.map(|key| (key.to_owned(), cases.tensor(&format!("gradient.{key}")))).collect();
    gradients_agree_with(wanted, variables, weights, outputs);
}

/// The same against gradients by key; what has none must have none here.
///
/// They are sums over many tokens and layers, in f32 here and in f64 there: ten times the bounds of outputs.
pub fn gradients_agree_with(
    mut wanted: BTreeMap<String, Tensor>,
    variables: &Variables,
    weights: &[Tensor],
    outputs: impl FnOnce() -> Result<Vec<Tensor>>,
) {
    let mut gradients = Gradients::default();
    let loss = || {
        let outputs = outputs()?;
        assert_eq!(outputs.len(), weights.len());
        let mut loss = Tensor::zeros((), DType::F32, &Device::Cpu)?;
        for (output, weight) in outputs.iter().zip(weights) {
            loss = (loss + (output * weight)?.sum_all()?)?;
        }
        Ok::<_, Error>(loss)
    };
    differentiate(&mut gradients, loss).expect("gradients");
    for (key, variable) in variables.all().into_iter().filter(|(_, v)| v.is_trainable()) {
        match (wanted.remove(&key), gradients.get(&variable.var)) {
            (Some(wanted), Some(found)) => agree_values(&key, found, &wanted, [1e-4, 1e-3]),
            (None, None) => {}
            (wanted, found) => panic!("{key}: wanted {}, found {}", wanted.is_some(), found.is_some()),
        }
    }
    assert!(wanted.is_empty(), "no variable for {:?}", wanted.keys());
}
