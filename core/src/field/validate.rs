//! What of a spec cannot be.

use super::{Encoding, FieldSpec, HeadLoss, MlpSpec, SlotId, StageSpec};
use crate::ops::frequency::{self, MOST_OCTAVES};
use crate::ops::{int8, sh};
use crate::settings::SettingError;
use std::collections::BTreeSet;

/// A field that cannot be, on whatever engine.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// The hash grid's extents.
    #[error(transparent)]
    Grid(#[from] SettingError),
    /// Anything else.
    #[error("field, {part}: {reason}")]
    Part {
        /// Where.
        part: String,
        /// What is wrong, and what it may be.
        reason: String,
    },
}

fn check(ok: bool, part: impl Into<String>, reason: impl FnOnce() -> String) -> Result<(), SpecError> {
    if ok { Ok(()) } else { Err(SpecError::Part { part: part.into(), reason: reason() }) }
}

impl FieldSpec {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first part that cannot be.
    pub fn validate(&self) -> Result<(), SpecError> {
        match &self.encoding {
            Encoding::HashGrid { grid, .. } => drop(grid.levels()?),
            Encoding::Frequency { octaves } => {
                let ok = (1..=MOST_OCTAVES).contains(octaves);
                check(ok, "encoding", || format!("{octaves} octaves; use 1 to {MOST_OCTAVES}"))?;
            }
            Encoding::Coordinates => {}
        }
        let (first, outputs) = (self.columns(SlotId::ENCODING), self.encoding.outputs());
        check(first == outputs, "slot 0", || format!("{first} columns for an encoding of {outputs}"))?;
        let empty = self.slots.iter().position(|columns| *columns == 0);
        check(empty.is_none(), format!("slot {}", empty.unwrap_or_default()), || "no columns".into())?;
        let side = self.box_side;
        check(side > 0.0 && side.is_finite(), "box_side", || format!("{side}; use a positive length"))?;
        let least = self.min_transmittance;
        check((0.0..1.0).contains(&least), "min_transmittance", || format!("{least}; use 0 to 1"))?;
        self.validate_order()?;
        self.stages.iter().try_for_each(|stage| self.validate_stage(stage))?;
        self.validate_heads()?;
        self.validate_extras()
    }

    /// Every slot is filled once, before it is read, and read as what it is; stages stand where they belong.
    fn validate_order(&self) -> Result<(), SpecError> {
        // Per slot, once it is filled: whether it has one row per ray.
        let mut filled = vec![None; self.slots.len()];
        if let Some(first) = filled.first_mut() {
            *first = Some(false);
        }
        for stage in &self.stages {
            for (SlotId(slot), per_ray) in stage.inputs() {
                let found = filled.get(slot).copied().flatten();
                let rows = if per_ray { "ray" } else { "sample" };
                check(found == Some(per_ray), stage.name(), || {
                    format!("reads slot {slot}, which no stage before it fills with one row per {rows}")
                })?;
            }
            if let Some((SlotId(slot), per_ray)) = stage.output() {
                let free = filled.get(slot) == Some(&None);
                check(free, stage.name(), || {
                    format!("fills slot {slot}, which is there no more or not at all")
                })?;
                filled[slot] = Some(per_ray);
            }
        }
        let count = |wanted: fn(&StageSpec) -> bool| self.stages.iter().filter(|s| wanted(s)).count();
        let densities = count(|s| matches!(s, StageSpec::Density { .. }));
        check(densities == 1, "stages", || format!("{densities} that decide density; use one"))?;
        check(count(|s| matches!(s, StageSpec::Gate(_))) <= 1, "stages", || "more than one gate".into())?;
        let composites = count(|s| matches!(s, StageSpec::Composite { .. }));
        let last = matches!(self.stages.last(), Some(StageSpec::Composite { .. }));
        check(composites == 1 && last, "stages", || "composite once, as the last of them".into())?;
        let after = self.stages.iter().skip_while(|s| !matches!(s, StageSpec::Density { .. }));
        let gates = after.filter(|s| matches!(s, StageSpec::Gate(_))).count();
        check(gates == 0, "gate", || "stands behind the density that it is a factor of".into())
    }

    fn validate_stage(&self, stage: &StageSpec) -> Result<(), SpecError> {
        let wrong = |ok, reason: &dyn Fn() -> String| check(ok, stage.name(), reason);
        match stage {
            StageSpec::Saliency { input, output } => {
                wrong(self.saliency.is_some(), &|| "the field has no saliency grid".into())?;
                let same = self.columns(*input) == self.columns(*output);
                wrong(same, &|| "its slots are not equally wide".into())?;
                let readers = self.stages.iter().filter(|s| s.inputs().iter().any(|(slot, _)| slot == input));
                wrong(readers.count() == 1, &|| "another stage reads what it scales".into())
            }
            StageSpec::Gate(gate) => {
                let ok = gate.alphas.iter().all(|alpha| *alpha > 0.0 && alpha.is_finite());
                wrong(ok, &|| format!("alphas of {:?}; use positive numbers", gate.alphas))
            }
            StageSpec::Mlp(mlp) => self.validate_network(mlp),
            StageSpec::Layer(layer) => {
                wrong(!layer.inputs.is_empty(), &|| "reads nothing of samples".into())?;
                let mut inputs = layer.inputs.clone();
                inputs.sort_unstable();
                inputs.dedup();
                wrong(inputs.len() == layer.inputs.len(), &|| "reads a slot twice".into())?;
                let most = layer.inputs.iter().map(|slot| self.columns(*slot)).max().unwrap_or(0);
                let fits = !layer.int8 || most <= int8::MOST_INPUTS;
                wrong(fits, &|| format!("{most} inputs in 8 bits; use at most {}", int8::MOST_INPUTS))?;
                self.validate_name(stage, &layer.name)
            }
            StageSpec::Features(features) => {
                features.config.validate()?;
                let (columns, outputs) = (self.columns(features.output), features.config.outputs());
                wrong(columns == outputs, &|| format!("{columns} columns for {outputs} features"))?;
                self.validate_name(stage, &features.name)
            }
            StageSpec::Density { input, column } => {
                let columns = self.columns(*input);
                wrong(*column < columns, &|| format!("column {column} of {columns}"))
            }
            StageSpec::Directions { output, octaves: Some(octaves) } => {
                let columns = self.columns(*output);
                let ok = *octaves <= MOST_OCTAVES && columns == frequency::outputs(*octaves);
                wrong(ok, &|| format!("{columns} columns for {octaves} octaves"))
            }
            StageSpec::Directions { output, octaves: None } => {
                let columns = self.columns(*output);
                let whole = [1, 4, 9, sh::COEFFICIENTS].contains(&columns);
                wrong(whole, &|| format!("{columns} harmonics; use 1, 4, 9 or 16"))
            }
            StageSpec::Composite { spread } => {
                let ok = [spread.distortion, spread.depth].iter().all(|w| *w >= 0.0 && w.is_finite());
                wrong(ok, &|| format!("{spread:?}; use weights of 0 or more"))
            }
        }
    }

    fn validate_network(&self, mlp: &MlpSpec) -> Result<(), SpecError> {
        let part = || format!("network `{}`", mlp.name);
        let columns = self.columns(mlp.input);
        let inputs = (1..=columns).contains(&mlp.inputs);
        check(inputs, part(), || format!("sees {} of {columns} columns", mlp.inputs))?;
        check(mlp.width > 0 && mlp.hidden > 0, part(), || {
            format!("{} hidden layers of {} neurons; use at least one of each", mlp.hidden, mlp.width)
        })?;
        let twice = self.networks().filter(|other| other.name == mlp.name).count() > 1;
        check(!twice && !mlp.name.is_empty(), part(), || "another has its name, or it has none".into())
    }

    /// No other layer's blocks have this prefix.
    fn validate_name(&self, stage: &StageSpec, name: &str) -> Result<(), SpecError> {
        let layers = self.stages.iter().filter(|stage| match stage {
            StageSpec::Layer(layer) => layer.name == name,
            StageSpec::Features(features) => features.name == name,
            StageSpec::Mlp(mlp) => name.strip_prefix(&*mlp.name).is_some_and(|rest| rest.starts_with('.')),
            _ => false,
        });
        let ok = layers.count() == 1 && !name.is_empty();
        check(ok, stage.name(), || "another has its name, or it has none".into())
    }

    fn validate_heads(&self) -> Result<(), SpecError> {
        check(!self.heads.is_empty(), "heads", || "there is none: nothing can be learned".into())?;
        let names: BTreeSet<&str> = self.heads.iter().map(|head| &*head.name).collect();
        check(names.len() == self.heads.len(), "heads", || "two have one name".into())?;
        for head in &self.heads {
            let part = || format!("head `{}`", head.name);
            let filled = self.stages.iter().any(|stage| match stage {
                StageSpec::Mlp(mlp) => mlp.output == head.input,
                StageSpec::Layer(layer) => layer.output == head.input,
                _ => false,
            });
            check(filled, part(), || format!("no network fills slot {}", head.input.0))?;
            let read = self.stages.iter().any(|s| s.inputs().iter().any(|(slot, _)| *slot == head.input));
            let twice = self.heads.iter().filter(|other| other.input == head.input).count() > 1;
            check(!read && !twice, part(), || "a stage or another head reads its slot".into())?;
            let weight = head.weight >= 0.0 && head.weight.is_finite();
            check(weight, part(), || format!("weight {}; use 0 or more", head.weight))?;
            let channels = self.columns(head.input);
            let colors = matches!(head.loss, HeadLoss::Channels(_)) || channels == 3;
            check(colors, part(), || format!("{channels} channels against pixels, which have three"))?;
        }
        let photometric = self.heads.iter().filter(|h| matches!(h.loss, HeadLoss::Photometric(_))).count();
        check(photometric <= 1, "heads", || "two are compared with pixels".into())
    }

    fn validate_extras(&self) -> Result<(), SpecError> {
        let scales = self.stages.iter().any(|s| matches!(s, StageSpec::Saliency { .. }));
        check(scales || self.saliency.is_none(), "saliency", || "no stage uses the grid".into())?;
        if let Some(grid) = self.saliency {
            check(grid.side >= 2, "saliency", || format!("{} logits an axis; use 2 or more", grid.side))?;
            let limit = grid.limit > 0.0 && grid.limit.is_finite();
            check(limit, "saliency", || format!("a limit of {}; use a positive number", grid.limit))?;
        }
        let cameras = self.cameras;
        check(!(cameras.traces_rays() && scales), "cameras", || {
            "poses are not found through a saliency grid: leave one of them out".into()
        })?;
        let learns = cameras.poses || cameras.colors;
        check(!learns || cameras.count > 0, "cameras", || "there is none to learn of".into())?;
        check(!cameras.colors || self.photometric_head().is_some(), "cameras", || {
            "colors are learned of a head that is compared with pixels, and there is none".into()
        })?;
        let average = self.average.is_none_or(|decay| (0.0..1.0).contains(&decay));
        check(average, "average", || format!("a decay of {:?}; use 0 to 1", self.average))
    }
}
