//! PyTorch's files: which tensors there are, and where.
//!
//! Since 1.6 a file is an uncompressed zip archive, with a pickle `NAME/data.pkl` and every storage as a file
//! `NAME/data/KEY`. Before, and in most of torchvision's downloads, it is five pickles (a magic number, a version,
//! facts on the machine, the object, the list of the storages' keys) and then every storage: its number of elements in
//! 8 bytes, and its elements. In the pickles, a tensor is a call of `torch._utils._rebuild_tensor_v2` with a storage,
//! an offset, sizes and strides.
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
};

use super::{
    Entry, Number, WeightsProblem,
    pickle::{self, Arena, Value},
};

/// A pickle of names is never larger.
const MOST_PICKLE: u64 = 4 << 20;
/// Nor is a name, or have tensors more sides; an entry copies both.
const LONGEST_NAME: usize = 1024;
/// See [`LONGEST_NAME`].
const MOST_SIDES: usize = 16;

/// A tensor as the pickle has it.
struct Tensor {
    number: Number,
    storage: String,
    /// Elements of the storage.
    elements: u64,
    /// Its first element in the storage.
    offset: u64,
    shape: Vec<usize>,
}

/// The tensors of a zip archive.
pub(super) fn zipped(file: &mut File) -> Result<BTreeMap<String, Entry>, WeightsProblem> {
    let damaged = |e: zip::result::ZipError| WeightsProblem::damaged(e.to_string());
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let inside = archive.file_names().find_map(|name| Some(name.ok()?.strip_suffix("data.pkl")?.to_owned()));
    let Some(prefix) = inside else {
        return Err(WeightsProblem::Unsupported("no data.pkl, as PyTorch's files do".into()));
    };
    let mut arena = Arena::default();
    let root = {
        let pickle = archive.by_name(&format!("{prefix}data.pkl")).map_err(damaged)?;
        pickle::run(&mut BufReader::new(pickle.take(MOST_PICKLE)), &mut arena)?
    };
    let mut entries = BTreeMap::new();
    for (name, tensor) in tensors(&arena, root)? {
        let storage = archive.by_name(&format!("{prefix}data/{}", tensor.storage)).map_err(damaged)?;
        if storage.compression() != zip::CompressionMethod::Stored {
            return Err(WeightsProblem::Unsupported("compressed tensors".into()));
        }
        let start = storage.data_start();
        let start =
            start.ok_or_else(|| WeightsProblem::damaged(format!("the place of '{name}' is unknown")))?;
        entries.insert(name, tensor.at(start, storage.size())?);
    }
    Ok(entries)
}

/// The tensors of the layout before.
pub(super) fn legacy(file: &mut File) -> Result<BTreeMap<String, Entry>, WeightsProblem> {
    let size = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    let mut arena = Arena::default();
    let mut pickle =
        |reader: &mut BufReader<&mut File>| pickle::run(&mut reader.by_ref().take(MOST_PICKLE), &mut arena);
    for _ in 0..3 {
        pickle(&mut reader)?;
    }
    let (root, keys) = (pickle(&mut reader)?, pickle(&mut reader)?);
    let tensors = tensors(&arena, root)?;
    let widths: HashMap<&str, usize> =
        tensors.iter().map(|(_, t)| (t.storage.as_str(), t.number.bytes())).collect();
    // Where every storage begins, and its bytes.
    let mut places = HashMap::new();
    let mut at = reader.stream_position()?;
    for key in arena.items(keys).unwrap_or_default() {
        let key = arena.text(*key).ok_or_else(|| WeightsProblem::damaged("a storage without a name"))?;
        let width = *widths
            .get(key)
            .ok_or_else(|| WeightsProblem::damaged(format!("no tensor uses storage {key}")))?;
        reader.seek(SeekFrom::Start(at))?;
        let mut elements = [0; 8];
        reader
            .read_exact(&mut elements)
            .map_err(|_| WeightsProblem::damaged("it ends before its storages do"))?;
        let bytes = u64::from_le_bytes(elements).checked_mul(width as u64);
        let end = bytes.and_then(|bytes| bytes.checked_add(at + 8)).filter(|end| *end <= size);
        let end =
            end.ok_or_else(|| WeightsProblem::damaged(format!("storage {key} reaches beyond its end")))?;
        places.insert(key.to_owned(), (at + 8, end - at - 8));
        at = end;
    }
    let mut entries = BTreeMap::new();
    for (name, tensor) in tensors {
        let place = places.get(&tensor.storage);
        let (start, bytes) =
            *place.ok_or_else(|| WeightsProblem::damaged(format!("the storage of '{name}' is absent")))?;
        entries.insert(name, tensor.at(start, bytes)?);
    }
    Ok(entries)
}

impl Tensor {
    /// In a storage of so many bytes that begins there.
    fn at(self, start: u64, bytes: u64) -> Result<Entry, WeightsProblem> {
        let width = self.number.bytes() as u64;
        let count = self.shape.iter().try_fold(1u64, |n, &side| n.checked_mul(side as u64));
        let end = count.and_then(|count| count.checked_add(self.offset)).filter(|end| *end <= self.elements);
        let fits = end.and_then(|end| end.checked_mul(width)).is_some_and(|end| end <= bytes);
        if !fits {
            return Err(WeightsProblem::damaged(format!("storage {} is too small", self.storage)));
        }
        Ok(Entry { number: self.number, shape: self.shape, offset: start + self.offset * width })
    }
}

/// Where a training's checkpoint keeps the model, beside its step, its optimizer and its options (MMSegmentation and
/// Lightning; Swin and most of the published code; others).
const MODEL: [&str; 4] = ["state_dict", "model", "model_state_dict", "module"];

/// The dictionary of the model's tensors: the object itself, or a part of it.
fn model(arena: &Arena, root: Value) -> Value {
    let (pairs, _) = arena.items(root).unwrap_or_default().as_chunks::<2>();
    let part = |wanted| {
        let named = pairs
            .iter()
            .find(|[name, value]| arena.text(*name) == Some(wanted) && matches!(value, Value::Dict(_)));
        named.map(|[_, value]| *value)
    };
    MODEL.into_iter().find_map(part).unwrap_or(root)
}

/// All tensors of a dictionary, with their names.
fn tensors(arena: &Arena, root: Value) -> Result<Vec<(String, Tensor)>, WeightsProblem> {
    let Value::Dict(_) = root else {
        return Err(WeightsProblem::Unsupported("a whole model or a list".into()));
    };
    let (pairs, _) = arena.items(model(arena, root)).unwrap_or_default().as_chunks::<2>();
    let named = pairs.iter().map(|[name, value]| {
        let name =
            arena.text(*name).ok_or_else(|| WeightsProblem::Unsupported("a key that is no text".into()))?;
        if name.len() > LONGEST_NAME {
            return Err(WeightsProblem::damaged(format!("a name of {} letters", name.len())));
        }
        let tensor = tensor(arena, *value).ok_or_else(|| {
            WeightsProblem::Unsupported(format!("'{name}', which is no plain dense tensor"))
        })?;
        Ok((name.to_owned(), tensor))
    });
    named.collect()
}

/// `_rebuild_tensor_v2(storage, offset, size, stride, ...)`, bare or as a parameter.
fn tensor(arena: &Arena, value: Value) -> Option<Tensor> {
    let Value::Call(_) = value else { return None };
    let [function, arguments] = arena.items(value)? else { return None };
    let (function, arguments) = (arena.text(*function)?, arena.items(*arguments)?);
    match (function, arguments) {
        // The second is how parameters were saved in 2017.
        ("torch._utils _rebuild_parameter" | "torch.nn.parameter Parameter", [inner, ..]) => {
            bare(arena, *inner)
        }
        _ => bare(arena, value),
    }
}

fn bare(arena: &Arena, value: Value) -> Option<Tensor> {
    let Value::Call(_) = value else { return None };
    let [function, arguments] = arena.items(value)? else { return None };
    if !["torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor"].contains(&arena.text(*function)?)
    {
        return None;
    }
    let [storage, Value::Int(offset), size, stride, ..] = arena.items(*arguments)? else { return None };
    let whole = |value: &Value| match value {
        Value::Int(n) => u64::try_from(*n).ok(),
        _ => None,
    };
    if arena.items(*size)?.len() > MOST_SIDES {
        return None;
    }
    let shape: Vec<usize> =
        arena.items(*size)?.iter().map(|n| usize::try_from(whole(n)?).ok()).collect::<Option<_>>()?;
    let strides: Vec<u64> = arena.items(*stride)?.iter().map(whole).collect::<Option<_>>()?;
    // Row-major; the stride of a side of one says nothing.
    let mut expected = 1u64;
    for (&side, &stride) in shape.iter().zip(&strides).rev() {
        if side > 1 && stride != expected {
            return None;
        }
        expected = expected.checked_mul(side as u64)?;
    }
    let Value::Outside(_) = storage else { return None };
    let [_, class, key, _, elements, ..] = arena.items(*storage)? else { return None };
    let number = match arena.text(*class)?.strip_prefix("torch ")? {
        "FloatStorage" => Number::F32,
        "DoubleStorage" => Number::F64,
        "HalfStorage" => Number::F16,
        "BFloat16Storage" => Number::BF16,
        "LongStorage" => Number::Other(8),
        "IntStorage" => Number::Other(4),
        "ShortStorage" => Number::Other(2),
        "CharStorage" | "ByteStorage" | "BoolStorage" => Number::Other(1),
        _ => return None,
    };
    let same = strides.len() == shape.len();
    let tensor = Tensor {
        number,
        storage: arena.text(*key).filter(|key| key.len() <= LONGEST_NAME)?.to_owned(),
        elements: whole(elements)?,
        offset: u64::try_from(*offset).ok()?,
        shape,
    };
    same.then_some(tensor)
}
