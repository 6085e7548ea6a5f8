//! One named tensor and its optimiser's state.

use super::{Average, BlockSpec, Group, Values, zeros};
use crate::ops::adam;
use crate::simd::Isa;

/// A tensor with its gradient (dense blocks), Adam's moments and an optional average.
#[derive(Debug)]
pub struct Block {
    /// Name, shape, group.
    pub spec: BlockSpec,
    /// The values.
    pub weight: Values,
    /// The gradient; empty if it is computed and consumed level by level, or there are weights only.
    pub grad: Values,
    /// First moment; empty if packed.
    pub m: Values,
    /// Second moment; empty if packed.
    pub v: Values,
    /// Both moments as `adam::update_packed` packs them; empty if they are not packed.
    pub packed: Values<u32>,
    /// Exponential average of the values.
    pub average: Option<Average>,
}

impl Block {
    /// All zeros.
    pub(super) fn new(spec: &BlockSpec, group: &Group) -> Self {
        let n = spec.values();
        let when = |wanted| if wanted { n } else { 0 };
        let (m, v) = (zeros(when(!group.packed)), zeros(when(!group.packed)));
        let (grad, packed) = (zeros(when(!group.sparse)), zeros(when(group.packed)));
        Self { grad, m, v, packed, ..Self::weights_only(spec) }
    }

    /// Zeros without gradient and moments.
    pub(super) fn weights_only(spec: &BlockSpec) -> Self {
        let (weight, packed) = (zeros(spec.values()), zeros(0));
        let [grad, m, v] = [0; 3].map(zeros);
        Self { spec: spec.clone(), weight, grad, m, v, packed, average: None }
    }

    /// One step of the optimiser from the block's own gradient, which is zeroed. `t` counts from 1.
    pub fn update(&mut self, isa: Isa, group: &Group, rate: f32, t: u64) {
        let mut grad = std::mem::replace(&mut self.grad, zeros(0));
        self.update_from(isa, group, rate, t, &mut grad);
        self.grad = grad;
    }

    /// One step from the gradient `grad` (as long as the block), which is zeroed. `t` counts from 1.
    pub fn update_from(&mut self, isa: Isa, group: &Group, rate: f32, t: u64, grad: &mut [f32]) {
        if group.settings.frozen {
            grad.fill(0.0);
            return;
        }
        if let Some(average) = &mut self.average {
            average.before_update(&self.weight, grad, t);
        }
        let adam = group.adam(rate);
        if group.packed {
            adam::update_packed(isa, &adam, t, &mut self.weight, grad, &mut self.packed);
        } else {
            adam::update(isa, &adam, t, &mut self.weight, grad, &mut self.m, &mut self.v);
        }
        if let Some(average) = &mut self.average {
            average.after_update(&self.weight, t);
        }
    }
}
