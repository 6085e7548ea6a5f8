//! Adapters and their generators in f64, as the equations have them.
use nerve_core::graph::{Variables, to_vec};

/// Rows and columns, row-major.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f64>,
}

impl Matrix {
    pub(super) fn new(rows: usize, columns: usize, values: &[f64]) -> Self {
        assert_eq!(values.len(), rows * columns);
        Self { rows, columns, values: values.to_vec() }
    }

    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        assert_eq!(self.columns, other.rows);
        let cell = |row, column| (0..self.columns).map(|i| self.at(row, i) * other.at(i, column)).sum();
        Self::of(self.rows, other.columns, cell)
    }

    pub(super) fn of(rows: usize, columns: usize, cell: impl Fn(usize, usize) -> f64) -> Self {
        let all = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        Self { rows, columns, values: all.map(|(row, column)| cell(row, column)).collect() }
    }

    pub(super) fn transposed(&self) -> Self {
        Self::of(self.columns, self.rows, |row, column| self.at(column, row))
    }

    /// The Kronecker product.
    pub(super) fn kron(&self, other: &Self) -> Self {
        Self::of(self.rows * other.rows, self.columns * other.columns, |row, column| {
            self.at(row / other.rows, column / other.columns)
                * other.at(row % other.rows, column % other.columns)
        })
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self::of(self.rows, self.columns, |row, column| self.at(row, column) + other.at(row, column))
    }
}

/// The values of a variable.
pub(super) fn get(variables: &Variables, key: &str) -> Vec<f64> {
    let variable = variables.get(key).unwrap_or_else(|| panic!("no variable {key}"));
    to_vec(&variable.var).into_iter().map(f64::from).collect()
}

/// A variable of so many rows, the rest of its extents as columns.
pub(super) fn matrix(variables: &Variables, key: &str, rows: usize) -> Matrix {
    let values = get(variables, key);
    Matrix::new(rows, values.len() / rows, &values)
}

/// `W x + b` of the layer at `key`.
pub(super) fn affine(variables: &Variables, key: &str, x: &[f64]) -> Vec<f64> {
    let bias = get(variables, &format!("{key}.bias"));
    let weight = matrix(variables, &format!("{key}.weight"), bias.len());
    let x = Matrix::new(x.len(), 1, x);
    weight.times(&x).values.iter().zip(bias).map(|(y, b)| y + b).collect()
}

pub(super) fn normed(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let scaled = x.iter().map(|v| (v - mean) / (variance + 1e-5).sqrt());
    scaled.zip(weight).zip(bias).map(|((v, w), b)| v * w + b).collect()
}

/// u of v, by the embedder at `key`.
pub(super) fn embedded(variables: &Variables, key: &str, v: &[f64], mip: bool) -> Vec<f64> {
    let v = if mip {
        let s: Vec<f64> = v.iter().map(|v| std::f64::consts::FRAC_PI_2 / (1.0 + (-v).exp())).collect();
        s.iter().map(|s| s.cos()).chain(s.iter().map(|s| s.sin())).collect()
    } else {
        v.to_vec()
    };
    let hidden: Vec<f64> =
        affine(variables, &format!("{key}.fc1"), &v).into_iter().map(|v| v.max(0.0)).collect();
    let y = affine(variables, &format!("{key}.fc2"), &hidden);
    let part = |name: &str| get(variables, &format!("{key}.norm.{name}"));
    normed(&y, &part("weight"), &part("bias"))
}

/// An adapter.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) down: Matrix,
    pub(super) up: Matrix,
    /// Biases of down and up, weight and bias of the norm.
    pub(super) vectors: [Vec<f64>; 4],
}

impl Layer {
    /// With the vectors of a scope, whose matrices something else makes.
    pub(super) fn at(variables: &Variables, scope: &str, down: Matrix, up: Matrix) -> Self {
        let names = ["down.bias", "up.bias", "norm.weight", "norm.bias"];
        Self { down, up, vectors: names.map(|name| get(variables, &format!("{scope}.{name}"))) }
    }

    /// Whole, of a scope.
    pub(super) fn independent(variables: &Variables, scope: &str, channels: usize, hidden: usize) -> Self {
        let part = |name: &str, rows| matrix(variables, &format!("{scope}.{name}.weight"), rows);
        Self::at(variables, scope, part("down", hidden), part("up", channels))
    }

    /// Generated, of all values that a generator puts out.
    pub(super) fn generated(all: &[f64], channels: usize, hidden: usize, rank: Option<usize>) -> Self {
        let mut rest = all;
        let mut take = |n: usize| {
            let (part, after) = rest.split_at(n);
            rest = after;
            part.to_vec()
        };
        let mut product = |rows: usize, columns: usize| match rank {
            None => Matrix::new(rows, columns, &take(rows * columns)),
            Some(rank) => {
                let left = Matrix::new(rows, rank, &take(rows * rank));
                left.times(&Matrix::new(rank, columns, &take(rank * columns)))
            }
        };
        let (down, up) = (product(hidden, channels), product(channels, hidden));
        let vectors = [take(hidden), take(channels), take(channels), take(channels)];
        assert!(rest.is_empty());
        Self { down, up, vectors }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let sum = |i: usize| self.vectors[i].iter().zip(&other.vectors[i]).map(|(a, b)| a + b).collect();
        Self {
            down: self.down.plus(&other.down),
            up: self.up.plus(&other.up),
            vectors: [sum(0), sum(1), sum(2), sum(3)],
        }
    }

    /// `y + LN(up swish(down x))`.
    pub(super) fn apply(&self, x: &[f64], y: &[f64]) -> Vec<f64> {
        let product = |weight: &Matrix, x: &[f64], bias: &[f64]| -> Vec<f64> {
            let y = weight.times(&Matrix::new(x.len(), 1, x)).values;
            y.iter().zip(bias).map(|(y, b)| y + b).collect()
        };
        let [down_bias, up_bias, weight, bias] = &self.vectors;
        let hidden: Vec<f64> =
            product(&self.down, x, down_bias).iter().map(|v| v / (1.0 + (-v).exp())).collect();
        let added = normed(&product(&self.up, &hidden, up_bias), weight, bias);
        y.iter().zip(added).map(|(y, a)| y + a).collect()
    }
}
