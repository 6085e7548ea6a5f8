//! What every model is tested for. Unit tests of the library include this file too.
use nerve_core::graph::{Device, Gradients, Result, Tensor, Variables, bail, differentiate};

/// Checks that every trainable variable receives a gradient that is finite and not all zero, from a loss in which all
/// outputs have their own weights.
///
/// `outputs` runs the model. A model whose weights are all of one value may well have vanishing gradients: draw them
/// before, with deviations large enough.
///
/// # Errors
/// If the model fails, or naming the variables that were not reached.
pub fn gradient_reach(variables: &Variables, outputs: impl FnOnce() -> Result<Vec<Tensor>>) -> Result<()> {
    let mut gradients = Gradients::default();
    differentiate(&mut gradients, || weighted(&outputs()?))?;
    let mut unreached = Vec::new();
    for (key, var) in variables.trainable() {
        let what = match gradients.get(&var) {
            None => "none",
            Some(g) if g.iter().any(|v| !v.is_finite()) => "not finite",
            Some(g) if g.iter().all(|v| *v == 0.0) => "zero",
            Some(_) => continue,
        };
        unreached.push(format!("{key} ({what})"));
    }
    if !unreached.is_empty() {
        bail!("no gradient reaches {} variables: {}", unreached.len(), unreached.join(", "));
    }
    Ok(())
}

/// The sum of all outputs' values, each with a weight of its own.
fn weighted(outputs: &[Tensor]) -> Result<Tensor> {
    let mut loss: Option<Tensor> = None;
    for (i, output) in outputs.iter().enumerate() {
        let n = output.elem_count();
        // Not the same for all channels or cells: what a normalization removes has no gradient.
        let weights: Vec<f32> =
            (0..n).map(|j| ((j * 7919 + i * 104_729) % 1009) as f32 / 504.0 - 1.0).collect();
        let weights = Tensor::from_vec(weights, output.shape(), output.device())?;
        let term = (output * weights)?.sum_all()?;
        loss = Some(match loss {
            Some(loss) => (loss + term)?,
            None => term,
        });
    }
    match loss {
        Some(loss) => Ok(loss),
        None => bail!("the model put out nothing"),
    }
}

/// Two images of this size, of values from -1 to 1.
#[allow(dead_code)] // By unit tests alone.
pub fn images(height: usize, width: usize) -> Tensor {
    let values: Vec<f32> =
        (0..2 * height * width * 3).map(|i| (i * 7919 % 1009) as f32 / 504.0 - 1.0).collect();
    Tensor::from_vec(values, (2, height, width, 3), &Device::Cpu).expect("images")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_core::graph::{Device, Init};

    #[test]
    fn an_unused_variable_is_named() {
        let variables = Variables::random(1);
        let scope = variables.tracked();
        let used = scope.weight("used", &[3], Init::Normal(1.0)).expect("a weight");
        let x = Tensor::ones(&[2, 3], nerve_core::graph::DType::F32, &Device::Cpu).expect("ones");
        let run = || Ok(vec![x.broadcast_mul(&used)?]);
        gradient_reach(&variables, run).expect("all reached");
        scope.weight("unused", &[3], Init::Normal(1.0)).expect("a weight");
        let error = gradient_reach(&variables, run).expect_err("one is not reached").to_string();
        assert!(error.contains("1 variables: unused (none)"), "{error}");
    }
}
