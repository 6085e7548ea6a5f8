//! Sources of weights: files, folders and models on the hub.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use nerve_core::weights::WeightFile;
use serde::de::DeserializeOwned;

use super::{Access, LoadError, hub_folder};

/// Names of a single file of weights, the preferred one first.
pub(super) const WHOLE: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
/// Names of an index of several.
pub(super) const INDEX: [&str; 2] = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];

/// Named arrays in one file or several, and the configuration beside them.
#[derive(Debug)]
pub struct WeightSource {
    origin: String,
    files: Vec<WeightFile>,
    /// Which file holds an array, and its shape.
    arrays: BTreeMap<String, (usize, Vec<usize>)>,
    config: Option<PathBuf>,
}

impl WeightSource {
    /// A file or folder, or a model on the hub by the name `owner/name`.
    ///
    /// # Errors
    /// If nothing is found there, or a file is broken.
    pub fn find(name: &str, access: Access) -> Result<Self, LoadError> {
        let path = Path::new(name);
        if path.exists() {
            return Self::open(path);
        }
        Self::open(&hub_folder(name, access)?)
    }

    /// A safetensors or PyTorch file, or a folder with `model.safetensors` or `pytorch_model.bin`, whole or in shards,
    /// and `config.json`.
    ///
    /// # Errors
    /// If nothing is there, or a file is broken.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let (paths, folder) = if path.is_dir() {
            (weight_files(path)?.ok_or_else(|| LoadError::NoWeights(path.to_owned()))?, Some(path))
        } else {
            (vec![path.to_owned()], path.parent())
        };
        let mut source = Self {
            origin: path.display().to_string(),
            files: Vec::new(),
            arrays: BTreeMap::new(),
            config: folder.map(|folder| folder.join("config.json")).filter(|config| config.is_file()),
        };
        for path in paths {
            let file = WeightFile::open(path)?;
            let at = source.files.len();
            source
                .arrays
                .extend(file.shapes().map(|(name, shape)| (name.to_owned(), (at, shape.to_owned()))));
            source.files.push(file);
        }
        Ok(source)
    }

    /// The file or folder, for messages.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Names and shapes of all arrays, in order of the names.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.arrays.iter().map(|(name, (_, shape))| (name.as_str(), &**shape))
    }

    /// The shape of an array, if it is there.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.arrays.get(name).map(|(_, shape)| &**shape)
    }

    /// The values of an array, as f32.
    ///
    /// # Errors
    /// If it is not there, or holds no floating-point numbers.
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>, LoadError> {
        let at = self.arrays.get(name).map_or(0, |(at, _)| *at);
        match self.files.get_mut(at) {
            Some(file) => Ok(file.read(name)?),
            None => Err(LoadError::NoWeights(PathBuf::from(&self.origin))),
        }
    }

    /// The `config.json` beside the weights, if there is one.
    ///
    /// # Errors
    /// If it is broken, or does not describe a `T`.
    pub fn config<T: DeserializeOwned>(&self) -> Result<Option<T>, LoadError> {
        self.config.as_deref().map(read_json).transpose()
    }
}

/// Values that the smallest models may lack in their files.
const SPARE: usize = 1 << 16;

/// How many values a model of these weights may have: twice what the files hold, for tables that are resized. A
/// configuration that wants more does not belong to these weights.
#[must_use]
pub fn room(source: &WeightSource) -> usize {
    2 * source.shapes().map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>() + SPARE
}

/// The files of weights in a folder, if there are any.
pub(super) fn weight_files(folder: &Path) -> Result<Option<Vec<PathBuf>>, LoadError> {
    for (whole, index) in WHOLE.iter().zip(INDEX) {
        let whole = folder.join(whole);
        if whole.is_file() {
            return Ok(Some(vec![whole]));
        }
        let index = folder.join(index);
        if index.is_file() {
            return Ok(Some(shards(&index)?.iter().map(|name| folder.join(name)).collect()));
        }
    }
    Ok(None)
}

/// The files that an index names, each once.
pub(super) fn shards(index: &Path) -> Result<Vec<String>, LoadError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let names: BTreeSet<String> = read_json::<Index>(index)?.weight_map.into_values().collect();
    for name in &names {
        // They lie beside the index.
        if Path::new(name).components().count() != 1 || name.contains(['/', '\\']) || name.starts_with('.') {
            let problem = format!("'{name}' is not a plain file name");
            return Err(LoadError::Json { path: index.to_owned(), problem });
        }
    }
    Ok(names.into_iter().collect())
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LoadError> {
    let text =
        fs::read_to_string(path).map_err(|problem| LoadError::Io { path: path.to_owned(), problem })?;
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text))
        .map_err(|problem| LoadError::Json { path: path.to_owned(), problem: problem.to_string() })
}
