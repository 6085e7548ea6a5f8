//! Weights that others have trained: safetensors, and PyTorch's `.pth` in both of its layouts.
//!
//! A file is recognized by its first bytes. Opening it reads names, types and shapes only, and checks that every
//! array lies inside the file; values are read array by array, as `f32`. A `.pth` is a program for Python's pickle
//! machine; here it can build dictionaries of tensors and nothing else (see `pickle.rs`).
mod pickle;
mod torch;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use safetensors::Dtype;

use crate::checkpoint::read_header;

/// What an array's numbers are stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    F64,
    F32,
    F16,
    BF16,
    /// Integers and the like, which no weight is made of: so many bytes each.
    Other(usize),
}

impl Number {
    fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Other(bytes) => bytes,
        }
    }
}

/// Where an array lies, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    number: Number,
    shape: Vec<usize>,
    /// Of its first byte in the file.
    offset: u64,
}

/// A file of weights that cannot be used; every message names the file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct WeightsError {
    path: PathBuf,
    /// What is wrong; part of the message.
    pub problem: WeightsProblem,
}

/// What is wrong with a file of weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsProblem {
    /// The file system failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a file of weights.
    #[error("neither safetensors nor a PyTorch file (.pth, .pt); give the file with the weights")]
    Foreign,
    /// A broken file, or one that lies about its content.
    #[error("damaged or cut short ({0}); fetch it again")]
    Damaged(String),
    /// A PyTorch file that holds something else than a dictionary of tensors.
    #[error(
        "it holds {0}, not just named tensors; save the model's state_dict() with torch.save, or as safetensors"
    )]
    Unsupported(String),
    /// No such array.
    #[error("there is no '{0}' in it")]
    Absent(String),
    /// An array of integers.
    #[error("'{0}' holds no floating-point numbers")]
    NotFloats(String),
}

impl WeightsProblem {
    fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }
}

/// An open file of weights.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    file: File,
    entries: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

impl WeightFile {
    /// Opens a file and finds out what is in it.
    ///
    /// # Errors
    /// [`WeightsProblem::Io`], [`WeightsProblem::Foreign`], [`WeightsProblem::Damaged`] or [`WeightsProblem::Unsupported`], with the file's name.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, WeightsError> {
        let path = path.into();
        let open = || -> Result<Self, WeightsProblem> {
            let mut metadata = BTreeMap::new();
            let mut file = File::open(&path)?;
            let mut start = Vec::new();
            file.by_ref().take(9).read_to_end(&mut start)?;
            file.rewind()?;
            let entries = if start.starts_with(b"PK\x03\x04") {
                torch::zipped(&mut file)?
            } else if start.starts_with(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46") {
                torch::legacy(&mut file)?
            } else if start.get(8) == Some(&b'{') {
                let (entries, said) = safetensors(&mut file)?;
                metadata = said;
                entries
            } else {
                return Err(WeightsProblem::Foreign);
            };
            let size = file.metadata()?.len();
            for (name, entry) in &entries {
                let bytes = entry.shape.iter().try_fold(entry.number.bytes(), |n, &side| n.checked_mul(side));
                let end = bytes.and_then(|bytes| entry.offset.checked_add(bytes as u64));
                if end.is_none_or(|end| end > size) {
                    return Err(WeightsProblem::damaged(format!("'{name}' reaches beyond its end")));
                }
            }
            Ok(Self { path: path.clone(), file, entries, metadata })
        };
        open().map_err(|problem| WeightsError { path: path.clone(), problem })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a safetensors file says beside its arrays; of a PyTorch file nothing.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Names and shapes of all arrays, in order of the names.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), &*entry.shape))
    }

    /// Whether there is an array of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The values of an array, row-major, as f32.
    ///
    /// # Errors
    /// [`WeightsProblem::Absent`], [`WeightsProblem::NotFloats`] or [`WeightsProblem::Io`].
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let values = match self.entries.get(name) {
            None => Err(WeightsProblem::Absent(name.to_owned())),
            Some(entry) => values(&mut self.file, name, entry),
        };
        values.map_err(|problem| WeightsError { path: self.path.clone(), problem })
    }
}

fn values(file: &mut File, name: &str, entry: &Entry) -> Result<Vec<f32>, WeightsProblem> {
    if matches!(entry.number, Number::Other(_)) {
        return Err(WeightsProblem::NotFloats(name.to_owned()));
    }
    // Opening has checked that so many bytes are there.
    let count: usize = entry.shape.iter().product();
    let mut bytes = vec![0; count * entry.number.bytes()];
    file.seek(SeekFrom::Start(entry.offset))?;
    file.read_exact(&mut bytes)?;
    let singles = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    Ok(match entry.number {
        Number::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Number::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        Number::BF16 => bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        Number::F32 | Number::Other(_) => singles(&bytes),
    })
}

type Entries = BTreeMap<String, Entry>;

/// The arrays, and what is said beside them.
fn safetensors(file: &mut File) -> Result<(Entries, BTreeMap<String, String>), WeightsProblem> {
    let (_, header, start) = read_header(file).map_err(|e| WeightsProblem::damaged(e.to_string()))?;
    let mut entries = BTreeMap::new();
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else { continue };
        let number = match info.dtype {
            Dtype::F64 => Number::F64,
            Dtype::F32 => Number::F32,
            Dtype::F16 => Number::F16,
            Dtype::BF16 => Number::BF16,
            other => Number::Other(other.bitsize().div_ceil(8)),
        };
        let offset = start + info.data_offsets.0 as u64;
        // Types below a byte are packed: never read, but not to be mistaken for too long.
        let shape = if info.dtype.bitsize() < 8 {
            vec![info.data_offsets.1 - info.data_offsets.0]
        } else {
            info.shape.clone()
        };
        entries.insert(name, Entry { number, shape, offset });
    }
    let metadata = header.metadata().clone().unwrap_or_default();
    Ok((entries, metadata.into_iter().collect()))
}

#[cfg(test)]
mod tests;
