//! Published weights, loaded into a model's variables.
//!
//! A [`WeightSource`] is a file, or a folder as Hugging Face lays them out, or a model's name on the hub. [`load`] asks a
//! model's [`Keys`] where each array of the source belongs, and writes values in place; the [`LoadReport`] lists what did not
//! fit, and [`LoadReport::strict`] makes an error of it.
pub(crate) mod clip;
mod error;
#[cfg(feature = "hub")]
mod fetch;
mod hub;
mod keys;
mod report;
mod source;

use std::collections::BTreeMap;

use nerve_core::graph::{Tensor, Variables};

pub use error::LoadError;
pub use hub::Access;
use hub::hub_folder;
pub use keys::{Destination, Keys, renamed};
pub use report::{LoadReport, Mismatch};
pub use source::{WeightSource, room};

/// Loads what `source` holds into the variables whose keys begin with `prefix` (which `keys` does not know of).
///
/// Variables that are not found, or only in part, keep their values and are reported as missing.
///
/// # Errors
/// If the source cannot be read. What does not fit is in the report.
pub fn load(
    variables: &Variables,
    prefix: &str,
    source: &mut WeightSource,
    keys: &dyn Keys,
) -> Result<LoadReport, LoadError> {
    let mut report = LoadReport { source: source.origin().to_owned(), ..LoadReport::default() };
    let mut missing: BTreeMap<String, nerve_core::graph::Var> = BTreeMap::new();
    for (key, variable) in variables.all() {
        if let Some(key) = key.strip_prefix(prefix) {
            missing.insert(key.to_owned(), variable.var);
        }
    }
    let mut parts: BTreeMap<String, Vec<Option<Vec<f32>>>> = BTreeMap::new();
    let names: Vec<(String, Vec<usize>)> =
        source.shapes().map(|(n, s)| (n.to_owned(), s.to_owned())).collect();
    for (name, shape) in names {
        let destination = keys.destination(&name);
        let transposed = matches!(destination, Destination::Transposed(_));
        let (key, part) = match destination {
            Destination::Variable(key) | Destination::Transposed(key) => (key, None),
            Destination::Part { key, part, parts } => (key, Some((part, parts))),
            Destination::Split(keys) => {
                let values = source.read(&name)?;
                let size = values.len() / keys.len().max(1);
                for (key, values) in keys.iter().zip(values.chunks_exact(size.max(1))) {
                    let Some(key) = key else { continue };
                    let Some(var) = variables.get(&format!("{prefix}{key}")).map(|v| v.var) else {
                        report.unexpected.push(name.clone());
                        continue;
                    };
                    missing.remove(key);
                    if var.elem_count() == size {
                        var.set(&Tensor::from_vec(values.to_vec(), var.dims(), var.device())?)?;
                        report.loaded += 1;
                    } else {
                        let model = vec![keys.len() * var.elem_count()];
                        report.mismatched.push(Mismatch { key: name.clone(), file: shape.clone(), model });
                    }
                }
                continue;
            }
            Destination::Ignored => {
                report.ignored.push(name);
                continue;
            }
            Destination::Unknown => {
                report.unexpected.push(name);
                continue;
            }
        };
        let Some(var) = variables.get(&format!("{prefix}{key}")).map(|v| v.var) else {
            report.unexpected.push(name);
            continue;
        };
        let wanted = match part {
            None => var.dims().to_vec(),
            Some((_, parts)) => share(var.dims(), parts),
        };
        let mut values = source.read(&name)?;
        let mut shape = shape;
        if transposed && let [rows, columns] = shape[..] {
            values = (0..columns * rows).map(|at| values[at % rows * columns + at / rows]).collect();
            shape.reverse();
        }
        let values = if same(&shape, &wanted) {
            values
        } else if let Some(values) = keys.resize(&key, &values, &shape, &wanted) {
            report.resized.push(name);
            values
        } else {
            missing.remove(&key);
            report.mismatched.push(Mismatch { key: name, file: shape, model: wanted });
            continue;
        };
        match part {
            None => {
                var.set(&Tensor::from_vec(values, var.dims(), var.device())?)?;
                missing.remove(&key);
                report.loaded += 1;
            }
            Some((part, count)) => {
                let slots = parts.entry(key).or_insert_with(|| vec![None; count]);
                if let Some(slot) = slots.get_mut(part) {
                    *slot = Some(values);
                }
            }
        }
    }
    for (key, slots) in parts {
        let Some(whole) = slots.into_iter().collect::<Option<Vec<_>>>() else { continue };
        if let Some(var) = missing.remove(&key) {
            var.set(&Tensor::from_vec(whole.concat(), var.dims(), var.device())?)?;
            report.loaded += 1;
        }
    }
    report.missing = missing.into_keys().map(|key| format!("{prefix}{key}")).collect();
    Ok(report)
}

/// The shape of one of so many equal parts along the first extent.
fn share(shape: &[usize], parts: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if let Some(first) = shape.first_mut() {
        *first /= parts.max(1);
    }
    shape
}

/// Equal but for extents of one: a linear layer may be stored as a 1x1 convolution, a token with leading ones.
fn same(a: &[usize], b: &[usize]) -> bool {
    let extents = |shape: &[usize]| shape.iter().copied().filter(|n| *n != 1).collect::<Vec<_>>();
    extents(a) == extents(b)
}

#[cfg(test)]
mod tests;
