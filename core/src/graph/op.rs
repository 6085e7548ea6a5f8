//! What an op is to the graph: one trait for both ways that gradients go, with up to three inputs and one output.
use std::ops::Deref;

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Storage, Tensor, bail, op::BackpropOp,
};

use super::{Reader, read, tape, values};

/// An input of an op's forward pass: contiguous values, and their extents.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Row-major.
    pub values: &'a [f32],
    /// The shape.
    pub dims: &'a [usize],
}

impl Deref for Input<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.values
    }
}

/// Gradients of an op's inputs, as far as there are inputs that have any.
pub type InputGradients = [Option<Tensor>; 3];

/// What a backward pass looks at, and so what lives until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// The gradient of the output alone: no inputs are given to it.
    Nothing,
    /// The inputs.
    Inputs,
    /// The inputs and the output.
    Both,
}

/// An op on contiguous f32 tensors in main memory.
pub trait Op: Send + Sync + 'static {
    /// Named in messages.
    fn name(&self) -> &'static str;

    /// What [`Self::backward`] looks at.
    fn keeps(&self) -> Keeps {
        Keeps::Inputs
    }

    /// The output's values and shape.
    ///
    /// # Errors
    /// If the inputs do not fit.
    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)>;

    /// Gradients of the inputs from the gradient `dy` of the output `y`, which is contiguous. `y` is given where it is
    /// kept. What no gradient is asked of (`track_op`) needs none; weights go through [`super::weight_gradient`].
    ///
    /// # Errors
    /// If a tensor cannot be read or made.
    fn backward(&self, inputs: &[Tensor], y: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients>;
}

/// Applies an op to one to three tensors. While [`super::differentiate`] runs it is recorded on its tape, else it
/// becomes a candle op.
///
/// # Errors
/// If the inputs do not fit the op, or are not f32 on the CPU.
pub fn apply(op: impl Op, inputs: &[&Tensor]) -> Result<Tensor> {
    let inputs = inputs.iter().map(|x| x.contiguous()).collect::<Result<Vec<_>>>()?;
    if tape::records(&inputs) {
        let (values, shape) = {
            let readers = inputs.iter().map(read).collect::<Result<Vec<Reader<'_>>>>()?;
            let given = readers.iter().zip(&inputs);
            let given: Vec<_> = given.map(|(r, x)| Input { values: r, dims: x.dims() }).collect();
            op.forward(&given)?
        };
        // A variable, as far as candle knows: its own ops track from here on, and stop here.
        let y = Tensor::from_storage(Storage::Cpu(CpuStorage::F32(values)), shape, BackpropOp::none(), true);
        tape::record_op(&y, inputs, op);
        return Ok(y);
    }
    match inputs.as_slice() {
        [a] => a.apply_op1(Candle(op)),
        [a, b] => a.apply_op2(b, Candle(op)),
        [a, b, c] => a.apply_op3(b, c, Candle(op)),
        _ => bail!("{}: {} inputs; one to three are possible", op.name(), inputs.len()),
    }
}

/// A tensor of gradient values for `x`, if one is asked of it.
///
/// # Errors
/// If there are not as many as x has.
pub fn gradient_of(x: &Tensor, values: impl FnOnce() -> Result<Vec<f32>>) -> Result<Option<Tensor>> {
    if !x.track_op() {
        return Ok(None);
    }
    Tensor::from_vec(values()?, x.shape(), x.device()).map(Some)
}

/// The op as candle's.
struct Candle<O>(O);

impl<O: Op> Candle<O> {
    fn run(&self, inputs: &[(&CpuStorage, &Layout)]) -> Result<(CpuStorage, Shape)> {
        let mut given = Vec::with_capacity(inputs.len());
        for (storage, layout) in inputs {
            given.push(Input { values: values(storage, layout, self.0.name())?, dims: layout.dims() });
        }
        let (values, shape) = self.0.forward(&given)?;
        Ok((CpuStorage::F32(values), shape))
    }

    fn back(&self, inputs: &[&Tensor], y: &Tensor, dy: &Tensor) -> Result<InputGradients> {
        let inputs: Vec<Tensor> = inputs.iter().map(|x| (*x).clone()).collect();
        self.0.backward(&inputs, Some(y), &dy.contiguous()?)
    }
}

/// Runs an op of x, weights and, where there is one, a bias of `outputs` values.
///
/// # Errors
/// If the bias has another shape, or as for [`apply`].
pub fn apply_with_bias(
    op: impl Op,
    x: &Tensor,
    w: &Tensor,
    b: Option<&Tensor>,
    outputs: usize,
) -> Result<Tensor> {
    match b {
        None => apply(op, &[x, w]),
        Some(b) if b.dims() == [outputs] => apply(op, &[x, w, b]),
        Some(b) => bail!("{}: b has the shape {:?}, not [{outputs}]", op.name(), b.dims()),
    }
}

impl<O: Op> CustomOp1 for Candle<O> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run(&[(a, la)])
    }

    fn bwd(&self, a: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [da, ..] = self.back(&[a], y, dy)?;
        Ok(da)
    }
}

impl<O: Op> CustomOp2 for Candle<O> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run(&[(a, la), (b, lb)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db, _] = self.back(&[a, b], y, dy)?;
        Ok((da, db))
    }
}

impl<O: Op> CustomOp3 for Candle<O> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
        c: &CpuStorage,
        lc: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run(&[(a, la), (b, lb), (c, lc)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [da, db, dc] = self.back(&[a, b, c], y, dy)?;
        Ok((da, db, dc))
    }
}
