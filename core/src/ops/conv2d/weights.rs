//! A convolution's weights, stored by output, input and tap, in the orders in which they are multiplied.
use rayon::prelude::*;

/// From `(outputs, inputs, taps)` to `(outputs, taps, inputs)`.
pub(super) fn taps_first(w: &[f32], inputs: usize, taps: usize) -> Vec<f32> {
    let mut packed = vec![0.0; w.len()];
    packed.par_chunks_exact_mut(inputs * taps).zip(w.par_chunks_exact(inputs * taps)).for_each(|(to, w)| {
        for (i, w) in w.chunks_exact(taps).enumerate() {
            for (t, w) in w.iter().enumerate() {
                to[t * inputs + i] = *w;
            }
        }
    });
    packed
}

/// The way back for a gradient, added or overwritten.
pub(super) fn taps_last(packed: &[f32], inputs: usize, taps: usize, w: &mut [f32], accumulate: bool) {
    w.par_chunks_exact_mut(inputs * taps).zip(packed.par_chunks_exact(inputs * taps)).for_each(
        |(w, from)| {
            for (i, w) in w.chunks_exact_mut(taps).enumerate() {
                for (t, w) in w.iter_mut().enumerate() {
                    let v = from[t * inputs + i];
                    *w = if accumulate { *w + v } else { v };
                }
            }
        },
    );
}

/// From `(outputs, inputs, taps)` to `(chosen taps, outputs, inputs)`, in the order in which they are given.
pub(super) fn choose_taps(
    w: &[f32],
    outputs: usize,
    inputs: usize,
    taps: usize,
    chosen: &[usize],
) -> Vec<f32> {
    let mut packed = vec![0.0; chosen.len() * outputs * inputs];
    packed.par_chunks_exact_mut(inputs).enumerate().for_each(|(row, to)| {
        let (tap, output) = (chosen[row / outputs], row % outputs);
        let w = &w[output * inputs * taps..][..inputs * taps];
        to.iter_mut().zip(w.chunks_exact(taps)).for_each(|(to, w)| *to = w[tap]);
    });
    packed
}
