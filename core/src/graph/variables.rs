//! The owner of a graph model's variables: each is made once, under the key that its checkpoint uses.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{Device, Result, Var, bail};

use super::{Init, ParamGroup};

/// What training does to a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariableKind {
    /// The optimizer moves it along its gradient.
    Trainable,
    /// A weight that stays as it is: it has no gradient, no moments and no average.
    Frozen,
    /// Not a weight: statistics that a layer updates itself, such as batch norm's running mean.
    Buffer,
}

/// One named variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its values.
    pub var: Var,
    /// What training does to it.
    pub kind: VariableKind,
}

impl Variable {
    /// Whether the optimizer moves it.
    #[must_use]
    pub fn is_trainable(&self) -> bool {
        self.kind == VariableKind::Trainable
    }
}

#[derive(Debug, Default)]
struct Inner {
    variables: BTreeMap<String, Entry>,
    /// Values of all of them.
    total: usize,
}

#[derive(Debug)]
struct Entry {
    variable: Variable,
    /// A model holds a tensor of it that gradients flow through.
    tracked: bool,
}

/// All variables of a model, by key, on one device. Clones share them.
///
/// A model is built from a [`Scope`](super::Scope) over them: it takes variables that exist under its keys as they are (so that two
/// models can share them, one tracked and one detached) and makes the others. A key's values depend on the seed and the
/// key alone, not on the order of construction.
#[derive(Clone, Debug)]
pub struct Variables {
    inner: Arc<Mutex<Inner>>,
    device: Device,
    seed: Option<u64>,
    /// How many values all of them together may have.
    most: usize,
}

impl Variables {
    /// None yet, on the CPU; new ones are drawn with `seed`.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        Self { seed: Some(seed), ..Self::unset() }
    }

    /// None yet, on the CPU; new ones are zeros, to be loaded.
    #[must_use]
    pub fn unset() -> Self {
        Self { inner: Arc::default(), device: Device::Cpu, seed: None, most: usize::MAX }
    }

    /// As these, but new variables are made on `device`; see [`super::graph_device`].
    #[must_use]
    pub fn on(self, device: Device) -> Self {
        Self { device, ..self }
    }

    /// As these, but a model that needs more values than `most` is refused before they are allocated: for configurations
    /// from untrusted files.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// The device that holds them, and that inputs of their model belong on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// All variables in the order of their keys.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Variable)> {
        self.lock().variables.iter().map(|(key, entry)| (key.clone(), entry.variable.clone())).collect()
    }

    /// The trainable variables in the order of their keys: the order in which gradients are gone through, whatever the
    /// number of threads or processes.
    #[must_use]
    pub fn trainable(&self) -> Vec<(String, Var)> {
        let trainable = |(key, v): (String, Variable)| v.is_trainable().then_some((key, v.var));
        self.all().into_iter().filter_map(trainable).collect()
    }

    /// One variable.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Variable> {
        self.lock().variables.get(key).map(|entry| entry.variable.clone())
    }

    /// The number of weights, trainable or frozen: the size of the model. Buffers are not counted.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.count(|kind| kind != VariableKind::Buffer)
    }

    /// The number of trainable weights.
    #[must_use]
    pub fn trainable_parameters(&self) -> usize {
        self.count(|kind| kind == VariableKind::Trainable)
    }

    fn count(&self, counted: impl Fn(VariableKind) -> bool) -> usize {
        let inner = self.lock();
        let variables = inner.variables.values().map(|entry| &entry.variable);
        variables.filter(|v| counted(v.kind)).map(|v| v.var.elem_count()).sum()
    }

    /// Freezes the trainable variables whose group is frozen. Build the model that is trained afterwards: it gets them
    /// without a gradient.
    ///
    /// # Errors
    /// If a model that was built before already sends gradients to one of them.
    pub fn freeze(&self, groups: &[ParamGroup]) -> Result<()> {
        let mut inner = self.lock();
        for (key, entry) in &mut inner.variables {
            let Variable { var, kind } = &mut entry.variable;
            let group = ParamGroup::of(groups, key, var.dims());
            if *kind != VariableKind::Trainable || group.is_none_or(|group| !group.frozen) {
                continue;
            }
            if entry.tracked {
                bail!("{key} cannot be frozen: a model that trains it exists already");
            }
            *kind = VariableKind::Frozen;
        }
        Ok(())
    }

    /// Notes that a model sends gradients to the variable `key`.
    pub(super) fn track(&self, key: &str) {
        if let Some(entry) = self.lock().variables.get_mut(key) {
            entry.tracked = true;
        }
    }

    /// The variable `key`: as it is, or made of this kind.
    ///
    /// # Errors
    /// If it exists with another shape, or there would be more values than these may have.
    pub(super) fn variable(
        &self,
        key: &str,
        shape: &[usize],
        init: Init,
        kind: VariableKind,
    ) -> Result<Variable> {
        if let Some(known) = self.get(key) {
            if known.var.dims() != shape {
                bail!("{key} has the shape {:?}, not {shape:?}", known.var.dims());
            }
            return Ok(known);
        }
        let most = self.most;
        let need = shape.iter().try_fold(1usize, |n, side| n.checked_mul(*side));
        let total = self.lock().total;
        let Some(total) = need.and_then(|n| n.checked_add(total)).filter(|total| *total <= most) else {
            bail!("with {key} {shape:?} the model has more than {most} values");
        };
        let values = match (self.seed, init) {
            (None, init) if !matches!(init, Init::Constant(_)) => vec![0.0; shape.iter().product()],
            (seed, init) => init.values(seed.unwrap_or(0), key, shape),
        };
        let variable = Variable { var: Var::from_vec(values, shape, &self.device)?, kind };
        let mut inner = self.lock();
        inner.total = total;
        inner.variables.insert(key.to_owned(), Entry { variable: variable.clone(), tracked: false });
        Ok(variable)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a single insertion or assignment: a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
