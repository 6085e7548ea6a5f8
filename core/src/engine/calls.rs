//! What every engine refuses of its calls, whatever computes.

use super::step::{Batch, SampleSource};
use super::views::ViewsId;
use super::{EngineError, Purpose};
use crate::field::{FieldSpec, SlotId, StageSpec};
use crate::ops::march::Ray;

/// Refuses what only an engine can do that was opened to train; `call` ends "a field that was opened to be looked at ...".
pub(super) fn must_train(purpose: Purpose, call: &'static str) -> Result<(), EngineError> {
    match purpose {
        Purpose::Train => Ok(()),
        Purpose::Look => Err(EngineError::LookOnly { call }),
    }
}

/// Refuses values for a block of another length.
pub(super) fn check_values(have: usize, want: usize) -> Result<(), EngineError> {
    refuse_unless(have == want, || format!("{have} values for a block of {want}"))
}

/// Refuses densities that are not one a position.
pub(super) fn check_positions(positions: [&[f32]; 3], densities: usize) -> Result<(), EngineError> {
    let equally = positions.iter().all(|axis| axis.len() == densities);
    refuse_unless(equally, || "positions and densities are not equally many".into())
}

/// Refuses samples of other rays, and an output that is not `width` values a ray.
pub(super) fn check_render(
    rays: &[Ray],
    samples: &SampleSource<'_>,
    values: usize,
    width: usize,
) -> Result<(), EngineError> {
    check_samples(samples, rays.len())?;
    refuse_unless(values == rays.len() * width, || {
        format!("{values} values for {} rays of {width}", rays.len())
    })
}

/// Refuses a batch whose targets are not of `width` values, of views that are not held (`held` tells how many there are), or
/// of more than `room` cameras.
pub(super) fn check_batch(
    batch: &Batch<'_>,
    width: usize,
    held: impl Fn(ViewsId) -> Option<usize>,
    room: usize,
) -> Result<(), EngineError> {
    let found = match batch {
        Batch::Drawn(draw) => {
            let held = held(draw.views).unwrap_or(0);
            refuse_unless(held > 0, || "rays are drawn from views that the engine does not have".into())?;
            held
        }
        Batch::Given { rays, targets, samples } => {
            let n = rays.len();
            refuse_unless(targets.len() == n * width, || {
                format!("{} target values for {n} rays of {width}", targets.len())
            })?;
            check_samples(samples, n)?;
            rays.iter().map(|ray| ray.camera as usize + 1).max().unwrap_or(0)
        }
    };
    refuse_unless(found <= room, || format!("rays of {found} cameras, and room for {room}"))
}

fn check_samples(samples: &SampleSource<'_>, rays: usize) -> Result<(), EngineError> {
    match samples {
        SampleSource::Given(given) => {
            refuse_unless(given.rays() == rays, || format!("samples of {} rays for {rays}", given.rays()))
        }
        SampleSource::Space(_) => Ok(()),
    }
}

fn refuse_unless(ok: bool, reason: impl FnOnce() -> String) -> Result<(), EngineError> {
    if ok { Ok(()) } else { Err(EngineError::Input(reason())) }
}

/// Refuses slots that have no rows of samples before densities are known.
pub(super) fn check_slot(spec: &FieldSpec, slot: SlotId) -> Result<(), EngineError> {
    let before = spec.stages.iter().take_while(|stage| !matches!(stage, StageSpec::Density { .. }));
    let filled = before.filter_map(StageSpec::output).any(|output| output == (slot, false));
    if filled || slot == SlotId::ENCODING {
        return Ok(());
    }
    Err(EngineError::Input(format!("slot {} is not filled before densities are known", slot.0)))
}
