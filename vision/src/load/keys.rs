//! From a file's key names to a model's.

/// Where an array of a file belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// It is this variable.
    Variable(String),
    /// It is one of several equal parts of this variable, along the first extent.
    Part {
        /// The variable.
        key: String,
        /// Which part, from zero.
        part: usize,
        /// How many there are.
        parts: usize,
    },
    /// It is this variable, a matrix, with rows and columns exchanged.
    Transposed(String),
    /// Equal parts of it, along the first extent, are these variables; those without a name are not needed.
    Split(Vec<Option<String>>),
    /// Known, but not needed: computed tables, counters, heads of other tasks.
    Ignored,
    /// Unknown.
    Unknown,
}

impl Destination {
    /// The same under a prefix: the keys of a part of a model.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        match self {
            Self::Variable(key) => Self::Variable(format!("{prefix}{key}")),
            Self::Part { key, part, parts } => Self::Part { key: format!("{prefix}{key}"), part, parts },
            Self::Transposed(key) => Self::Transposed(format!("{prefix}{key}")),
            Self::Split(keys) => {
                Self::Split(keys.into_iter().map(|key| key.map(|key| format!("{prefix}{key}"))).collect())
            }
            other => other,
        }
    }
}

/// A model's translation of the keys that files of its weights use.
pub trait Keys {
    /// Where the array `name` of a file belongs.
    fn destination(&self, name: &str) -> Destination;

    /// Values for the variable `key` of the shape `to`, from an array of another shape, if the model knows how: grids of
    /// positions are resized.
    fn resize(&self, key: &str, values: &[f32], from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        let _ = (key, values, from, to);
        None
    }
}

impl<F: Fn(&str) -> Destination> Keys for F {
    fn destination(&self, name: &str) -> Destination {
        self(name)
    }
}

/// `key` with the first of `names` that its dotted path contains as whole steps replaced by its counterpart.
///
/// `renamed("a.b.c.weight", &[("b.c", "d")])` is `a.d.weight`.
#[must_use]
pub fn renamed(key: &str, names: &[(&str, &str)]) -> String {
    let whole = format!(".{key}.");
    for (from, to) in names {
        if let Some(at) = whole.find(&format!(".{from}.")) {
            let (start, end) = (&whole[..at], &whole[at + from.len() + 1..]);
            return format!("{start}.{to}{end}").trim_matches('.').to_owned();
        }
    }
    key.to_owned()
}
