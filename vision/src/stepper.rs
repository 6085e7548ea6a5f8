//! Optimization steps of a task: gradients summed over batches, their norm limited, AdamW.
use nerve_core::graph::{Gradients, Mode, Optimizer, Result, differentiate, read};

use crate::task::Task;

/// The optimizer of a task, and the gradients of the step in progress.
pub struct Stepper {
    optimizer: Optimizer,
    gradients: Gradients,
    /// Batches whose gradients are summed.
    batches: usize,
}

/// The loss of a step, a mean over its batches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepLoss {
    /// The total.
    pub total: f64,
    /// Its parts before they are weighted, by name.
    pub parts: Vec<(String, f64)>,
}

impl Stepper {
    /// For the task's groups; `average` is the decay per step of an exponential average of the weights, if one is kept.
    ///
    /// # Errors
    /// If a variable belongs to no group.
    pub fn new(task: &impl Task, average: Option<f32>) -> Result<Self> {
        let optimizer = Optimizer::new(task.variables(), average, &task.groups())?;
        Ok(Self { optimizer, gradients: Gradients::default(), batches: 0 })
    }

    /// Takes the gradients of so many batches, those of a step before being forgotten.
    ///
    /// # Errors
    /// If there is no next batch, or it does not suit the model.
    pub fn backward<T: Task, E: From<nerve_core::graph::Error>>(
        &mut self,
        task: &T,
        mode: Mode,
        batches: usize,
        mut next: impl FnMut() -> std::result::Result<T::Batch, E>,
    ) -> std::result::Result<StepLoss, E> {
        self.gradients.clear();
        self.batches = batches;
        let mut mean = StepLoss::default();
        let share = |value: f64| value / batches as f64;
        for _ in 0..batches {
            let batch = next()?;
            let mut parts = Vec::new();
            let total = differentiate(&mut self.gradients, || {
                let loss = task.loss(&batch, mode)?;
                parts = loss.parts()?;
                Ok::<_, E>(loss.total().clone())
            })?;
            mean.total += share(f64::from(read(&total)?[0]));
            for (name, value) in parts {
                match mean.parts.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += share(value),
                    None => mean.parts.push((name, share(value))),
                }
            }
        }
        Ok(mean)
    }

    /// The gradients that [`Self::backward`] took, summed over its batches: what several processes would exchange.
    pub fn gradients(&mut self) -> &mut Gradients {
        &mut self.gradients
    }

    /// The norm of the mean gradient of the batches.
    #[must_use]
    pub fn norm(&self) -> f64 {
        self.optimizer.norm(&self.gradients) * self.share()
    }

    /// Moves the variables at `factor` of their learning rates, by the mean gradient scaled to a norm of at most `clip` (0
    /// for no limit). `norm` is [`Self::norm`].
    ///
    /// # Errors
    /// If a variable cannot be written.
    pub fn update(&mut self, factor: f64, norm: f64, clip: f64) -> Result<()> {
        let limited = if clip > 0.0 && norm > clip { clip / norm } else { 1.0 };
        let scale = (self.share() * limited) as f32;
        self.optimizer.step(&mut self.gradients, factor as f32, scale)
    }

    fn share(&self) -> f64 {
        1.0 / self.batches.max(1) as f64
    }

    /// The optimizer, whose state a checkpoint keeps.
    #[must_use]
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// The same, to be restored, or to exchange weights with their averages.
    pub fn optimizer_mut(&mut self) -> &mut Optimizer {
        &mut self.optimizer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Loss;
    use nerve_core::graph::{Error, Init, Matcher, ParamGroup, Tensor, Variables, to_vec};

    /// The sum of w x over a batch's numbers.
    struct Dot {
        variables: Variables,
        w: Tensor,
    }

    impl Task for Dot {
        type Batch = f64;

        fn variables(&self) -> &Variables {
            &self.variables
        }

        fn groups(&self) -> Vec<ParamGroup> {
            let matcher = Matcher::All;
            vec![ParamGroup { name: "all".into(), matcher, lr: 0.5, decay: 0.0, frozen: false }]
        }

        fn loss(&self, batch: &f64, _: Mode) -> Result<Loss> {
            Loss::new("dot", (&self.w * *batch)?.sum_all()?).plus("sum", self.w.sum_all()?, 0.0)
        }
    }

    #[test]
    fn batches_are_averaged_and_the_norm_limited() {
        let variables = Variables::random(1);
        let w = variables.tracked().weight("w", &[1], Init::Constant(2.0)).expect("a weight");
        let task = Dot { variables, w };
        let mut stepper = Stepper::new(&task, None).expect("a stepper");
        let mut batches = [3.0, 5.0].into_iter();
        let next = || batches.next().ok_or_else(|| Error::Msg("no batch is left".into()));
        let loss = stepper.backward(&task, Mode::Eval, 2, next).expect("a loss");
        assert_eq!(loss.total, 8.0);
        assert_eq!(loss.parts, [("dot".to_owned(), 8.0), ("sum".to_owned(), 2.0)]);
        assert_eq!(stepper.norm(), 4.0);
        stepper.update(1.0, 4.0, 1.0).expect("a step");
        let found = |name: &str| {
            let all = stepper.optimizer().tensors();
            let (_, _, data) = all.into_iter().find(|(key, ..)| key == name).expect("a moment");
            match data {
                nerve_core::checkpoint::TensorData::F32(values) => f64::from(values[0]),
                _ => panic!("moments are f32"),
            }
        };
        // The first moment is a tenth of the gradient, which was limited from 4 to 1.
        assert!((found("adam.m/w") - 0.1).abs() < 1e-6);
        let w = to_vec(&task.variables.get("w").expect("w").var)[0];
        assert!((w - 1.5).abs() < 1e-5, "Adam's first step is the rate: {w}");
        let missing = || Err::<f64, _>(Error::Msg("no batch is left".into()));
        assert!(stepper.backward(&task, Mode::Eval, 1, missing).is_err());
    }
}
