//! Opening a checkpoint: its header is checked at once, each tensor when it is read.
use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytemuck::Pod;
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};

use super::{CheckpointError, CheckpointProblem, DEVICE_KEY, FORMAT_VERSION, VERSION_KEY, checksum};
use crate::device::DeviceKind;

/// The same bound as the safetensors format's own.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// An open checkpoint: its header is in memory and checked, its tensors are read when they are asked for,
/// straight from the file into their destination.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    /// Behind a lock, because reading moves the file's cursor.
    file: Mutex<File>,
    header: Metadata,
    /// Of every tensor.
    sums: BTreeMap<String, u32>,
    /// Where the tensors begin.
    data_start: u64,
}

impl Checkpoint {
    /// Opens a checkpoint and checks its header: complete, of this program, of the version it reads, undamaged, and
    /// agreeing with the file's size, so that nothing is allocated for tensors that are not there.
    ///
    /// # Errors
    /// [`CheckpointProblem::Io`], [`CheckpointProblem::Malformed`], [`CheckpointProblem::Foreign`], [`CheckpointProblem::Newer`], [`CheckpointProblem::Older`] or
    /// [`CheckpointProblem::Damaged`], with the file's name.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let open = || -> Result<Self, CheckpointProblem> {
            let mut file = File::open(path)?;
            let (json, header, data_start) = read_header(&mut file)?;
            let version =
                meta_of(&header).and_then(|m| m.get(VERSION_KEY)).ok_or(CheckpointProblem::Foreign)?;
            let version: u32 = version
                .parse()
                .map_err(|_| CheckpointProblem::Malformed(format!("format version '{version}'")))?;
            match version.cmp(&FORMAT_VERSION) {
                Ordering::Greater => return Err(CheckpointProblem::Newer(version)),
                Ordering::Less => return Err(CheckpointProblem::Older(version)),
                Ordering::Equal => {}
            }
            let sums = checksum::verify(&json, &header)
                .ok_or_else(|| CheckpointProblem::Damaged("its header".into()))?;
            Ok(Self { path: path.to_owned(), file: Mutex::new(file), header, sums, data_start })
        };
        open().map_err(CheckpointError::at(path))
    }

    /// The tensors' names, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = self.header.offset_keys();
        names.sort_unstable();
        names
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// The shape of a tensor, if there is one of this name.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.info(name).map(|info| info.shape.as_slice())
    }

    /// The metadata entry `key`, as it was given to [`save`](super::save).
    ///
    /// # Errors
    /// [`CheckpointProblem::NoMeta`] when there is none.
    pub fn meta(&self, key: &str) -> Result<&str, CheckpointError> {
        meta_of(&self.header)
            .and_then(|meta| meta.get(key))
            .map(String::as_str)
            .ok_or_else(|| self.error(CheckpointProblem::NoMeta(key.to_owned())))
    }

    /// The kind of device that it was computed on; the processor where it records none, as those of earlier versions.
    ///
    /// # Errors
    /// [`CheckpointProblem::Device`] when this program does not know the kind.
    pub fn device(&self) -> Result<DeviceKind, CheckpointError> {
        let Ok(name) = self.meta(DEVICE_KEY) else { return Ok(DeviceKind::Cpu) };
        name.parse().map_err(|e| self.error(CheckpointProblem::Device(e)))
    }

    /// The `f32` tensor `name`, row-major.
    ///
    /// # Errors
    /// [`CheckpointProblem::NoTensor`], [`CheckpointProblem::Type`], [`CheckpointProblem::Shape`], [`CheckpointProblem::Damaged`] or [`CheckpointProblem::Io`].
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        self.tensor(name, shape, Dtype::F32)
    }

    /// The `u32` tensor `name`, row-major.
    ///
    /// # Errors
    /// As [`Checkpoint::f32`].
    pub fn u32(&self, name: &str, shape: &[usize]) -> Result<Vec<u32>, CheckpointError> {
        self.tensor(name, shape, Dtype::U32)
    }

    /// The `u8` tensor `name`, row-major.
    ///
    /// # Errors
    /// As [`Checkpoint::f32`].
    pub fn u8(&self, name: &str, shape: &[usize]) -> Result<Vec<u8>, CheckpointError> {
        self.tensor(name, shape, Dtype::U8)
    }

    /// The bytes of the `u8` vector `name`, however many there are.
    ///
    /// # Errors
    /// As [`Checkpoint::f32`].
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, CheckpointError> {
        let length = self.info(name, Dtype::U8)?.shape.iter().product();
        self.u8(name, &[length])
    }

    /// Reads the `f32` tensor `name` of this shape into `out`, which holds as many values.
    ///
    /// # Errors
    /// As [`Checkpoint::f32`]; after [`CheckpointProblem::Io`] and [`CheckpointProblem::Damaged`] the content of `out` is unspecified.
    pub fn read_into_f32(&self, name: &str, shape: &[usize], out: &mut [f32]) -> Result<(), CheckpointError> {
        let info = self.info(name, Dtype::F32)?;
        if info.shape != shape || info.shape.iter().product::<usize>() != out.len() {
            return Err(self.wrong_shape(name, info, shape));
        }
        self.read(name, info, out)
    }

    fn tensor<T: Pod>(&self, name: &str, shape: &[usize], dtype: Dtype) -> Result<Vec<T>, CheckpointError> {
        let info = self.info(name, dtype)?;
        if info.shape != shape {
            return Err(self.wrong_shape(name, info, shape));
        }
        // The header has been checked: the product fits, and as many values lie in the file.
        let mut values = vec![T::zeroed(); shape.iter().product()];
        self.read(name, info, &mut values)?;
        Ok(values)
    }

    fn info(&self, name: &str, expected: Dtype) -> Result<&TensorInfo, CheckpointError> {
        let info =
            self.header.info(name).ok_or_else(|| self.error(CheckpointProblem::NoTensor(name.to_owned())))?;
        if info.dtype != expected {
            let found = info.dtype;
            return Err(self.error(CheckpointProblem::Type { name: name.to_owned(), found, expected }));
        }
        Ok(info)
    }

    fn read<T: Pod>(&self, name: &str, info: &TensorInfo, out: &mut [T]) -> Result<(), CheckpointError> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(out);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.data_start + info.data_offsets.0 as u64))
            .and_then(|_| file.read_exact(bytes))
            .map_err(|e| self.error(e.into()))?;
        drop(file);
        if !checksum::fits(self.sums.get(name), bytes) {
            return Err(self.error(CheckpointProblem::Damaged(format!("tensor '{name}'"))));
        }
        Ok(())
    }

    fn wrong_shape(&self, name: &str, info: &TensorInfo, expected: &[usize]) -> CheckpointError {
        let (found, expected) = (info.shape.clone(), expected.to_vec());
        self.error(CheckpointProblem::Shape { name: name.to_owned(), found, expected })
    }

    fn error(&self, problem: CheckpointProblem) -> CheckpointError {
        CheckpointError::at(&self.path)(problem)
    }
}

fn meta_of(header: &Metadata) -> Option<&HashMap<String, String>> {
    header.metadata().as_ref()
}

/// Reads the header, as it stands and parsed; also gives the offset at which the tensors begin.
pub(crate) fn read_header(file: &mut File) -> Result<(Vec<u8>, Metadata, u64), CheckpointProblem> {
    let malformed = |reason: &str| CheckpointProblem::Malformed(reason.to_owned());
    let size = file.metadata()?.len();
    if size < 8 {
        return Err(malformed("shorter than 8 bytes"));
    }
    let mut prefix = [0; 8];
    file.read_exact(&mut prefix)?;
    let header_bytes = u64::from_le_bytes(prefix);
    if header_bytes > size - 8 || header_bytes > MAX_HEADER_BYTES {
        return Err(malformed("its header would reach beyond its end"));
    }
    let mut json = vec![0; header_bytes as usize];
    file.read_exact(&mut json)?;
    // Deserializing also checks that the tensors lie one after the other and fit their types and shapes.
    let header: Metadata =
        serde_json::from_slice(&json).map_err(|e| CheckpointProblem::Malformed(format!("header: {e}")))?;
    let data_start = 8 + header_bytes;
    let expected = data_start.checked_add(header.data_len() as u64);
    if expected != Some(size) {
        return Err(malformed("its tensors do not fill it exactly: it was cut or appended to"));
    }
    Ok((json, header, data_start))
}
