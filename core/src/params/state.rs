//! The state of parameters as named tensors.

use crate::checkpoint::TensorData;
use std::borrow::Cow;

/// A named tensor of a state: borrowed where it is at hand, fetched where it lies elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct StateTensor<'a> {
    /// Its key in a checkpoint.
    pub name: String,
    /// Row-major extents.
    pub shape: Vec<usize>,
    /// Its values.
    pub data: StateData<'a>,
}

/// The values of a [`StateTensor`].
#[derive(Clone, Debug, PartialEq)]
pub enum StateData<'a> {
    /// Floats.
    F32(Cow<'a, [f32]>),
    /// Words.
    U32(Cow<'a, [u32]>),
}

impl<'a> StateData<'a> {
    /// Borrowed floats.
    pub fn of_f32(values: &'a [f32]) -> Self {
        Self::F32(values.into())
    }

    /// Borrowed words.
    pub fn of_u32(values: &'a [u32]) -> Self {
        Self::U32(values.into())
    }
}

impl StateTensor<'_> {
    /// As a checkpoint takes it.
    pub fn tensor(&self) -> (String, Vec<usize>, TensorData<'_>) {
        let data = match &self.data {
            StateData::F32(values) => TensorData::F32(values),
            StateData::U32(values) => TensorData::U32(values),
        };
        (self.name.clone(), self.shape.clone(), data)
    }
}
