//! Reading.

use super::{KIND, LEAST, OCCUPIED, codec};
use crate::NerfConfig;
use crate::identity;
use crate::reach::{Space, sharing};
use crate::trainer::{NerfError, Trainer};
use nerve_core::checkpoint::Checkpoint;
use nerve_core::engine::TrainEngine;
use nerve_core::ops::march::Bitfield;
use nerve_core::ops::small_gemm::Precision;
use rayon::prelude::*;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// An open compact file.
struct Source<'a> {
    path: &'a Path,
    file: Checkpoint,
}

impl<'a> Source<'a> {
    fn open(path: &'a Path) -> Result<Self, NerfError> {
        let this = Self { path, file: Checkpoint::load(path)? };
        match this.file.meta("kind")? {
            KIND => Ok(this),
            other => Err(this.damaged(format!(
                "it is of kind '{other}', not a compact file; `nerve export RUN compact` writes one"
            ))),
        }
    }

    fn damaged(&self, reason: impl Into<String>) -> NerfError {
        NerfError::Compact { path: self.path.to_owned(), reason: reason.into() }
    }

    /// A number among the file's names and values.
    fn number<T: FromStr>(&self, key: &str) -> Result<T, NerfError> {
        let text = self.file.meta(key)?;
        text.parse().map_err(|_| self.damaged(format!("`{key}` is {text:?}, not a number; export it again")))
    }

    /// What `decode` makes of a frame of at most `most` bytes.
    fn frame<T>(&self, name: &str, most: usize, decode: impl Fn(&[u8]) -> Option<T>) -> Result<T, NerfError> {
        let frame = self.file.bytes(name)?;
        codec::expand(&frame, most)
            .and_then(|bytes| decode(&bytes))
            .ok_or_else(|| self.damaged(format!("'{name}' is damaged or of another field; export it again")))
    }
}

/// The configuration of the run that a compact file is of.
///
/// # Errors
/// If there is no such file, or it is another kind of file.
pub fn configuration(path: &Path) -> Result<NerfConfig, NerfError> {
    let source = Source::open(path)?;
    let text = source.file.meta("config")?;
    let mut config: NerfConfig = serde_json::from_str(text)
        .map_err(|e| source.damaged(format!("its configuration cannot be read: {e}")))?;
    // What was exported is the average, where there was one; and any machine can look at it.
    config.train.ema = None;
    if !config.train.precision.available() {
        config.train.precision = Precision::F32;
    }
    Ok(config)
}

impl Trainer {
    /// Takes over a field that [`Self::write_compact`] wrote. It can be looked at, not trained on: there are no
    /// moments.
    ///
    /// # Errors
    /// If the file is damaged, or of another field.
    pub fn read_compact(&mut self, path: &Path) -> Result<(), NerfError> {
        let source = Source::open(path)?;
        identity::check_field(self, &source.file, path)?;
        let cascades = self.occupancy.bits().cascades();
        let mut bits = Bitfield::new(cascades, false);
        let count = bits.words().len();
        let words = source.frame(OCCUPIED, 8 * count, |bytes| {
            let (words, rest) = bytes.as_chunks::<8>();
            let words: Vec<u64> = words.iter().map(|w| u64::from_le_bytes(*w)).collect();
            (words.len() == count && rest.is_empty()).then_some(words)
        })?;
        bits.refill(|word| words[word]);
        let space = Space::occupied(&bits, self.scene().aabb_scale as f32);
        let levels = self.config().grid.levels()?;
        let step = source.number("step")?;
        self.before = Duration::from_nanos(source.number("elapsed_ns")?);
        let params = self.engine.params_mut();
        params.step = step;
        let (blocks, _) = params.split();
        blocks.par_iter_mut().enumerate().with_max_len(1).try_for_each(|(i, block)| {
            let name = &block.spec.name;
            let shared = levels.get(i).map(|level| (level, sharing(level, &space).counts));
            let count = shared.as_ref().map_or(block.weight.len(), |(level, sharing)| {
                level.features * sharing.iter().filter(|live| **live > 0).count()
            });
            let key = format!("step/{name}");
            let values = match source.file.meta(&key) {
                Err(_) => source.frame(name, 2 * count, |bytes| codec::from_halves(bytes, count))?,
                Ok(_) => {
                    let step = source.number(&key)?;
                    source.frame(name, 5 * count, |bytes| codec::from_codes(bytes, count, step))?
                }
            };
            if !values.iter().all(|v| v.is_finite()) {
                return Err(source.damaged(format!("'{name}' holds what is no number; export it again")));
            }
            match &shared {
                Some((level, sharing)) => codec::place(level, &values, sharing, &mut block.weight),
                None => block.weight.copy_from_slice(&values),
            }
            Ok::<(), NerfError>(())
        })?;
        self.occupancy.hold(bits, source.number(LEAST)?);
        self.tell_progress();
        if let (Some(mean), Some(pruner)) = (self.mean_saliency(), &mut self.pruner) {
            (pruner.mean, pruner.gamma) = (mean, source.number("gamma")?);
        }
        Ok(())
    }
}
