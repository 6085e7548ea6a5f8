//! Vectors of classes from a file: a safetensors file with one matrix `(classes, channels)` and, in its metadata, `names`, a
//! JSON list of as many words.
use std::collections::BTreeMap;
use std::path::Path;

use nerve_core::weights::WeightFile;

use super::TextError;

/// Named vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassVectors {
    /// The names, in the order of the vectors.
    pub names: Vec<String>,
    /// Channels of a vector.
    pub channels: usize,
    /// `(names, channels)`, row-major.
    pub values: Vec<f32>,
}

impl ClassVectors {
    /// Whether a file is meant as one: it has names in its metadata.
    #[must_use]
    pub fn are(path: &Path) -> bool {
        WeightFile::open(path).is_ok_and(|file| file.metadata().contains_key("names"))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it is no such file, or not all numbers are finite.
    pub fn open(path: &Path) -> Result<Self, TextError> {
        let failed = |problem: String| TextError::Vectors { path: path.to_owned(), problem };
        let mut file = WeightFile::open(path).map_err(|error| TextError::Weights(error.into()))?;
        let shapes: Vec<_> = file.shapes().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
        let [(array, shape)] = &shapes[..] else {
            return Err(failed(format!(
                "it holds {} arrays; give a file with one matrix, a row a class",
                shapes.len()
            )));
        };
        let [rows, channels] = shape[..] else {
            return Err(failed(format!("'{array}' has the shape {shape:?}; it must be (classes, channels)")));
        };
        let names = file.metadata().get("names").cloned().unwrap_or_default();
        let names: Vec<String> = serde_json::from_str(&names).map_err(|error| {
            failed(format!("its metadata has no `names`, a JSON list of {rows} words ({error})"))
        })?;
        if names.len() != rows || rows == 0 || channels == 0 {
            return Err(failed(format!("{} names for {rows} vectors of {channels} channels", names.len())));
        }
        let values = file.read(array).map_err(|error| TextError::Weights(error.into()))?;
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(failed(format!("the vector of '{}' is not finite", names[at / channels])));
        }
        Ok(Self { names, channels, values })
    }

    /// The vectors of these words, all of which the file must name.
    ///
    /// # Errors
    /// Names the words that have none.
    pub fn of_words(&self, words: &[String], path: &Path) -> Result<Vec<f32>, TextError> {
        self.rows(words, path, false)
    }

    /// The vectors of these classes, by their names (letters' case and anything but letters and digits do not count); where
    /// none of the names is there, but as many as there are classes, in the order of the file.
    ///
    /// # Errors
    /// Names the classes that have none.
    pub fn of(&self, classes: &[String], path: &Path) -> Result<Vec<f32>, TextError> {
        self.rows(classes, path, true)
    }

    fn rows(&self, classes: &[String], path: &Path, by_order: bool) -> Result<Vec<f32>, TextError> {
        let plain = |name: &str| {
            name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
        };
        let rows: BTreeMap<String, usize> =
            self.names.iter().enumerate().map(|(i, name)| (plain(name), i)).collect();
        let found: Vec<Option<usize>> =
            classes.iter().map(|class| rows.get(&plain(class)).copied()).collect();
        // A label set's own spelling (SignSymbol for a traffic sign): the file was made for it, in its order.
        let in_order = by_order && classes.len() == self.names.len();
        let missing: Vec<&str> =
            classes.iter().zip(&found).filter(|(_, row)| row.is_none()).map(|(c, _)| c.as_str()).collect();
        let agree = found.iter().enumerate().all(|(i, row)| row.is_none_or(|row| row == i));
        if !(missing.is_empty() || in_order && agree) {
            return Err(TextError::Vectors {
                path: path.to_owned(),
                problem: format!(
                    "it has no vector of {}; there are {}",
                    missing.join(", "),
                    self.names.join(", ")
                ),
            });
        }
        let row = |(i, row): (usize, &Option<usize>)| {
            let at = row.unwrap_or(i) * self.channels;
            self.values[at..at + self.channels].to_vec()
        };
        Ok(found.iter().enumerate().flat_map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> ClassVectors {
        let names = ["sky", "traffic sign", "road"].map(str::to_owned).to_vec();
        ClassVectors { names, channels: 1, values: vec![1.0, 2.0, 3.0] }
    }

    fn of(classes: &[&str]) -> Result<Vec<f32>, TextError> {
        let classes: Vec<String> = classes.iter().map(|c| (*c).to_owned()).collect();
        vectors().of(&classes, Path::new("file"))
    }

    #[test]
    fn classes_are_found_by_name_or_by_their_order() {
        assert_eq!(of(&["Road", "Traffic_Sign"]).expect("found"), [3.0, 2.0]);
        // Another word for the second, the others where they stand.
        assert_eq!(of(&["Sky", "SignSymbol", "Road"]).expect("found"), [1.0, 2.0, 3.0]);
        for classes in [&["Road", "SignSymbol", "Sky"][..], &["sky", "car"]] {
            let error = of(classes).expect_err("missing").to_string();
            assert!(error.contains("no vector of") && error.contains("traffic sign"), "{error}");
        }
    }

    #[test]
    fn what_is_no_file_of_vectors_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("v.safetensors");
        for (header, bytes, part) in [
            (r#"{"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#, 4, "no `names`"),
            (
                r#"{"__metadata__":{"names":"[\"x\"]"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}"#,
                8,
                "1 names for 2 vectors",
            ),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4, "shape [1]"),
        ] {
            let header = header.as_bytes();
            let file = [&(header.len() as u64).to_le_bytes()[..], header, &vec![0; bytes]].concat();
            std::fs::write(&path, file).expect("a file");
            let error = ClassVectors::open(&path).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
