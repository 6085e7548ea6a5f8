//! bf16 products against f32 ones: bf16 has eight bits, so values agree to a hundredth, and gradients to a few
//! hundredths where rounding moves a hidden unit across its ReLU threshold.

use super::shots::Shots;
use super::{Setup, step};
use crate::field::FieldSpec;
use crate::ops::check::{close, widen};
use crate::ops::small_gemm::Precision;
use crate::simd::Isa;

#[test]
fn bf16_gradients_are_close_to_f32_ones() {
    if !Precision::Bf16.available() {
        println!("skipped bf16_gradients_are_close_to_f32_ones: this CPU has no AMX with bf16");
        return;
    }
    for setup in [
        Setup::default(),
        Setup { min_transmittance: 0.3, density_layers: 2, width: 48, ..Setup::default() },
        Setup { width: 128, geometry: 15, ..Setup::default() },
    ] {
        let shots = Shots::new(5, 1.0, (0..80).map(|i| (i * 7) % 23));
        let mut exact = setup.engine(Isa::best(), 1);
        let spec = FieldSpec { precision: Precision::Bf16, ..setup.spec() };
        let mut rounded = setup.engine_of(&spec, Isa::best(), 1);
        let (want, got) = (step(&mut exact, &shots, 0.0), step(&mut rounded, &shots, 0.0));
        assert!((got.loss / want.loss - 1.0).abs() < 1e-2, "{setup:?}: {} {}", got.loss, want.loss);
        assert_ne!(got.loss, want.loss, "the products were not rounded");
        for (got, want) in rounded.params.blocks().iter().zip(exact.params.blocks()) {
            if let Err(e) = close(&got.m, &widen(&want.m), 0.1, 0.15) {
                panic!("{setup:?} {}: {e}", got.spec.name);
            }
        }
    }
}
