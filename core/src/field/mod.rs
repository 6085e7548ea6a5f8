//! What a field is, as values: no code of a field's own, and nothing that computes.
//!
//! A [`FieldSpec`] names an [encoding](Encoding) of positions, [stages](StageSpec) between numbered [slots](SlotId),
//! [heads](Head) whose values are composited along rays and compared with what is known of them, and what is learned
//! beside. Every engine compiles the same spec (see [`crate::engine::open`]): to stages over tiles on the processor, to
//! kernels elsewhere, or refuses it by name.
//!
//! [`FieldSpec::layout`] says which blocks of parameters it has, under which names and handles; whoever saves, counts or
//! compresses a field reads that and nothing else. A new kind of field is a function that returns a spec.

mod encoding;
mod head;
mod layout;
mod spec;
mod stage;
mod validate;

pub use encoding::Encoding;
pub use head::{Activation, Head, HeadLoss, Outputs, Targets};
pub use layout::{COLORS, FieldLayout, Handles, POSES, SALIENCY};
pub use spec::{CameraSpec, FieldSpec, OptimizerSpec, SaliencySpec};
pub use stage::{FeaturesSpec, GateSpec, LayerSpec, MlpSpec, SlotId, Spread, StageSpec};
pub use validate::SpecError;

#[cfg(test)]
mod tests;
