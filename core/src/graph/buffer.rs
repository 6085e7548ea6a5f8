//! Values of tensors and variables as slices: borrowed for an op, copied, or updated in place.
use std::cell::Cell;
use std::ops::Deref;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, StorageRef, Tensor, Var, bail};

/// The values of contiguous f32 storage: what an op's forward pass is given.
///
/// # Errors
/// If the layout is not contiguous or the values are not f32; names the op.
pub fn values<'a>(storage: &'a CpuStorage, layout: &Layout, op: &'static str) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("{op}: an input is not contiguous");
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// A tensor's values, borrowed for as long as this lives.
pub struct Reader<'a> {
    storage: StorageRef<'a>,
    start: usize,
    end: usize,
}

impl Deref for Reader<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => &values[self.start..self.end],
            _ => &[],
        }
    }
}

/// Borrows the values of a contiguous f32 tensor in main memory: what an op's backward pass is given.
///
/// # Errors
/// If the tensor is anything else.
pub fn read(tensor: &Tensor) -> Result<Reader<'_>> {
    let (storage, layout) = tensor.storage_and_layout();
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("a tensor of shape {:?} is not contiguous", tensor.shape());
    };
    match &*storage {
        Storage::Cpu(CpuStorage::F32(_)) => {}
        _ => {
            bail!("a tensor of type {:?} on {:?}: f32 on the CPU is needed", tensor.dtype(), tensor.device())
        }
    }
    Ok(Reader { storage, start, end })
}

/// `sum += part` or `sum = part`: how small gradients reach their buffer.
pub fn add_or_copy(sum: &mut [f32], part: &[f32], accumulate: bool) {
    if accumulate {
        sum.iter_mut().zip(part).for_each(|(s, p)| *s += p);
    } else {
        sum.copy_from_slice(part);
    }
}

/// A variable's values, copied.
#[must_use]
pub fn to_vec(var: &Var) -> Vec<f32> {
    read(var.as_tensor()).map(|v| v.to_vec()).unwrap_or_default()
}

/// Updates a variable's values in place: tensors of it that models hold see the new ones.
///
/// # Errors
/// If it is not f32 in main memory.
pub fn update_in_place(var: &Var, f: impl FnOnce(&mut [f32])) -> Result<()> {
    var.as_tensor().inplace_op1(&Update(Cell::new(Some(f))))
}

/// An in-place op that happens once.
struct Update<F>(Cell<Option<F>>);

impl<F: FnOnce(&mut [f32])> InplaceOp1 for Update<F> {
    fn name(&self) -> &'static str {
        "update_in_place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            bail!("a variable must be contiguous f32 on the CPU to be updated in place");
        };
        if let Some(f) = self.0.take() {
            f(&mut values[start..end]);
        }
        Ok(())
    }
}
