#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{TestRng, close, narrow, widen};
use crate::simd::Isa;

#[test]
fn values_are_the_references_on_every_path() {
    let mut rng = TestRng::new(4);
    let stride = 3;
    let raw = narrow(&rng.uniforms(48 * stride, -20.0, 20.0));
    let column = |i: usize| f64::from(raw[i * stride + 1]);
    let densities: Vec<f64> = (0..48).map(|i| (reference::EXP.value)(column(i))).collect();
    let sigmoids: Vec<f64> = widen(&raw).iter().map(|x| (reference::SIGMOID.value)(*x)).collect();
    for isa in Isa::available() {
        let mut sigma = vec![f32::NAN; 48];
        density(isa, &raw[1..], stride, &mut sigma);
        for (i, (sigma, want)) in sigma.iter().zip(&densities).enumerate() {
            assert!((f64::from(*sigma) / want - 1.0).abs() < 1e-6, "{isa:?}: {sigma} {want}");
            assert!((f64::from(raw_density(column(i) as f32)) / want - 1.0).abs() < 1e-6);
            let (slope, gate) = ((reference::EXP.slope)(column(i)), 0.5);
            let got = density_slope(column(i) as f32, gate, gate * sigma);
            assert!((f64::from(got) / (0.5 * slope) - 1.0).abs() < 1e-6, "{isa:?}: {got} {slope}");
        }
        let mut values = raw.clone();
        sigmoid(isa, &mut values);
        close(&values, &sigmoids, 1e-6, 1e-6).unwrap();
    }
}

#[test]
#[should_panic(expected = "density: 16 rows")]
fn missing_rows_are_refused() {
    density(Isa::best(), &[0.0; 30], 2, &mut [0.0; 16]);
}
