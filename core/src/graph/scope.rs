//! Where in a model a part makes its variables: prefixes of keys, and whether gradients reach what is made there.
use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var, bail};

use super::{Init, Variable, VariableKind, Variables};

/// Tensors that take the place of weights, by their whole keys.
pub type Substitutes = BTreeMap<String, Tensor>;

/// A prefix of keys under which a part of a model makes its variables.
#[derive(Clone, Debug)]
pub struct Scope {
    variables: Variables,
    prefix: String,
    tracked: bool,
    frozen: bool,
    substitutes: Option<Arc<Substitutes>>,
}

impl Scope {
    /// The part `name` of this part.
    #[must_use]
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        let prefix = format!("{}{name}.", self.prefix);
        Self { prefix, ..self.clone() }
    }

    /// The same place for a part that is not trained: weights made here are [`VariableKind::Frozen`], and no gradient
    /// reaches those that exist already. Gradients still flow through the part to what is before it, and its batch
    /// norms use their running statistics.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self { frozen: true, ..self.clone() }
    }

    /// The same place, but a model that is built from here is given these tensors for the weights of their keys, and
    /// gradients go on to whatever made them: weights that another network makes, or that are a sum of others. They are
    /// what they were when they were made: a model of them is built again when they are.
    #[must_use]
    pub fn substituting(&self, substitutes: Arc<Substitutes>) -> Self {
        Self { substitutes: Some(substitutes), ..self.clone() }
    }

    /// The device of the variables.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.variables.device()
    }

    /// The weight `name` of this shape, drawn as `init` says if it does not exist yet.
    ///
    /// # Errors
    /// If it exists with another shape, or is a buffer.
    pub fn weight(&self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let new = if self.frozen { VariableKind::Frozen } else { VariableKind::Trainable };
        let Variable { var, kind } = self.variables.variable(&self.key(name), shape, init, new)?;
        if kind == VariableKind::Buffer {
            bail!("{}{name} is a buffer, not a weight", self.prefix);
        }
        if let Some(given) = self.substitutes.as_ref().and_then(|all| all.get(&self.key(name))) {
            if given.dims() != shape {
                bail!("{}{name} has the shape {shape:?}, and its substitute {:?}", self.prefix, given.dims());
            }
            return Ok(given.clone());
        }
        let tracked = self.tracked && !self.frozen && kind == VariableKind::Trainable;
        if tracked {
            self.variables.track(&self.key(name));
        }
        Ok(if tracked { var.as_tensor().clone() } else { var.as_detached_tensor() })
    }

    /// The weight `name`, which begins as a copy of `values` if it does not exist yet.
    ///
    /// # Errors
    /// See [`Self::weight`].
    pub fn copied(&self, name: &str, values: &Tensor) -> Result<Tensor> {
        let new = self.variables.get(&self.key(name)).is_none();
        let weight = self.weight(name, values.dims(), Init::Constant(0.0))?;
        if let Some(Variable { var, .. }) = self.variables.get(&self.key(name)).filter(|_| new) {
            let values = super::read(&values.contiguous()?)?.to_vec();
            super::update_in_place(&var, |own| own.copy_from_slice(&values))?;
        }
        Ok(weight)
    }

    /// The buffer `name`, filled with `value` if it does not exist yet.
    ///
    /// # Errors
    /// If it exists with another shape, or is a weight.
    pub fn buffer(&self, name: &str, shape: &[usize], value: f32) -> Result<Var> {
        let Variable { var, kind } =
            self.variables.variable(&self.key(name), shape, Init::Constant(value), VariableKind::Buffer)?;
        if kind != VariableKind::Buffer {
            bail!("{}{name} is a weight, not a buffer", self.prefix);
        }
        Ok(var)
    }

    /// Whether the weight `name` stays as it is where this scope's model is trained.
    #[must_use]
    pub fn is_frozen(&self, name: &str) -> bool {
        let known = self.variables.get(&self.key(name));
        self.frozen || known.is_some_and(|variable| variable.kind == VariableKind::Frozen)
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl Variables {
    /// The root scope of a model that is trained: gradients reach its trainable variables.
    #[must_use]
    pub fn tracked(&self) -> Scope {
        Scope {
            variables: self.clone(),
            prefix: String::new(),
            tracked: true,
            frozen: false,
            substitutes: None,
        }
    }

    /// The root scope of a model that only infers: nothing is kept for a backward pass.
    #[must_use]
    pub fn detached(&self) -> Scope {
        Scope { tracked: false, ..self.tracked() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Gradients, Matcher, Optimizer, ParamGroup, differentiate, to_vec};
    use crate::layers::Linear;

    fn group(name: &str, matcher: Matcher, frozen: bool) -> ParamGroup {
        ParamGroup { name: name.into(), matcher, lr: 0.1, decay: 0.0, frozen }
    }

    /// Two layers, the second one's output summed up.
    fn loss(layers: &[Linear; 2]) -> Result<Tensor> {
        let x = Tensor::ones((4, 3), candle_core::DType::F32, &Device::Cpu)?;
        layers[1].forward(&layers[0].forward(&x)?.sqr()?)?.sum_all()
    }

    /// The first layer is trained through the frozen second one, which keeps its values.
    fn only_the_first_is_trained(variables: &Variables, layers: &[Linear; 2], groups: &[ParamGroup]) {
        let keys: Vec<_> = variables.trainable().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["a.bias", "a.weight"]);
        assert_eq!((variables.parameters(), variables.trainable_parameters()), (24, 12));
        let mut optimizer = Optimizer::new(variables, Some(0.9), groups).expect("an optimizer");
        let kept: Vec<_> = optimizer.tensors().into_iter().map(|(key, ..)| key).collect();
        assert_eq!(kept.len(), 6, "moments and an average of two variables: {kept:?}");
        assert!(kept.iter().all(|key| key.contains("/a.")), "{kept:?}");
        let values = |key: &str| to_vec(&variables.get(key).expect("a variable").var);
        let before = ["a.weight", "b.weight", "b.bias"].map(values);
        let mut gradients = Gradients::default();
        differentiate(&mut gradients, || loss(layers)).expect("backward");
        assert_eq!(gradients.len(), 2, "what is frozen has no buffer");
        assert!(gradients.get(&variables.get("b.weight").expect("b").var).is_none());
        optimizer.step(&mut gradients, 1.0, 1.0).expect("a step");
        let after = ["a.weight", "b.weight", "b.bias"].map(values);
        assert!(before[0] != after[0] && before[1..] == after[1..]);
    }

    fn build(first: &Scope, second: &Scope) -> [Linear; 2] {
        [
            Linear::new(&first.at("a"), 3, 3).expect("a layer"),
            Linear::new(&second.at("b"), 3, 3).expect("a layer"),
        ]
    }

    #[test]
    fn a_frozen_part_lets_gradients_through_and_keeps_none() {
        let variables = Variables::random(1);
        let scope = variables.tracked();
        let layers = build(&scope, &scope.frozen());
        scope.buffer("mean", &[5], 0.0).expect("a buffer");
        assert!(scope.at("b").is_frozen("weight") && !scope.at("a").is_frozen("weight"));
        only_the_first_is_trained(&variables, &layers, &[group("a", Matcher::All, false)]);
        // It stays frozen where another model takes it up.
        assert!(!build(&scope, &scope)[1].bias().expect("a bias").track_op());
    }

    #[test]
    fn groups_freeze_what_no_model_trains_yet() {
        let variables = Variables::random(1);
        let groups = [group("b", Matcher::Prefix("b.".into()), true), group("a", Matcher::All, false)];
        build(&variables.detached(), &variables.detached());
        variables.freeze(&groups).expect("frozen");
        let layers = build(&variables.tracked(), &variables.tracked());
        only_the_first_is_trained(&variables, &layers, &groups);

        let variables = Variables::random(1);
        build(&variables.tracked(), &variables.tracked());
        let error = variables.freeze(&groups).expect_err("too late").to_string();
        assert!(error.contains("b.bias cannot be frozen"), "{error}");
    }

    #[test]
    fn weights_and_buffers_are_told_apart() {
        let scope = Variables::random(1).tracked();
        scope.buffer("mean", &[5], 0.0).expect("a buffer");
        scope.weight("w", &[5], Init::Normal(1.0)).expect("a weight");
        assert!(
            scope.weight("mean", &[5], Init::Normal(1.0)).is_err() && scope.buffer("w", &[5], 0.0).is_err()
        );
        assert!(scope.weight("w", &[6], Init::Normal(1.0)).is_err());
    }

    #[test]
    fn all_of_it_can_move_to_another_thread() {
        fn send<T: Send>() {}
        send::<Variables>();
        send::<Scope>();
        send::<Optimizer>();
        send::<Gradients>();
    }
}
