//! The processor as a [`Gpu`]: a C++ compiler makes a library of the kernels' sources, in which `shim.hpp` stands for CUDA.
//! For tests.

mod sparse;

use super::{Address, Gpu, GpuError};
use libloading::{Library, Symbol};
use sparse::Sparse;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

type Kernel = unsafe extern "C" fn(*const u8, u32, u32) -> bool;

/// The kernels, compiled for this processor.
pub struct Compiled {
    library: Library,
}

/// One launch at a time: blocks share their memory, and compilers make one variable of those that libraries have alike.
static RUNNING: Mutex<()> = Mutex::new(());

/// A compiler of C++, and what it is called.
fn compiler() -> Option<String> {
    let named = std::env::var("CXX").ok().into_iter();
    named
        .chain(["c++", "g++", "clang++"].map(String::from))
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success()))
}

/// Compiles `sources` (the whole unit by default) into a library.
fn compile(unit: &Path, name: &str) -> Option<Result<Library, String>> {
    let Some(compiler) = compiler() else {
        eprintln!("SKIPPED: kernels on the processor need a C++ compiler (CXX, c++, g++ or clang++)");
        return None;
    };
    let gpu = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu");
    let folder =
        PathBuf::from(std::env::var_os("CARGO_TARGET_TMPDIR").unwrap_or_else(|| std::env::temp_dir().into()));
    let out = folder.join(format!("nerve-kernels-{name}-{}.so", std::process::id()));
    let mut command = Command::new(compiler);
    command.args([
        "-O2",
        "-std=c++17",
        "-fno-strict-aliasing",
        "-DNERVE_SHIM",
        "-shared",
        "-fPIC",
        "-x",
        "c++",
    ]);
    command.args(["-Wall", "-Wextra", "-Werror"]);
    command.arg("-I").arg(gpu.join("device")).arg("-I").arg(gpu.join("shim"));
    command.arg(unit).arg(gpu.join("shim/shim.cpp")).arg("-o").arg(&out);
    let made = match command.output() {
        Ok(made) if made.status.success() => {
            // SAFETY: the library is what was just compiled; it runs nothing when it is loaded.
            unsafe { Library::new(&out) }.map_err(|error| error.to_string())
        }
        Ok(made) => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    };
    let _ = std::fs::remove_file(out);
    Some(made)
}

impl Compiled {
    /// The kernels as they are, compiled once a process; `None` where there is no C++ compiler.
    pub fn get() -> Option<&'static Self> {
        static COMPILED: OnceLock<Option<Compiled>> = OnceLock::new();
        let made = || {
            let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu/kernels.cu");
            let made = compile(&unit, "all")?;
            Some(Self::new(made.unwrap_or_else(|error| panic!("the kernels do not compile:\n{error}"))))
        };
        COMPILED.get_or_init(made).as_ref()
    }

    /// One op's kernels, in which `right` is replaced by `wrong`: a planted fault.
    pub fn with_fault(op: &str, name: &str, right: &str, wrong: &str) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops").join(op);
        let text = std::fs::read_to_string(folder.join("kernel.cu")).ok()?;
        assert_eq!(text.matches(right).count(), 1, "{right:?} stands once in {op}'s kernels");
        let unit = std::env::temp_dir().join(format!("nerve-fault-{name}-{}.cu", std::process::id()));
        std::fs::write(&unit, text.replace(right, wrong)).ok()?;
        let made = compile(&unit, name)?;
        let _ = std::fs::remove_file(unit);
        Some(Self::new(made.unwrap_or_else(|error| panic!("the faulty kernels do not compile:\n{error}"))))
    }

    fn new(library: Library) -> Self {
        Self { library }
    }

    /// What a function without arguments gives, such as `adam_threads`.
    pub fn number(&self, name: &str) -> Option<u32> {
        // SAFETY: the library's functions of these names take nothing and give a u32.
        unsafe {
            let function: Symbol<'_, unsafe extern "C" fn() -> u32> =
                self.library.get(name.as_bytes()).ok()?;
            Some(function())
        }
    }
}

/// The processor, running kernels in host memory.
pub struct ShimGpu<'a> {
    compiled: &'a Compiled,
    /// In which order the threads of a block run: 0 first to last, 1 last to first, more mixes them.
    order: u32,
    /// Buffers may be far larger than the machine's memory, as long as little of them is touched.
    sparse: bool,
    /// The first block that runs: those in front of it are taken for done.
    pub first_block: u32,
    buffers: Vec<Buffer>,
}

/// Memory of the device.
enum Buffer {
    Whole(Vec<u64>),
    Sparse(Sparse),
}

impl Buffer {
    fn start(&self) -> Address {
        match self {
            Self::Whole(words) => Address(words.as_ptr() as u64),
            Self::Sparse(sparse) => Address(sparse.address()),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Whole(words) => 8 * words.len() as u64,
            Self::Sparse(sparse) => sparse.bytes(),
        }
    }
}

impl<'a> ShimGpu<'a> {
    /// A device whose blocks run their threads in this order.
    pub fn new(compiled: &'a Compiled, order: u32) -> Self {
        Self { compiled, order, sparse: false, first_block: 0, buffers: Vec::new() }
    }

    /// One whose buffers may be larger than the machine's memory; `None` where the system does not lend such.
    pub fn sparse(compiled: &'a Compiled) -> Option<Self> {
        if Sparse::new(1).is_none() {
            eprintln!("SKIPPED: this system does not lend address space that it has no memory for");
            return None;
        }
        Some(Self { sparse: true, ..Self::new(compiled, 0) })
    }

    /// Panics if the bytes are not in a buffer.
    fn check(&self, at: Address, bytes: usize) {
        let inside = |buffer: &Buffer| {
            let start = buffer.start();
            at.0 >= start.0 && at.0 + bytes as u64 <= start.0 + buffer.bytes()
        };
        assert!(bytes == 0 || self.buffers.iter().any(inside), "{bytes} bytes at {at:?} are in no buffer");
    }
}

impl Gpu for ShimGpu<'_> {
    fn processors(&self) -> u32 {
        2
    }

    fn shared_memory(&self) -> u32 {
        227 << 10
    }

    fn alloc(&mut self, bytes: usize) -> Result<Address, GpuError> {
        let buffer = match self.sparse {
            true => Buffer::Sparse(Sparse::new(bytes).expect("address space")),
            false => Buffer::Whole(vec![0u64; bytes.div_ceil(8).max(2)]),
        };
        let at = buffer.start();
        self.buffers.push(buffer);
        Ok(at)
    }

    fn free(&mut self, at: Address) {
        self.buffers.retain(|buffer| buffer.start() != at);
    }

    fn upload(&mut self, to: Address, bytes: &[u8]) -> Result<(), GpuError> {
        self.check(to, bytes.len());
        // SAFETY: the bytes lie in a buffer of this device.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.0 as *mut u8, bytes.len()) };
        Ok(())
    }

    fn download(&self, from: Address, out: &mut [u8]) -> Result<(), GpuError> {
        self.check(from, out.len());
        // SAFETY: the bytes lie in a buffer of this device.
        unsafe { std::ptr::copy_nonoverlapping(from.0 as *const u8, out.as_mut_ptr(), out.len()) };
        Ok(())
    }

    fn clear(&mut self, at: Address, bytes: usize) -> Result<(), GpuError> {
        self.check(at, bytes);
        // SAFETY: the bytes lie in a buffer of this device.
        unsafe { std::ptr::write_bytes(at.0 as *mut u8, 0, bytes) };
        Ok(())
    }

    fn start(
        &mut self,
        name: &'static str,
        _threads: u32,
        blocks: u32,
        shared: u32,
        params: &[u8],
    ) -> Result<(), GpuError> {
        let _running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let library = &self.compiled.library;
        // SAFETY: the functions have these types (see shim.hpp), and kernels touch what their parameters name.
        let (done, problem) = unsafe {
            let begin: Symbol<'_, unsafe extern "C" fn(u32, u32)> =
                library.get(b"nerve_shim_begin").expect("the shim");
            let problem: Symbol<'_, unsafe extern "C" fn() -> *const std::ffi::c_char> =
                library.get(b"nerve_shim_problem").expect("the shim");
            let kernel: Symbol<'_, Kernel> = library.get(name.as_bytes()).expect("a kernel of this name");
            begin(self.order, self.first_block);
            let done = kernel(params.as_ptr(), blocks, shared);
            (done, std::ffi::CStr::from_ptr(problem()).to_string_lossy().into_owned())
        };
        let failed = || GpuError::Failed {
            device: "the processor as a GPU".into(),
            what: format!("kernel `{name}`"),
            reason: problem,
        };
        if done { Ok(()) } else { Err(failed()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Rust's structs are C++'s, and blocks have as many threads.
    #[test]
    fn both_sides_agree_on_every_kernel() {
        let Some(compiled) = Compiled::get() else { return };
        for (name, threads, size) in crate::gpu::all() {
            assert_eq!(compiled.number(&format!("{name}_threads")), Some(threads), "{name}");
            assert_eq!(compiled.number(&format!("{name}_params")), Some(size as u32), "{name}");
        }
    }
}
