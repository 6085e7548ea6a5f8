//! A segmenter that learns: steps, and what they depend on.
use std::sync::Arc;
use std::time::{Duration, Instant};

use nerve_core::graph::{Gradients, Mode, Optimizer, Randomness, Rule, differentiate, read};
use nerve_core::ops::cross_entropy::cross_entropy;
use nerve_core::ops::resize::bilinear;
use nerve_data::augment::{Augment, ColorJitter};
use nerve_data::labels::{LabelSet, LabelSplit};

use super::batches::{Batch, Batches, Recipe};
use crate::load::Report;

use super::{DataConfig, SegConfig, SegmentationError, Segmenter};

/// Tables of positions, and tokens.
const UNDECAYED: [&str; 5] =
    ["attention_biases", "relative_position_bias_table", "pos_embed", "cls_token", "reg_token"];

/// What one step did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// The mean loss.
    pub loss: f64,
    /// The norm of all gradients together, before it was limited.
    pub norm: f64,
    /// The schedule's factor of the learning rates.
    pub factor: f64,
}

/// A run in the making.
pub struct Trainer {
    pub(super) config: SegConfig,
    pub(super) set: Arc<LabelSet>,
    pub(super) segmenter: Segmenter,
    loaded: Option<Report>,
    pub(super) optimizer: Optimizer,
    gradients: Gradients,
    weights: Arc<[f32]>,
    recipe: Recipe,
    batches: Option<Batches>,
    pub(super) step: u64,
    pub(super) elapsed: Duration,
    clock: Option<Instant>,
}

impl Trainer {
    /// A trainer with fresh variables, those of the backbone from its weights if there are any. `counts` are the pixels
    /// of each class in the training split.
    ///
    /// # Errors
    /// If the configuration cannot be, the split does not exist, or the weights cannot be used.
    pub fn new(config: SegConfig, set: Arc<LabelSet>, counts: &[u64]) -> Result<Self, SegmentationError> {
        let mut segmenter = Segmenter::new(&config.model, set.classes.len(), config.train.seed)?;
        let weights = config.model.weights.as_deref();
        let loaded = weights.map(|path| segmenter.load_backbone(path, &config.model)).transpose()?;
        Ok(Self { loaded, ..Self::with(config, set, segmenter, counts)? })
    }

    /// A trainer of this segmenter.
    pub(super) fn with(
        config: SegConfig,
        set: Arc<LabelSet>,
        segmenter: Segmenter,
        counts: &[u64],
    ) -> Result<Self, SegmentationError> {
        config.validate()?;
        let train = &config.train;
        let rule = |key: &str, shape: &[usize]| Rule {
            rate: if Segmenter::is_head(key) { train.head_lr } else { train.lr },
            // Biases, norms, tokens and tables of positions are not pulled to zero.
            decay: if shape.len() < 2 || UNDECAYED.iter().any(|end| key.ends_with(end)) {
                0.0
            } else {
                train.weight_decay
            },
        };
        let average = (train.ema > 0.0).then_some(train.ema);
        let optimizer = Optimizer::new(segmenter.variables(), average, rule);
        let pairs = config.data.limited(set.split(&config.data.train_split)?).pairs;
        let augment = &config.augment;
        let strength = augment.photometric as f32;
        let factors = [1.0 - 0.5 * strength, 1.0 + 0.5 * strength];
        let color = ColorJitter {
            brightness: 32.0 * strength,
            contrast: factors,
            saturation: factors,
            hue: 36.0 * strength,
        };
        let augment = Augment {
            crop: augment.crop,
            scale: [augment.scale_min, augment.scale_max],
            max_class_share: augment.max_class_share,
            flip: if augment.no_flip { 0.0 } else { 0.5 },
            color: (strength > 0.0).then_some(color),
            ..Augment::default()
        };
        let recipe = Recipe {
            set: set.clone(),
            pairs: pairs.into(),
            augment,
            batch: config.train.batch,
            seed: config.train.seed,
        };
        Ok(Self {
            weights: config.train.class_weights.of(counts).into(),
            config,
            set,
            segmenter,
            loaded: None,
            optimizer,
            gradients: Gradients::default(),
            recipe,
            batches: None,
            step: 0,
            elapsed: Duration::ZERO,
            clock: None,
        })
    }

    /// The run's configuration.
    #[must_use]
    pub fn config(&self) -> &SegConfig {
        &self.config
    }

    /// The pictures.
    #[must_use]
    pub fn set(&self) -> &Arc<LabelSet> {
        &self.set
    }

    /// What learns.
    #[must_use]
    pub fn segmenter(&self) -> &Segmenter {
        &self.segmenter
    }

    /// What was found in the weights that it began with, if there were any.
    #[must_use]
    pub fn loaded(&self) -> Option<&Report> {
        self.loaded.as_ref()
    }

    /// Finished steps.
    #[must_use]
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// Pictures seen so far.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.step * (self.config.train.batch * self.config.train.accumulate) as u64
    }

    /// Training time so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed + self.clock.map_or(Duration::ZERO, |start| start.elapsed())
    }

    /// How much of the run is done, 0 to 1.
    #[must_use]
    pub fn progress(&self) -> f64 {
        let train = &self.config.train;
        let share = match (train.steps, train.time) {
            (Some(steps), _) => self.step as f64 / steps as f64,
            (None, Some(time)) => self.elapsed().as_secs_f64() / time.as_secs_f64(),
            (None, None) => 1.0,
        };
        share.min(1.0)
    }

    /// The split to measure on, at most as many pictures as the configuration says; None if there is none.
    #[must_use]
    pub fn held_out(&self) -> Option<LabelSplit> {
        let split = match self.config.data.val_split.as_deref() {
            Some(name) => self.set.split(name).ok(),
            None => self.set.held_out(),
        }?;
        Some(self.config.data.limited(split))
    }

    pub(super) fn start_clock(&mut self) {
        self.clock = Some(Instant::now());
    }

    pub(super) fn stop_clock(&mut self) {
        self.elapsed = self.elapsed();
        self.clock = None;
    }

    /// One step: its batches forward and backward, and the optimiser.
    ///
    /// # Errors
    /// If a picture cannot be read.
    pub fn step(&mut self) -> Result<Step, SegmentationError> {
        let train = self.config.train.clone();
        let mode = Mode::Train(Randomness { seed: train.seed, step: self.step });
        self.gradients.clear();
        let mut loss = 0.0;
        for _ in 0..train.accumulate {
            let batch = self.batch()?;
            let extents = batch.extents;
            let images = Batch::tensor(batch.images, extents)?;
            let mean = differentiate(&mut self.gradients, || {
                let scores = self.segmenter.learn(&images, mode)?;
                let scores = bilinear(&scores, [extents[1], extents[2]], false)?;
                cross_entropy(&scores, batch.labels, self.weights.clone())
            })?;
            loss += f64::from(read(&mean)?[0]) / train.accumulate as f64;
        }
        let share = 1.0 / train.accumulate as f64;
        let norm = self.optimizer.norm(&self.gradients) * share;
        let limited = if train.clip > 0.0 && norm > train.clip { train.clip / norm } else { 1.0 };
        let warmup = (self.step + 1) as f64 / train.warmup_steps.max(1) as f64;
        let factor = warmup.min(1.0) * self.config.schedule.by_progress().factor(self.progress());
        if loss.is_finite() && norm.is_finite() {
            self.optimizer.step(&mut self.gradients, factor as f32, (share * limited) as f32)?;
        } else {
            return Err(SegmentationError::Diverged { step: self.step, rate: train.lr });
        }
        self.step += 1;
        Ok(Step { loss, norm, factor })
    }

    fn batch(&mut self) -> Result<Batch, SegmentationError> {
        let first = self.step * self.config.train.accumulate as u64;
        let recipe = &self.recipe;
        self.batches.get_or_insert_with(|| Batches::from(recipe.clone(), first)).next()
    }
}

impl DataConfig {
    /// A split with at most as many pictures as the configuration says, spread over it.
    #[must_use]
    pub fn limited(&self, split: &LabelSplit) -> LabelSplit {
        let all = split.pairs.len();
        let most = self.max_images.unwrap_or(all).clamp(1, all.max(1));
        // Neighbours are often frames of one video.
        let pairs = (0..most).filter_map(|i| split.pairs.get(i * all / most).cloned()).collect();
        LabelSplit { pairs, ..split.clone() }
    }
}
