//! LPIPS' weights in published files: which array is which, under torchvision's names and the package's.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{Convolution, Layer, Lpips, LpipsError, Network, SCALE, SHIFT};
use crate::weights::WeightFile;

/// The keys of the heads.
pub const HEADS: &str = "lin0.model.1.weight to lin4.model.1.weight";

/// Where weights come from.
pub const REMEDY: &str = "\
How to get the weights: --lpips can be given several times, so the two published files do,
  torchvision's features  https://download.pytorch.org/models/alexnet-owt-7be5be79.pth (or vgg16-397923af.pth)
  the heads               weights/v0.1/alex.pth (or vgg.pth) of the PyPI package `lpips`
or write both into one file with docs/lpips_weights.py (Python).";

/// Which of the given files an array is in.
struct Source<'a> {
    file: usize,
    name: &'a str,
    shape: &'a [usize],
}

/// The arrays under LPIPS's own names, `features.INDEX.weight` and `linN.model.1.weight`.
type Sources<'a> = BTreeMap<String, Source<'a>>;

impl Lpips {
    /// Reads the weights: each path is a file, or a folder of which every `.pth`, `.pt` and `.safetensors` is read.
    /// Together they hold the features under torchvision's keys (`features.0.weight`; its classifier is passed over) or
    /// the package's (`net.slice1.0.weight`), and the heads (`lin0.model.1.weight`).
    ///
    /// # Errors
    /// Files that cannot be read; arrays that are missing, unknown, of another shape, there twice or not finite, by
    /// name, with how to get them.
    pub fn read(paths: &[PathBuf]) -> Result<Self, LpipsError> {
        let mut files = Vec::new();
        for path in paths {
            for file in listed(path)? {
                files.push(WeightFile::open(file)?);
            }
        }
        let names: Vec<String> = files.iter().map(|file| file.path().display().to_string()).collect();
        let names = if names.is_empty() {
            paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
        } else {
            names.join(", ")
        };
        let mut problems = Vec::new();
        let (sources, constants) = sources(&files, &mut problems);
        let network = match sources.get("features.0.weight").map(|source| source.shape) {
            Some([64, 3, 11, 11]) => Network::AlexNet,
            Some([64, 3, 3, 3]) => Network::Vgg16,
            _ => return Err(LpipsError::NoNetwork { files: names }),
        };
        if !sources.keys().any(|key| key.starts_with("lin")) {
            return Err(LpipsError::NoHeads { network, files: names });
        }
        let expected = network.arrays();
        check(&sources, &expected, network, &mut problems);
        let wanted: Vec<(usize, String)> = expected
            .iter()
            .filter_map(|(key, _)| sources.get(key).map(|source| (source.file, source.name.to_owned())))
            .collect();
        if problems.is_empty() {
            for (file, name, expected) in constants {
                if files[file].read(&name)? != expected {
                    problems.push(format!("{name} is not the {expected:?} of LPIPS v0.1"));
                }
            }
        }
        let mut arrays = Vec::new();
        if problems.is_empty() {
            for (file, name) in wanted {
                let values = files[file].read(&name)?;
                if !values.iter().all(|value| value.is_finite()) {
                    problems.push(format!("{name} holds what is no number"));
                }
                arrays.push(values);
            }
        }
        if !problems.is_empty() {
            return Err(LpipsError::Keys { network, files: names, problems });
        }
        Ok(network.assembled(arrays))
    }
}

impl Network {
    /// Names and shapes of all arrays: weight and bias of each convolution, then the heads.
    pub(super) fn arrays(self) -> Vec<(String, Vec<usize>)> {
        let mut arrays = Vec::new();
        for layer in self.layers() {
            if let Layer::Convolution { index, inputs, outputs, side, .. } = *layer {
                arrays.push((format!("features.{index}.weight"), vec![outputs, inputs, side, side]));
                arrays.push((format!("features.{index}.bias"), vec![outputs]));
            }
        }
        let heads = self.channels().into_iter().enumerate();
        arrays.extend(heads.map(|(i, channels)| (format!("lin{i}.model.1.weight"), vec![1, channels, 1, 1])));
        arrays
    }

    /// The metric, from the values of [`Network::arrays`].
    pub(super) fn assembled(self, arrays: Vec<Vec<f32>>) -> Lpips {
        let mut arrays = arrays.into_iter();
        let mut convolutions = Vec::new();
        for layer in self.layers() {
            if let Layer::Convolution { inputs, side, stride, .. } = *layer
                && let (Some(weights), Some(bias)) = (arrays.next(), arrays.next())
            {
                convolutions.push(Convolution::new(side, stride, inputs, &weights, bias));
            }
        }
        Lpips { network: self, convolutions, heads: arrays.collect() }
    }
}

/// The file itself, or the files of weights in a folder, by name.
fn listed(path: &Path) -> Result<Vec<PathBuf>, LpipsError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |error| LpipsError::Folder { path: path.to_owned(), error };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let known = file.extension().is_some_and(|e| e == "pth" || e == "pt" || e == "safetensors");
        if known && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// An array of which LPIPS v0.1 says what it holds: its file, its name, its values.
type Constant = (usize, String, [f32; 3]);

/// Every array that may be one of LPIPS's, under its own name; and the constants to be checked.
fn sources<'a>(files: &'a [WeightFile], problems: &mut Vec<String>) -> (Sources<'a>, Vec<Constant>) {
    let (mut sources, mut constants) = (Sources::new(), Vec::new());
    for (file, weights) in files.iter().enumerate() {
        for (name, shape) in weights.shapes() {
            match name {
                "scaling_layer.shift" => constants.push((file, name.to_owned(), SHIFT)),
                "scaling_layer.scale" => constants.push((file, name.to_owned(), SCALE)),
                _ if name.starts_with("classifier.") => {}
                // The package's modules are registered twice, under two names.
                _ if name.starts_with("lins.") && weights.contains(&name.replacen("lins.", "lin", 1)) => {}
                _ => {
                    if let Some(other) = sources.insert(canonical(name), Source { file, name, shape }) {
                        problems.push(format!(
                            "{name} is also in {} as {}",
                            files[other.file].path().display(),
                            other.name
                        ));
                    }
                }
            }
        }
    }
    (sources, constants)
}

/// `net.slice1.0.weight` is `features.0.weight`, `lins.0.model.1.weight` is `lin0.model.1.weight`.
fn canonical(name: &str) -> String {
    if let Some((slice, rest)) = name.strip_prefix("net.slice").and_then(|rest| rest.split_once('.')) {
        let known = [Network::AlexNet, Network::Vgg16].iter().flat_map(|n| n.layers()).any(|layer| {
            matches!(layer, Layer::Convolution { slice: s, index, .. }
                if s.to_string() == slice && rest.split('.').next() == Some(&index.to_string()))
        });
        if known {
            return format!("features.{rest}");
        }
    }
    match name.strip_prefix("lins.") {
        Some(rest) => format!("lin{rest}"),
        None => name.to_owned(),
    }
}

/// Notes what is missing, of another shape, or unknown.
fn check(
    sources: &Sources<'_>,
    expected: &[(String, Vec<usize>)],
    network: Network,
    problems: &mut Vec<String>,
) {
    for (key, shape) in expected {
        match sources.get(key) {
            None => problems.push(format!("{key} is missing")),
            Some(found) if found.shape != shape => problems
                .push(format!("{} has shape {:?}, {network}'s has {shape:?}", found.name, found.shape)),
            Some(_) => {}
        }
    }
    let unknown = sources.iter().filter(|(key, _)| !expected.iter().any(|(name, _)| name == *key));
    problems.extend(unknown.map(|(_, source)| format!("{} is not one of {network}'s", source.name)));
}
