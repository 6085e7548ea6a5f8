//! Devices that run kernels: memory, launches, and the kernels themselves, whoever runs them.
//!
//! A `Gpu` is a CUDA device (`driver.rs`), or, in tests, the processor, for which a C++ compiler makes a library of the
//! same sources (`shim/`). Kernels are CUDA C++ beside the ops that they compute (`ops/*/kernel.cu`); what they share is
//! in `device/`. `compile.py` makes PTX of them, which the program carries (`ptx.rs`): nobody who builds or runs nerve
//! needs more than a driver.
//!
//! A kernel takes one struct of plain values, the same in C++ and in `params.rs`; a test compares their sizes. What changes
//! from step to step lies in device memory, so that launches are the same at every step.

mod driver;
mod error;
pub(crate) mod params;
mod ptx;
#[cfg(test)]
pub(crate) mod shim;

pub(crate) use driver::Cuda;
pub use driver::{CudaDevice, CudaProblem, OLDEST_CAPABILITY, OLDEST_DRIVER, cuda_devices, cuda_driver};
pub use error::GpuError;

use bytemuck::Pod;
use std::marker::PhantomData;

/// A place in a device's memory; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub(crate) struct Address(pub u64);

impl Address {
    /// The place so many bytes behind it.
    pub fn offset(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// A kernel that takes a `P`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel<P> {
    pub name: &'static str,
    /// Threads of a block.
    pub threads: u32,
    params: PhantomData<P>,
}

impl<P> Kernel<P> {
    const fn new(name: &'static str, threads: u32) -> Self {
        Self { name, threads, params: PhantomData }
    }
}

/// A device that runs kernels, in the order in which they are launched.
pub(crate) trait Gpu: Send {
    /// Multiprocessors: blocks that surely run side by side.
    fn processors(&self) -> u32;

    /// Bytes of shared memory that a block may have.
    fn shared_memory(&self) -> u32;

    /// So many bytes, zeroed.
    fn alloc(&mut self, bytes: usize) -> Result<Address, GpuError>;

    /// Gives back what [`Self::alloc`] gave.
    fn free(&mut self, at: Address);

    /// Copies to the device.
    fn upload(&mut self, to: Address, bytes: &[u8]) -> Result<(), GpuError>;

    /// Copies from the device, once all that was launched before is done.
    fn download(&self, from: Address, out: &mut [u8]) -> Result<(), GpuError>;

    /// Zeroes.
    fn clear(&mut self, at: Address, bytes: usize) -> Result<(), GpuError>;

    /// Starts a kernel on so many blocks, with so many bytes of dynamic shared memory each. Use [`launch`].
    fn start(
        &mut self,
        name: &'static str,
        threads: u32,
        blocks: u32,
        shared: u32,
        params: &[u8],
    ) -> Result<(), GpuError>;
}

/// Starts a kernel on so many blocks, with so many bytes of dynamic shared memory each.
pub(crate) fn launch<P: Pod>(
    gpu: &mut dyn Gpu,
    kernel: Kernel<P>,
    blocks: u32,
    shared: u32,
    params: &P,
) -> Result<(), GpuError> {
    gpu.start(kernel.name, kernel.threads, blocks.max(1), shared, bytemuck::bytes_of(params))
}

/// All kernels: name, threads of a block, bytes of the struct.
#[cfg(test)]
pub(crate) fn all() -> Vec<(&'static str, u32, usize)> {
    params::all()
}

macro_rules! kernels {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $threads:literal, $params:ty;)*) => {
        $($(#[$doc])* pub(crate) const $id: $crate::gpu::Kernel<$params> = $crate::gpu::Kernel::new($name, $threads);)*

        /// Their names.
        pub(crate) const NAMES: &[&str] = &[$($name),*];

        /// Names, threads and sizes of all of them.
        #[cfg(test)]
        pub(crate) fn all() -> Vec<(&'static str, u32, usize)> {
            vec![$(($name, $threads, size_of::<$params>())),*]
        }
    };
}
pub(crate) use kernels;
