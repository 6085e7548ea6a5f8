//! The owner of a graph model's variables: each is made once, under the key that its checkpoint uses.
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use candle_core::{Device, Result, Tensor, Var, bail};

use super::Init;

/// One named variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its values.
    pub var: Var,
    /// Learnt by gradient (else a buffer: running statistics, tables that are computed).
    pub trainable: bool,
}

/// All variables of a model, by key.
///
/// A model is built from a [`Scope`] over them: keys that are there already are taken as they are (so that two models
/// can share them, one tracked and one not), others are made.
#[derive(Clone, Debug)]
pub struct Variables {
    inner: Rc<RefCell<BTreeMap<String, Variable>>>,
    /// Values of all of them.
    total: Rc<Cell<usize>>,
    device: Device,
    seed: Option<u64>,
    /// How many values all of them together may have.
    most: usize,
}

impl Variables {
    /// None yet; new ones are drawn with `seed`.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        Self {
            inner: Rc::default(),
            total: Rc::default(),
            device: Device::Cpu,
            seed: Some(seed),
            most: usize::MAX,
        }
    }

    /// None yet; new ones are zeros, to be loaded.
    #[must_use]
    pub fn unset() -> Self {
        Self { inner: Rc::default(), total: Rc::default(), device: Device::Cpu, seed: None, most: usize::MAX }
    }

    /// As these, but a model that needs more values than `most` is refused before they are allocated: for configurations
    /// that nobody vouches for.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// The place where a model finds its variables and gradients reach them.
    #[must_use]
    pub fn tracked(&self) -> Scope {
        Scope { variables: self.clone(), prefix: String::new(), tracked: true }
    }

    /// The same for a model that only answers: nothing is kept for a backward pass.
    #[must_use]
    pub fn detached(&self) -> Scope {
        Scope { variables: self.clone(), prefix: String::new(), tracked: false }
    }

    /// All variables in order of their keys.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Variable)> {
        self.inner.borrow().iter().map(|(key, v)| (key.clone(), v.clone())).collect()
    }

    /// One variable.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Variable> {
        self.inner.borrow().get(key).cloned()
    }

    /// The number of trainable values.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.inner.borrow().values().filter(|v| v.trainable).map(|v| v.var.elem_count()).sum()
    }
}

/// A prefix of keys under which a part of a model makes its variables.
#[derive(Clone, Debug)]
pub struct Scope {
    variables: Variables,
    prefix: String,
    tracked: bool,
}

impl Scope {
    /// The part `name` of this part.
    #[must_use]
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        let prefix = format!("{}{name}.", self.prefix);
        Self { prefix, ..self.clone() }
    }

    /// The same place, with variables that no gradient reaches: a frozen part.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self { tracked: false, ..self.clone() }
    }

    /// The device of the variables.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.variables.device
    }

    /// The trainable variable `name` of this shape, drawn as `init` says if it is not there yet.
    ///
    /// # Errors
    /// If it is there with another shape.
    pub fn weight(&self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let var = self.variable(name, shape, init, true)?;
        Ok(if self.tracked { var.as_tensor().clone() } else { var.as_detached_tensor() })
    }

    /// The buffer `name`, filled with `value` if it is not there yet.
    ///
    /// # Errors
    /// If it is there with another shape.
    pub fn buffer(&self, name: &str, shape: &[usize], value: f32) -> Result<Var> {
        self.variable(name, shape, Init::Constant(value), false)
    }

    fn variable(&self, name: &str, shape: &[usize], init: Init, trainable: bool) -> Result<Var> {
        let key = format!("{}{name}", self.prefix);
        if let Some(known) = self.variables.get(&key) {
            if known.var.dims() != shape {
                bail!("{key} has the shape {:?}, not {shape:?}", known.var.dims());
            }
            return Ok(known.var);
        }
        let Variables { total, most, .. } = &self.variables;
        let need = shape.iter().try_fold(1usize, |n, side| n.checked_mul(*side));
        let Some(all) = need.and_then(|n| n.checked_add(total.get())).filter(|all| all <= most) else {
            bail!("with {key} {shape:?} the model has more than {most} values");
        };
        let values = match (self.variables.seed, init) {
            (None, init) if !matches!(init, Init::Constant(_)) => vec![0.0; shape.iter().product()],
            (seed, init) => init.values(seed.unwrap_or(0), &key, shape),
        };
        let var = Var::from_vec(values, shape, &self.variables.device)?;
        total.set(all);
        self.variables.inner.borrow_mut().insert(key, Variable { var: var.clone(), trainable });
        Ok(var)
    }
}
