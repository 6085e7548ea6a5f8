//! Reading.

use super::{KIND, LEAST, OCCUPIED, codec};
use crate::config::NerfConfig;
use crate::error::NerfError;
use crate::identity;
use crate::model::{Model, OpenOptions};
use crate::reach::{Space, sharing};
use nerve_core::checkpoint::Checkpoint;
use nerve_core::engine::Purpose;
use nerve_core::field::{COLORS, POSES};
use nerve_core::ops::hash_grid::GridLevel;
use nerve_core::ops::march::Bitfield;
use nerve_core::ops::{affine_color, rigid};
use nerve_core::params::BlockSpec;
use nerve_core::run::Clock;
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
                "its kind is '{other}', so it is not a compact file; `nerve export RUN compact` writes one"
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
    Source::open(path)?.configuration()
}

/// Opens a field that was [written](super::write()).
///
/// # Errors
/// If the file is damaged, or of another kind, or of a field that cannot be computed here.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Model, NerfError> {
    let source = Source::open(path)?;
    let config = options.apply(source.configuration()?)?;
    identity::check_field(&config, &source.file, path)?;
    let capture = identity::capture(&source.file, path)?;
    let cameras = source.cameras(&config, capture.training.count)?;
    let on = (options.device, options.threads);
    let mut model = Model::new(config, capture, cameras, on, Purpose::Look)?;
    source.fill(&mut model)?;
    Ok(model)
}

impl Source<'_> {
    fn configuration(&self) -> Result<NerfConfig, NerfError> {
        let text = self.file.meta("config")?;
        let mut config: NerfConfig = serde_json::from_str(text)
            .map_err(|e| self.damaged(format!("its configuration cannot be read: {e}")))?;
        // What was exported is the average, where there was one.
        config.train.ema = None;
        Ok(config)
    }

    /// Of how many cameras something was learnt: those of so many training views that a mask leaves anything of.
    fn cameras(&self, config: &NerfConfig, training: usize) -> Result<usize, NerfError> {
        let learnt = [
            (config.cameras.refine_poses, POSES, rigid::VALUES),
            (config.cameras.appearance, COLORS, affine_color::VALUES),
        ];
        let Some((_, name, columns)) = learnt.into_iter().find(|(learnt, ..)| *learnt) else { return Ok(0) };
        let most = training.saturating_mul(2 * columns);
        self.frame(name, most, |bytes| {
            bytes.len().is_multiple_of(2 * columns).then_some(bytes.len() / (2 * columns))
        })
    }

    /// Takes the field's values over.
    fn fill(&self, model: &mut Model) -> Result<(), NerfError> {
        let mut bits = Bitfield::new(model.occupancy.bits().cascades(), false);
        let count = bits.words().len();
        let words = self.frame(OCCUPIED, 8 * count, |bytes| {
            let (words, rest) = bytes.as_chunks::<8>();
            let words: Vec<u64> = words.iter().map(|w| u64::from_le_bytes(*w)).collect();
            (words.len() == count && rest.is_empty()).then_some(words)
        })?;
        bits.refill(|word| words[word]);
        let space = Space::occupied(&bits, model.volume.side);
        let step = self.number("step")?;
        model.clock = Clock::at(Duration::from_nanos(self.number("elapsed_ns")?));
        if model.has_saliency() {
            model.gamma = self.number("gamma")?;
        }
        model.loss = identity::loss(&self.file);
        model.engine.set_step_count(step);
        let layout = model.engine.layout().clone();
        let values = layout.params.ids().collect::<Vec<_>>().into_par_iter().with_max_len(1).map(|id| {
            let block = &layout.params.blocks()[id.index()];
            let table = layout.handles.tables.iter().position(|table| *table == id);
            self.values(block, table.map(|l| (&layout.levels[l], &space)))
        });
        let values: Vec<Vec<f32>> = values.collect::<Result<_, NerfError>>()?;
        for (id, values) in layout.params.ids().zip(&values) {
            model.engine.write(id, values)?;
        }
        model.read_cameras()?;
        model.occupancy.hold(bits, self.number(LEAST)?);
        model.set_progress(model.config().train.run.progress(step, model.elapsed()));
        Ok(())
    }

    /// The values of a block; of a table, those of the entries that are reached in this space, and zeros.
    fn values(&self, block: &BlockSpec, table: Option<(&GridLevel, &Space)>) -> Result<Vec<f32>, NerfError> {
        let shared = table.map(|(level, space)| (level, sharing(level, space).counts));
        let count = shared.as_ref().map_or(block.values(), |(level, sharing)| {
            level.features * sharing.iter().filter(|live| **live > 0).count()
        });
        let (name, key) = (&block.name, format!("step/{}", block.name));
        let values = match self.file.meta(&key) {
            Err(_) => self.frame(name, 2 * count, |bytes| codec::from_halves(bytes, count))?,
            Ok(_) => {
                let step = self.number(&key)?;
                self.frame(name, 5 * count, |bytes| codec::from_codes(bytes, count, step))?
            }
        };
        if !values.iter().all(|v| v.is_finite()) {
            return Err(self.damaged(format!("'{name}' holds what is no number; export it again")));
        }
        let Some((level, sharing)) = shared else { return Ok(values) };
        let mut all = vec![0.0; block.values()];
        codec::place(level, &values, &sharing, &mut all);
        Ok(all)
    }
}
