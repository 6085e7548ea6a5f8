//! What a trainer trains: variables in groups, and a loss of batches.
use nerve_core::graph::{Mode, ParamGroup, Result, Tensor, Variables, read};

/// A model with what it is trained for.
pub trait Task {
    /// What a step learns from.
    type Batch;

    /// The variables that it trains, and those that it keeps.
    fn variables(&self) -> &Variables;

    /// The parameter groups of its variables; the first that matches takes one.
    fn groups(&self) -> Vec<ParamGroup>;

    /// The loss of a batch, in the mode of training or of evaluation.
    ///
    /// # Errors
    /// If the batch does not suit the model.
    fn loss(&self, batch: &Self::Batch, mode: Mode) -> Result<Loss>;
}

/// A weighted sum of named losses.
#[derive(Clone, Debug)]
pub struct Loss {
    total: Tensor,
    parts: Vec<(String, Tensor)>,
}

impl Loss {
    /// Of one part, a scalar, with a weight of 1.
    #[must_use]
    pub fn new(name: impl Into<String>, value: Tensor) -> Self {
        Self { total: value.clone(), parts: vec![(name.into(), value)] }
    }

    /// Of one part, a scalar, with this weight.
    ///
    /// # Errors
    /// If it is no scalar.
    pub fn weighted(name: impl Into<String>, value: Tensor, weight: f64) -> Result<Self> {
        Ok(Self { total: (&value * weight)?, parts: vec![(name.into(), value)] })
    }

    /// The sum of this and `weight` times another part, a scalar.
    ///
    /// # Errors
    /// If it is no scalar.
    pub fn plus(mut self, name: impl Into<String>, value: Tensor, weight: f64) -> Result<Self> {
        self.total = (self.total + (&value * weight)?)?;
        self.parts.push((name.into(), value));
        Ok(self)
    }

    /// What is differentiated: a scalar.
    #[must_use]
    pub fn total(&self) -> &Tensor {
        &self.total
    }

    /// The parts' values before they are weighted, by name.
    ///
    /// # Errors
    /// If a part cannot be read.
    pub fn parts(&self) -> Result<Vec<(String, f64)>> {
        let value = |(name, part): &(String, Tensor)| Ok((name.clone(), f64::from(read(part)?[0])));
        self.parts.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_core::graph::{Device, Gradients, Init, differentiate};

    #[test]
    fn parts_are_weighted_in_the_total_and_in_its_gradient() {
        let variables = Variables::random(1);
        let w = variables.tracked().weight("w", &[1], Init::Constant(3.0)).expect("a weight");
        let mut parts = Vec::new();
        let mut gradients = Gradients::default();
        let total = differentiate(&mut gradients, || {
            let loss = Loss::new("first", w.sqr()?.sum_all()?).plus("second", w.sum_all()?, 0.5)?;
            parts = loss.parts()?;
            Ok::<_, nerve_core::graph::Error>(loss.total().clone())
        });
        assert_eq!(total.and_then(|t| t.to_scalar::<f32>()).expect("a loss"), 9.0 + 1.5);
        assert_eq!(parts, [("first".to_owned(), 9.0), ("second".to_owned(), 3.0)]);
        let w = variables.get("w").expect("w").var;
        assert_eq!(gradients.get(&w).expect("a gradient"), [6.0 + 0.5]);
        let vector = Tensor::zeros(2, nerve_core::graph::DType::F32, &Device::Cpu).expect("a vector");
        assert!(Loss::new("first", w.sum_all().expect("a scalar")).plus("second", vector, 1.0).is_err());
    }
}
