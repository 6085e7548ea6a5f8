//! What tests of parity share; the fixtures' side of it is `../fixtures/support.py`.
use std::path::{Path, PathBuf};

use nerve_core::graph::{Device, Tensor, Variables, read};
use nerve_core::ops::parity::{PARITY_L2, PARITY_MAX, close};
use nerve_vision::load::{Destination, Keys, LoadReport, WeightSource, load};

/// Values in `[-2, 2)` that depend on their index alone, exact in single precision.
pub fn noise(shape: &[usize]) -> Tensor {
    let value = |i: usize| {
        let mut h = (i as u32).wrapping_mul(0x9E37_79B1);
        h ^= h >> 15;
        h = h.wrapping_mul(0x85EB_CA77);
        h ^= h >> 13;
        (h >> 8) as f32 / (1 << 22) as f32 - 2.0
    };
    let values = (0..shape.iter().product()).map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("noise")
}

/// A file of weights and of what they put out.
pub struct Fixture(WeightSource);

impl Fixture {
    pub fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        Self(WeightSource::open(&path).expect("a fixture"))
    }

    /// All its weights, which must be all that the model has.
    pub fn load(&mut self, variables: &Variables, keys: &dyn Keys) {
        let place = |name: &str| {
            if name.starts_with("fixture.") { Destination::Ignored } else { keys.destination(name) }
        };
        load(variables, "", &mut self.0, &place).and_then(LoadReport::strict).expect("a strict load");
    }

    pub fn values(&mut self, name: &str) -> Vec<f64> {
        let name = format!("fixture.{name}");
        self.0.read(&name).expect("stored values").into_iter().map(f64::from).collect()
    }

    /// What is stored under a prefix, without it.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let prefix = format!("fixture.{prefix}");
        self.0.shapes().filter_map(|(name, _)| name.strip_prefix(&prefix)).map(str::to_owned).collect()
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.0.shape(&format!("fixture.{name}")).expect("stored values").to_vec()
    }

    /// Asserts that a tensor is what is stored.
    pub fn agrees(&mut self, name: &str, ours: &Tensor) {
        assert_eq!(ours.dims(), self.shape(name), "{name}");
        let ours = ours.contiguous().expect("contiguous");
        self.near(name, &read(&ours).expect("values"));
    }

    /// Asserts that values are what is stored.
    pub fn near(&mut self, name: &str, ours: &[f32]) {
        close(ours, &self.values(name), PARITY_L2, PARITY_MAX).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

/// The loss whose gradients are stored: all outputs with weights of their own.
pub fn weighted(outputs: &[Tensor]) -> Tensor {
    let terms = outputs.iter().map(|x| (x * noise(x.dims())).and_then(|x| x.sum_all()).expect("a term"));
    terms.reduce(|a, b| (a + b).expect("a sum")).expect("an output")
}

/// A file of the shared data; without it the name of the test that is skipped is printed.
pub fn shared(test: &str, file: &str) -> Option<PathBuf> {
    let path = std::env::var_os("NERVE_TEST_DATA").map(|root| Path::new(&root).join(file));
    let path = path.filter(|path| path.is_file());
    if path.is_none() {
        eprintln!("skipped {test}: NERVE_TEST_DATA has no {file}");
    }
    path
}
