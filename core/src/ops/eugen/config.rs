//! What features there are, and what they take.

use crate::ops::small_gemm::COLUMN_PAD;
use crate::settings::{SettingError, check};
use serde::{Deserialize, Serialize};

/// The features of an EUGen layer (see the [module](super)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureConfig {
    /// EUGen layers: the highest order k of products, 1 to 4
    #[arg(id = "eugen_order", long = "eugen-order", value_name = "K", default_value_t = 1)]
    pub order: usize,
    /// EUGen layers: features m of each order, a multiple of 16
    #[arg(id = "eugen_features", long = "eugen-features", value_name = "M", default_value_t = 64)]
    pub features: usize,
    /// EUGen layers: what features pass through, Phi (and Psi): relu or identity
    #[arg(id = "eugen_phi", long = "eugen-phi", value_enum, default_value_t)]
    pub phi: Nonlinearity,
    /// EUGen layers: rows of the projections G, orthogonal or independent
    #[arg(id = "eugen_rows", long = "eugen-rows", value_enum, default_value_t)]
    pub rows: RowKind,
    /// EUGen layers: do not append the input's norm
    #[arg(id = "eugen_no_norm", long = "eugen-no-norm")]
    pub no_norm: bool,
    /// EUGen layers: keep the projections G as they were drawn, and train Theta alone
    #[arg(id = "eugen_frozen", long = "eugen-frozen")]
    pub frozen: bool,
    /// EUGen layers: coefficients a_0,a_1,.. of an activation that the layer estimates without bias; needs --eugen-phi identity
    #[arg(
        long = "eugen-polynomial",
        value_name = "A0,A1,..",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub polynomial: Vec<f32>,
}

/// What features pass through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Nonlinearity {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// Nothing.
    Identity,
}

/// How rows of a projection are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RowKind {
    /// Orthogonal in blocks of as many as there are columns, with the norms of independent ones.
    #[default]
    Orthogonal,
    /// Independent and normal.
    Independent,
}

/// The highest order: products of more normal values have tails that no sum of features tames.
const MOST_ORDERS: usize = 4;
/// The most features of an order.
const MOST_FEATURES: usize = 4096;

impl Default for FeatureConfig {
    fn default() -> Self {
        Self {
            order: 1,
            features: 64,
            phi: Nonlinearity::Relu,
            rows: RowKind::Orthogonal,
            no_norm: false,
            frozen: false,
            polynomial: Vec::new(),
        }
    }
}

impl FeatureConfig {
    /// A low-rank layer: two linear maps with nothing between them.
    #[must_use]
    pub fn low_rank(features: usize) -> Self {
        Self { features, phi: Nonlinearity::Identity, no_norm: true, ..Self::default() }
    }

    /// SNNK's layer: an activation between them.
    #[must_use]
    pub fn snnk(features: usize) -> Self {
        Self { features, no_norm: true, ..Self::default() }
    }

    /// A magnituder: independent rows that see the norm.
    #[must_use]
    pub fn magnituder(features: usize) -> Self {
        Self { features, rows: RowKind::Independent, ..Self::default() }
    }

    /// The unbiased estimate of `sum of a_i z^i`.
    #[must_use]
    pub fn unbiased(features: usize, polynomial: &[f32]) -> Self {
        Self {
            order: polynomial.len().saturating_sub(1),
            features,
            phi: Nonlinearity::Identity,
            polynomial: polynomial.to_vec(),
            ..Self::default()
        }
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let (order, features) = (self.order, self.features);
        check((1..=MOST_ORDERS).contains(&order), "--eugen-order", order, "1 to 4")?;
        let whole = features.is_multiple_of(COLUMN_PAD) && (COLUMN_PAD..=MOST_FEATURES).contains(&features);
        check(whole, "--eugen-features", features, "16 to 4096 in steps of 16")?;
        let given = &self.polynomial;
        let text = || format!("{given:?}");
        let fits = given.is_empty() || given.len() == order + 1;
        check(fits, "--eugen-polynomial", text(), format!("{} coefficients, for order {order}", order + 1))?;
        check(given.iter().all(|a| a.is_finite()), "--eugen-polynomial", text(), "finite numbers")?;
        let plain = given.is_empty() || self.phi == Nonlinearity::Identity;
        check(plain, "--eugen-phi", "relu", "identity where --eugen-polynomial is given")
    }

    /// Matrices G: `k (k + 1) / 2`.
    #[must_use]
    pub fn projections(&self) -> usize {
        self.order * (self.order + 1) / 2
    }

    /// Values of an input of `inputs` with constant and norm.
    #[must_use]
    pub fn columns(&self, inputs: usize) -> usize {
        inputs + 1 + usize::from(!self.no_norm)
    }

    /// The shape of G, `[projection][column][feature]`.
    #[must_use]
    pub fn shape(&self, inputs: usize) -> [usize; 3] {
        [self.projections(), self.columns(inputs), self.features]
    }

    /// Values of a row's features: `k m`.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.order * self.features
    }

    /// Parameters of a layer, or of what it and a linear layer behind it merge into: G, Theta and the bias.
    #[must_use]
    pub fn parameters(&self, inputs: usize, outputs: usize) -> usize {
        self.shape(inputs).iter().product::<usize>() + outputs * (self.outputs() + 1)
    }

    /// Multiplications of a row in the same.
    #[must_use]
    pub fn products(&self, inputs: usize, outputs: usize) -> usize {
        self.shape(inputs).iter().product::<usize>() + outputs * self.outputs()
    }

    /// How G starts.
    #[must_use]
    pub fn start(&self) -> Projections {
        let a = |i: usize| self.polynomial.get(i + 1).copied().unwrap_or(1.0);
        Projections { rows: self.rows, coefficients: std::array::from_fn(a) }
    }
}

/// How the projections of a layer are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Projections {
    /// Their rows.
    pub rows: RowKind,
    /// `a_1 ..`: the size of each order's products.
    pub coefficients: [f32; MOST_ORDERS],
}
