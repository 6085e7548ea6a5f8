//! The confusion matrix of a set of label maps.

use super::{IGNORE, LabelMetricError, check_classes, check_labels};

/// How many pixels of each true class were given each class, over any number of images. Sums are integers: images may
/// be added and matrices merged in any order, with the same result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// An empty matrix of `classes` x `classes`.
    ///
    /// # Errors
    /// [`LabelMetricError::Classes`] if there are none or more than 255.
    pub fn new(classes: usize) -> Result<Self, LabelMetricError> {
        check_classes(classes)?;
        Ok(Self { classes, counts: vec![0; classes * classes] })
    }

    /// Adds an image: predicted and true labels of the same pixels. Where the truth is [`IGNORE`], neither counts.
    ///
    /// # Errors
    /// If the numbers of labels differ, or a pixel that counts has a label that is no class. Nothing is added then.
    pub fn add(&mut self, prediction: &[u8], truth: &[u8]) -> Result<(), LabelMetricError> {
        check_labels(prediction, truth, truth.len(), self.classes)?;
        for (&p, &t) in prediction.iter().zip(truth) {
            if t != IGNORE {
                self.counts[usize::from(t) * self.classes + usize::from(p)] += 1;
            }
        }
        Ok(())
    }

    /// Adds all that another matrix has counted.
    ///
    /// # Errors
    /// [`LabelMetricError::Differ`] if it is of another number of classes.
    pub fn merge(&mut self, other: &Self) -> Result<(), LabelMetricError> {
        if self.classes != other.classes {
            let (a, b) = (self.classes as f64, other.classes as f64);
            return Err(LabelMetricError::Differ { what: "numbers of classes", a, b });
        }
        for (sum, &count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
        Ok(())
    }

    /// How many classes there are.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// All counts, row after row: the row is the true class, the column the predicted one.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Pixels of true class `truth` that were given class `prediction`; 0 if either is no class.
    #[must_use]
    pub fn count(&self, truth: usize, prediction: usize) -> u64 {
        let inside = truth < self.classes && prediction < self.classes;
        if inside { self.counts[truth * self.classes + prediction] } else { 0 }
    }

    /// Pixels that were given the right class.
    #[must_use]
    pub fn hits(&self, class: usize) -> u64 {
        self.count(class, class)
    }

    /// Pixels whose true class this is.
    #[must_use]
    pub fn truths(&self, class: usize) -> u64 {
        (0..self.classes).map(|prediction| self.count(class, prediction)).sum()
    }

    /// Pixels that were given this class.
    #[must_use]
    pub fn predictions(&self, class: usize) -> u64 {
        (0..self.classes).map(|truth| self.count(truth, class)).sum()
    }

    /// All pixels that count.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The matrix as CSV (RFC 4180): a header of the predicted classes, a row for each true class, counts of pixels.
    /// A class without a name is named by its number.
    #[must_use]
    pub fn to_csv(&self, names: &[String]) -> String {
        let name = |class: usize| names.get(class).map_or_else(|| class.to_string(), |name| quoted(name));
        let mut csv = String::from("truth \\ prediction");
        for class in 0..self.classes {
            csv += ",";
            csv += &name(class);
        }
        csv += "\n";
        for (class, row) in self.counts.chunks_exact(self.classes).enumerate() {
            csv += &name(class);
            for count in row {
                csv += &format!(",{count}");
            }
            csv += "\n";
        }
        csv
    }
}

/// A field of a CSV row.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
