//! EUGen layers with their variables.
use super::Linear;
use crate::graph::{Init, Result, Scope, Tensor, bail};
use crate::ops::eugen::{FeatureConfig, features};

/// The features `f(x)` of an EUGen layer (see [`crate::ops::eugen`]); key `g` `(projections, columns, features)`.
#[derive(Clone, Debug)]
pub struct Features {
    g: Tensor,
    config: FeatureConfig,
}

impl Features {
    /// Of inputs of so many values.
    ///
    /// # Errors
    /// If the configuration is out of range, or variables exist with other shapes.
    pub fn new(scope: &Scope, inputs: usize, config: &FeatureConfig) -> Result<Self> {
        if let Err(error) = config.validate() {
            bail!("{}", error.in_file());
        }
        let scope = if config.frozen { &scope.frozen() } else { scope };
        let g = scope.weight("g", &config.shape(inputs), Init::Projections(config.start()))?;
        Ok(Self { g, config: config.clone() })
    }

    /// x is `(..., inputs)`; the result is `(..., order * features)`.
    ///
    /// # Errors
    /// If the last extent of x is another.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        features(x, &self.g, &self.config)
    }

    /// What they are.
    #[must_use]
    pub fn config(&self) -> &FeatureConfig {
        &self.config
    }
}

/// An EUGen layer, `y = Theta f(x) + theta_0`, or what it and a linear layer behind it have merged into; keys `g`,
/// `theta.weight` `(outputs, order * features)` and `theta.bias` `(outputs)`.
#[derive(Clone, Debug)]
pub struct Eugen {
    features: Features,
    theta: Linear,
}

impl Eugen {
    /// From `inputs` to `outputs` values.
    ///
    /// # Errors
    /// See [`Features::new`].
    pub fn new(scope: &Scope, inputs: usize, outputs: usize, config: &FeatureConfig) -> Result<Self> {
        let features = Features::new(scope, inputs, config)?;
        Ok(Self { features, theta: Linear::new(&scope.at("theta"), config.outputs(), outputs)? })
    }

    /// x is `(..., inputs)`; the result is `(..., outputs)`.
    ///
    /// # Errors
    /// If the last extent of x is another.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.theta.forward(&self.features.forward(x)?)
    }

    /// Its second half alone, of what was made of the features.
    ///
    /// # Errors
    /// If the last extent is another.
    pub fn theta(&self, features: &Tensor) -> Result<Tensor> {
        self.theta.forward(features)
    }

    /// Its first half.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Device, Gradients, Variables, differentiate, read, to_vec};
    use crate::ops::check::{TestRng, close, narrow, widen};
    use crate::ops::eugen::merge;

    fn tensor(values: &[f64], shape: (usize, usize)) -> Tensor {
        Tensor::from_vec(narrow(values), shape, &Device::Cpu).expect("a tensor")
    }

    /// Gradients reach all variables, and G alone is left out where it is frozen.
    #[test]
    fn gradients_reach_what_is_trained() {
        for (frozen, keys) in
            [(false, &["g", "theta.bias", "theta.weight"][..]), (true, &["theta.bias", "theta.weight"][..])]
        {
            let variables = Variables::random(3);
            let config = FeatureConfig { order: 2, features: 16, frozen, ..FeatureConfig::default() };
            let layer = Eugen::new(&variables.tracked(), 5, 7, &config).expect("a layer");
            let x = tensor(&TestRng::new(1).normals(6 * 5, 1.0), (6, 5));
            let mut gradients = Gradients::default();
            differentiate(&mut gradients, || layer.forward(&x)?.sqr()?.sum_all()).expect("backward");
            let trained = variables.trainable();
            assert_eq!(trained.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), keys);
            for (key, var) in trained {
                let reached = gradients.get(&var).is_some_and(|g| g.iter().any(|g| *g != 0.0));
                assert!(reached, "no gradient reaches {key}");
            }
            assert_eq!(variables.parameters(), config.parameters(5, 7));
            assert_eq!(layer.features().config(), &config);
        }
    }

    /// A layer and a linear one behind it are one layer, to rounding.
    #[test]
    fn merged_and_unmerged_agree() {
        let config = FeatureConfig { order: 2, features: 32, ..FeatureConfig::default() };
        let (variables, merged) = (Variables::random(5), Variables::random(5));
        let first = Eugen::new(&variables.tracked(), 24, 96, &config).expect("a layer");
        let second = Linear::new(&variables.tracked().at("u"), 96, 24).expect("a layer");
        let one = Eugen::new(&merged.tracked(), 24, 24, &config).expect("a layer");
        let mut rng = TestRng::new(2);
        let value = |key: &str| variables.get(key).expect("a variable").var;
        value("u.bias")
            .set(&Tensor::from_vec(narrow(&rng.normals(24, 1.0)), 24, &Device::Cpu).expect("b"))
            .expect("set");
        let [theta, bias, u, u_bias] =
            ["theta.weight", "theta.bias", "u.weight", "u.bias"].map(|key| to_vec(&value(key)));
        let (weight, constant) = merge(&theta, &bias, &u, Some(&u_bias));
        let set = |key: &str, values: Vec<f32>| {
            let var = merged.get(key).expect("a variable").var;
            var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu).expect("values")).expect("set");
        };
        set("theta.weight", weight);
        set("theta.bias", constant);
        set("g", to_vec(&value("g")));
        let x = tensor(&rng.normals(50 * 24, 1.0), (50, 24));
        let two = second.forward(&first.forward(&x).expect("y")).expect("z");
        let got = one.forward(&x).expect("z");
        let want = widen(&read(&two).expect("values"));
        close(&read(&got).expect("values"), &want, 1e-6, 1e-5).expect("merged");
        assert!(merged.parameters() < variables.parameters());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let variables = Variables::random(1);
        let scope = variables.tracked();
        let error =
            |config: FeatureConfig| Features::new(&scope, 4, &config).expect_err("refused").to_string();
        assert!(error(FeatureConfig { features: 20, ..FeatureConfig::default() }).contains("in steps of 16"));
        assert!(error(FeatureConfig { order: 0, ..FeatureConfig::default() }).contains("1 to 4"));
        let biased = FeatureConfig { phi: Default::default(), ..FeatureConfig::unbiased(16, &[0.0, 1.0]) };
        assert!(error(biased).contains("identity"));
        let layer = Features::new(&scope, 4, &FeatureConfig::default()).expect("a layer");
        assert!(layer.forward(&tensor(&[0.0; 6], (2, 3))).is_err());
    }
}
