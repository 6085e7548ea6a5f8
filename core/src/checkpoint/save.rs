//! Writing a checkpoint beside the old one, which it then replaces.
use std::{
    collections::BTreeMap,
    io::{self, BufWriter, ErrorKind, Write},
    path::Path,
};

use safetensors::{Dtype, tensor::TensorInfo};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::checksum::{self, HEADER_KEY, TENSORS_KEY};
use super::{CheckpointError, CheckpointProblem, FORMAT_VERSION, VERSION_KEY};
use crate::run::AtomicFile;

/// The values of one tensor, row-major, borrowed from where they live.
#[derive(Clone, Copy, Debug)]
pub enum TensorData<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// 32-bit unsigned integers.
    U32(&'a [u32]),
    /// Bytes.
    U8(&'a [u8]),
}

impl TensorData<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::U32(_) => Dtype::U32,
            Self::U8(_) => Dtype::U8,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::U8(values) => values.len(),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::F32(values) => bytemuck::cast_slice(values),
            Self::U32(values) => bytemuck::cast_slice(values),
            Self::U8(values) => values,
        }
    }
}

/// Writes a checkpoint: `meta` and the format version as metadata, then every `(name, shape, values)`.
///
/// The values go from their slices to the file without a copy in between. The file appears under `path`
/// complete or not at all (see [`AtomicFile`]); an older one is replaced in that instant, and what a killed
/// process left behind is removed.
///
/// # Errors
/// File-system failures, with the file's name; [`CheckpointProblem::Invalid`] for a shape that does not fit its values, a
/// name used twice, or a reserved name.
pub fn save(
    path: &Path,
    meta: &BTreeMap<String, String>,
    tensors: &[(String, Vec<usize>, TensorData<'_>)],
) -> Result<(), CheckpointError> {
    let failed = CheckpointError::at(path);
    let (header, order) = header(meta, tensors).map_err(&failed)?;
    let write = || -> io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        write_all(&mut file, &header, order.iter().map(|&i| tensors[i].2.bytes()))?;
        file.commit()
    };
    write().map_err(|e| {
        failed(match e.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                CheckpointProblem::Full(e)
            }
            _ => CheckpointProblem::Io(e),
        })
    })
}

/// The bytes of a checkpoint, to wherever they go.
pub(super) fn write_all<'a>(
    to: &mut impl Write,
    header: &[u8],
    tensors: impl Iterator<Item = &'a [u8]>,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, to);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header)?;
    for tensor in tensors {
        out.write_all(tensor)?;
    }
    out.flush()
}

/// The JSON header, padded to 8 bytes, and the order in which the tensors follow it.
fn header(
    meta: &BTreeMap<String, String>,
    tensors: &[(String, Vec<usize>, TensorData<'_>)],
) -> Result<(Vec<u8>, Vec<usize>), CheckpointProblem> {
    let invalid = |name: &str, reason| CheckpointProblem::Invalid { name: name.to_owned(), reason };
    if let Some(name) = [VERSION_KEY, HEADER_KEY, TENSORS_KEY].iter().find(|key| meta.contains_key(**key)) {
        return Err(invalid(name, "the name is reserved"));
    }
    let mut meta = meta.clone();
    let mut sums = BTreeMap::new();
    let mut infos = BTreeMap::new();
    // The widest type first, so that every tensor is aligned for readers that map the file.
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(tensors[i].2.dtype().bitsize()));
    let mut offset = 0;
    for &i in &order {
        let (name, shape, data) = &tensors[i];
        let len = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
        if len != Some(data.len()) {
            return Err(invalid(name, "its shape does not fit its number of values"));
        }
        let end = offset + data.bytes().len();
        let info = TensorInfo { dtype: data.dtype(), shape: shape.clone(), data_offsets: (offset, end) };
        if infos.insert(name.as_str(), info).is_some() {
            return Err(invalid(name, "the name is used twice"));
        }
        sums.insert(name.as_str(), checksum::of(data.bytes()));
        offset = end;
    }
    if infos.contains_key("__metadata__") {
        return Err(invalid("__metadata__", "the name is reserved"));
    }
    meta.insert(VERSION_KEY.to_owned(), FORMAT_VERSION.to_string());
    meta.insert(TENSORS_KEY.to_owned(), checksum::list(sums.into_values()));
    meta.insert(HEADER_KEY.to_owned(), checksum::UNSET.to_owned());
    let mut json = serde_json::to_vec(&Header { meta: &meta, infos: &infos })
        .map_err(|e| CheckpointProblem::Io(io::Error::other(e)))?;
    json.resize(json.len().next_multiple_of(8), b' ');
    checksum::seal(&mut json);
    Ok((json, order))
}

/// The header with its keys in order; safetensors' own writer keeps metadata in a hash map, whose order (and so
/// the file's bytes) changes from run to run.
struct Header<'a> {
    meta: &'a BTreeMap<String, String>,
    infos: &'a BTreeMap<&'a str, TensorInfo>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.infos.len() + 1))?;
        map.serialize_entry("__metadata__", self.meta)?;
        for (name, info) in self.infos {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}
