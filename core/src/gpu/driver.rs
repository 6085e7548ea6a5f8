//! CUDA devices through the driver that is found at run time.

use super::{Address, Gpu, GpuError, params, ptx};
use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaStream, DriverError, result, sys};
use cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The oldest driver whose compiler takes the kernels' PTX (8.4): CUDA 12.4's, R550.
pub const OLDEST_DRIVER: (i32, i32) = (12, 4);

/// The oldest devices that run them: tensor cores with `mma.m16n8k16`.
pub const OLDEST_CAPABILITY: (i32, i32) = (8, 0);

/// With `1`, every kernel is waited for, so that an error names the one that failed; with `time` also how long they took is
/// told at the end.
const SYNC_VARIABLE: &str = "NERVE_CUDA_SYNC";

/// A CUDA device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CudaDevice {
    /// Its number, from 0.
    pub ordinal: usize,
    /// What its maker calls it.
    pub name: String,
    /// Its compute capability.
    pub capability: (i32, i32),
    /// Bytes of memory.
    pub memory: usize,
    /// The driver's version, as that of the CUDA toolkit that came with it: (12, 4).
    pub driver: (i32, i32),
}

/// Why there is no CUDA device, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CudaProblem {
    /// No driver.
    #[error("no NVIDIA driver was found (libcuda): install one of version 550 or newer")]
    NoDriver,
    /// A driver that cannot load the kernels.
    #[error(
        "the NVIDIA driver is for CUDA {}.{}, and nerve's kernels need 12.4: install a driver of version 550 or newer",
        .0.0, .0.1
    )]
    OldDriver((i32, i32)),
    /// A driver, but no device.
    #[error(
        "the NVIDIA driver sees no device: {0}: see what `nvidia-smi` says; a container is given devices with --gpus all"
    )]
    NoDevice(String),
    /// A device with another number.
    #[error("there is no CUDA device {0}: the last one is {1}")]
    NoSuchDevice(usize, usize),
    /// A device without what the kernels use.
    #[error("{name} has compute capability {}.{}, and nerve's kernels need 8.0 (Ampere) or newer", .capability.0, .capability.1)]
    OldDevice {
        /// Its name.
        name: String,
        /// What it has.
        capability: (i32, i32),
    },
}

/// The driver's version, as that of the CUDA toolkit that came with it: (12, 4).
///
/// # Errors
/// If there is no driver.
pub fn cuda_driver() -> Result<(i32, i32), CudaProblem> {
    // SAFETY: loads a library by the driver's name, which has no other effect than the driver's own.
    if !unsafe { sys::is_culib_present() } {
        return Err(CudaProblem::NoDriver);
    }
    let mut version = 0;
    // SAFETY: writes one integer; may be called before anything else.
    unsafe { sys::cuDriverGetVersion(&mut version) }
        .result()
        .map_err(|error| CudaProblem::NoDevice(say(&error)))?;
    Ok((version / 1000, version % 1000 / 10))
}

/// The CUDA devices of this machine, whether the kernels run there or not.
///
/// # Errors
/// Says why there is none.
pub fn cuda_devices() -> Result<Vec<CudaDevice>, CudaProblem> {
    let failed = |error: DriverError| CudaProblem::NoDevice(say(&error));
    let driver = cuda_driver()?;
    if driver < OLDEST_DRIVER {
        return Err(CudaProblem::OldDriver(driver));
    }
    result::init().map_err(failed)?;
    let count = result::device::get_count().map_err(failed)?;
    if count == 0 {
        return Err(CudaProblem::NoDevice("it counts 0 of them".into()));
    }
    let describe = |ordinal: i32| {
        let device = result::device::get(ordinal)?;
        let attribute = |a| {
            // SAFETY: the device exists.
            unsafe { result::device::get_attribute(device, a) }
        };
        let major = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        // SAFETY: the device exists.
        let memory = unsafe { result::device::total_mem(device) }?;
        let name = result::device::get_name(device)?;
        Ok(CudaDevice { ordinal: ordinal as usize, name, capability: (major, minor), memory, driver })
    };
    (0..count).map(describe).collect::<Result<_, _>>().map_err(failed)
}

impl CudaDevice {
    /// The device with this number, if the kernels run there.
    ///
    /// # Errors
    /// Says why not.
    pub fn find(ordinal: usize) -> Result<Self, CudaProblem> {
        let mut devices = cuda_devices()?;
        if ordinal >= devices.len() {
            return Err(CudaProblem::NoSuchDevice(ordinal, devices.len() - 1));
        }
        let found = devices.swap_remove(ordinal);
        match found.problem() {
            None => Ok(found),
            Some(problem) => Err(problem),
        }
    }

    /// Why the kernels do not run there, if they do not.
    pub fn problem(&self) -> Option<CudaProblem> {
        (self.capability < OLDEST_CAPABILITY)
            .then(|| CudaProblem::OldDevice { name: self.name.clone(), capability: self.capability })
    }

    /// Bytes of its memory that are free: the device is opened for a moment, which shows whether it can be.
    ///
    /// # Errors
    /// The driver's words, if it cannot be opened.
    pub fn free_memory(&self) -> Result<usize, GpuError> {
        let free = || CudaContext::new(self.ordinal)?.mem_get_info();
        free().map(|(free, _)| free).map_err(|error| GpuError::Failed {
            device: self.to_string(),
            what: "being opened".into(),
            reason: say(&error),
        })
    }
}

impl std::fmt::Display for CudaDevice {
    /// `cuda:0 (its name)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cuda:{} ({})", self.ordinal, self.name)
    }
}

/// The driver's words for an error.
fn say(error: &DriverError) -> String {
    let text = |found: Result<&std::ffi::CStr, _>| found.map(|s| s.to_string_lossy().into_owned()).ok();
    let known = (text(error.error_name()), text(error.error_string()));
    match known {
        (Some(name), Some(string)) => format!("{name} ({string})"),
        _ => format!("{error:?}"),
    }
}

/// An open device.
pub(crate) struct Cuda {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    functions: HashMap<&'static str, CudaFunction>,
    /// Dynamic shared memory that each function may have.
    shared: HashMap<&'static str, u32>,
    _module: Arc<CudaModule>,
    buffers: HashMap<u64, usize>,
    description: String,
    processors: u32,
    most_shared: u32,
    sync: bool,
    /// Launches of a kernel and how long they took, where that is asked for.
    times: Option<HashMap<&'static str, (u32, Duration)>>,
}

impl Cuda {
    /// Opens a device and loads the kernels, which takes some seconds the first time: the driver compiles them, and keeps
    /// what it has made.
    pub fn open(found: &CudaDevice) -> Result<Self, GpuError> {
        let ordinal = found.ordinal;
        let description = found.to_string();
        let fail = |what: &str, reason: String| GpuError::Failed {
            device: description.clone(),
            what: what.into(),
            reason,
        };
        let said = |what: &'static str| move |error: DriverError| (what, say(&error));
        let open = || -> Result<_, (&'static str, String)> {
            let context = CudaContext::new(ordinal).map_err(said("opening it"))?;
            let stream = context.new_stream().map_err(said("opening it"))?;
            let text = ptx::text().map_err(|error| ("unpacking the kernels", error.to_string()))?;
            let module = context.load_module(Ptx::from_src(text)).map_err(said("loading the kernels"))?;
            let mut functions = HashMap::new();
            for name in params::NAMES {
                functions.insert(*name, module.load_function(name).map_err(said("loading the kernels"))?);
            }
            use sys::CUdevice_attribute::{
                CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN as SHARED,
                CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT as COUNT,
            };
            let attribute = |a| context.attribute(a).map(|v| v as u32).map_err(said("asking what it has"));
            let (processors, most_shared) = (attribute(COUNT)?, attribute(SHARED)?);
            Ok((context, stream, module, functions, processors, most_shared))
        };
        let (context, stream, _module, functions, processors, most_shared) =
            open().map_err(|(what, reason)| fail(what, reason))?;
        let sync = std::env::var_os(SYNC_VARIABLE);
        Ok(Self {
            context,
            stream,
            functions,
            shared: HashMap::new(),
            _module,
            buffers: HashMap::new(),
            processors,
            most_shared,
            sync: sync.as_ref().is_some_and(|v| v == "1" || v == "time"),
            times: sync.filter(|v| v == "time").map(|_| HashMap::new()),
            description,
        })
    }

    fn failed(&self, what: &str, error: &DriverError) -> GpuError {
        GpuError::Failed { device: self.description.clone(), what: what.into(), reason: say(error) }
    }

    /// Makes this thread's calls go to the device.
    fn enter(&self) -> Result<(), GpuError> {
        self.context.bind_to_thread().map_err(|error| self.failed("entering it", &error))
    }
}

impl Gpu for Cuda {
    fn processors(&self) -> u32 {
        self.processors
    }

    fn shared_memory(&self) -> u32 {
        self.most_shared
    }

    fn alloc(&mut self, bytes: usize) -> Result<Address, GpuError> {
        self.enter()?;
        let bytes = bytes.max(16);
        // SAFETY: a context is bound.
        let at = match unsafe { result::malloc_sync(bytes) } {
            Ok(at) => at,
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                let free = result::mem_get_info().map_or(0, |(free, _)| free);
                return Err(GpuError::OutOfMemory {
                    device: self.description.clone(),
                    wanted: bytes >> 20,
                    free: free >> 20,
                });
            }
            Err(error) => return Err(self.failed("taking memory", &error)),
        };
        self.buffers.insert(at, bytes);
        self.clear(Address(at), bytes)?;
        Ok(Address(at))
    }

    fn free(&mut self, at: Address) {
        if self.buffers.remove(&at.0).is_some() && self.enter().is_ok() {
            // Kernels may still be at work on it.
            let _ = self.stream.synchronize();
            // SAFETY: `alloc` gave it, and nobody has freed it.
            let _ = unsafe { result::free_sync(at.0) };
        }
    }

    fn upload(&mut self, to: Address, bytes: &[u8]) -> Result<(), GpuError> {
        self.enter()?;
        // SAFETY: the callers' addresses lie in buffers that are large enough. The bytes are in pageable memory, which the
        // driver has copied when it returns.
        unsafe { result::memcpy_htod_async(to.0, bytes, self.stream.cu_stream()) }
            .map_err(|error| self.failed("a copy to it", &error))
    }

    fn download(&self, from: Address, out: &mut [u8]) -> Result<(), GpuError> {
        self.enter()?;
        // SAFETY: as for `upload`; the stream is waited for before `out` is looked at.
        unsafe { result::memcpy_dtoh_async(out, from.0, self.stream.cu_stream()) }
            .and_then(|()| self.stream.synchronize())
            .map_err(|error| self.failed("a copy from it, or in a kernel before that", &error))
    }

    fn clear(&mut self, at: Address, bytes: usize) -> Result<(), GpuError> {
        self.enter()?;
        // SAFETY: as for `upload`.
        unsafe { result::memset_d8_async(at.0, 0, bytes, self.stream.cu_stream()) }
            .map_err(|error| self.failed("zeroing memory", &error))
    }

    fn start(
        &mut self,
        name: &'static str,
        threads: u32,
        blocks: u32,
        shared: u32,
        params: &[u8],
    ) -> Result<(), GpuError> {
        self.enter()?;
        let kernel = || format!("kernel `{name}`");
        let Some(function) = self.functions.get(name) else {
            let (device, reason) =
                (self.description.clone(), "it is not among those that were loaded".into());
            return Err(GpuError::Failed { device, what: kernel(), reason });
        };
        if shared > self.shared.get(name).copied().unwrap_or(48 << 10) {
            use sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES as MOST;
            function.set_attribute(MOST, shared as i32).map_err(|error| self.failed(&kernel(), &error))?;
            self.shared.insert(name, shared);
        }
        let since = Instant::now();
        let mut pointers = [params.as_ptr().cast_mut().cast::<c_void>()];
        // SAFETY: the kernel takes one struct by value, of the type that `params` is the bytes of (`Kernel`'s parameter; a
        // test compares their sizes); the driver copies it before it returns. The addresses in it are the caller's.
        let started = unsafe {
            let (grid, block) = ((blocks, 1, 1), (threads, 1, 1));
            let stream = self.stream.cu_stream();
            result::launch_kernel(function.cu_function(), grid, block, shared, stream, &mut pointers)
        };
        let ended = if self.sync { started.and_then(|()| self.stream.synchronize()) } else { started };
        if let Some(times) = &mut self.times {
            let (count, time) = times.entry(name).or_default();
            (*count, *time) = (*count + 1, *time + since.elapsed());
        }
        ended.map_err(|error| self.failed(&kernel(), &error))
    }
}

/// A line for each kernel, the one that took longest first.
fn told(times: &HashMap<&'static str, (u32, Duration)>) -> String {
    let mut all: Vec<_> = times.iter().map(|(name, &(count, time))| (time, count, *name)).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    let line = |&(time, count, name): &(Duration, u32, &str)| {
        let each = time.as_secs_f64() * 1e6 / f64::from(count.max(1));
        format!("| {name} | {count} launches | {each:.1} us each | {:.1} ms |\n", time.as_secs_f64() * 1e3)
    };
    all.iter().map(line).collect()
}

impl Drop for Cuda {
    fn drop(&mut self) {
        if let Some(times) = &self.times {
            eprint!("{}", told(times));
        }
        for at in std::mem::take(&mut self.buffers).into_keys() {
            self.buffers.insert(at, 0);
            self.free(Address(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_told_by_the_time_they_took() {
        let times = [("a", (2, Duration::from_millis(3))), ("b", (10, Duration::from_millis(50)))]
            .into_iter()
            .collect();
        let said = told(&times);
        assert_eq!(said.lines().next(), Some("| b | 10 launches | 5000.0 us each | 50.0 ms |"), "{said}");
        assert_eq!(said.lines().count(), 2);
    }
}
