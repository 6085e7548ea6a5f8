//! The backward pass: scores again, then all gradients of a head of a set.
use rayon::prelude::*;

use super::cpu::{Call, Desk, Packed, Task};
use super::gather::{Part, Source, Target};
use super::pattern::PAD;
use super::rows::{Extent, softmax_backward};
use crate::ops::output::written_with;
use crate::ops::small_gemm::{Epilogue, Left, Shape, small_gemm};
use crate::simd::Isa;

/// Gradients of all that a call is given.
#[derive(Debug, Default)]
pub struct Gradients {
    /// Of the tensor with the queries.
    pub q: Vec<f32>,
    /// Of the tensor with keys and values; empty where it is the same.
    pub kv: Vec<f32>,
    /// Of the bias, `(heads, queries, keys)`; empty if there is none.
    pub bias: Vec<f32>,
    /// Of the padding's packed row; empty if there is none.
    pub pad: Vec<f32>,
}

/// Gradients for `d_out` `(rows of queries, heads * dim)`.
///
/// # Panics
/// If shapes do not fit.
#[must_use]
pub fn backward(isa: Isa, call: &Call<'_>, d_out: &[f32]) -> Gradients {
    call.check();
    let c = call.heads * call.dim;
    assert_eq!(d_out.len(), call.pattern.rows().0 * c, "attention: extents of the output's gradient");
    let tasks = call.tasks();
    let all = |targets: [Target<'_>; 3]| -> Vec<Shared> {
        tasks.par_iter().map(|(head, sets)| run(isa, call, *head, sets.clone(), d_out, targets)).collect()
    };
    // Every token that is on the map is in a set, as a query and as a key, and every head of every set in a task.
    if call.packed != Packed::Apart {
        let (q, parts) = written_with(call.q.len(), |q| {
            let parts = all([Target::new(q); 3]);
            // SAFETY: as said above; queries, keys and values are all that a row is made of.
            (unsafe { q.assume_init_mut() }, parts)
        });
        return add(call, &tasks, &parts, q, Vec::new());
    }
    let (kv, (q, parts)) = written_with(call.kv.len(), |kv| {
        let second = Target::new(kv);
        let found = written_with(call.q.len(), |q| {
            let parts = all([Target::new(q), second, second]);
            // SAFETY: as said above.
            (unsafe { q.assume_init_mut() }, parts)
        });
        // SAFETY: as said above; keys and values are all that a row is made of.
        (unsafe { kv.assume_init_mut() }, found)
    });
    add(call, &tasks, &parts, q, kv)
}

/// Adds the tasks' shares of what sets have in common.
fn add(call: &Call<'_>, tasks: &[Task], parts: &[Shared], q: Vec<f32>, kv: Vec<f32>) -> Gradients {
    let (n, m) = call.pattern.extents();
    let c = call.heads * call.dim;
    let mut sum = Gradients { q, kv, ..Gradients::default() };
    if call.bias.is_some() {
        sum.bias = vec![0.0; call.heads * n * m];
    }
    if call.pad.is_some() {
        sum.pad = vec![0.0; 3 * c];
    }
    let places = call.parts();
    for ((head, _), part) in tasks.iter().zip(parts) {
        let rows = part.bias.chunks_exact(crate::ops::small_gemm::padded(m).max(1));
        let to = sum.bias.chunks_exact_mut(m.max(1)).skip(head * n);
        to.zip(rows).for_each(|(to, from)| to.iter_mut().zip(from).for_each(|(to, v)| *to += v));
        for (place, from) in places.iter().zip(part.pad.chunks_exact(call.dim.max(1))) {
            let to = &mut sum.pad[place.at + head * place.head..][..call.dim];
            to.iter_mut().zip(from).for_each(|(to, v)| *to += v);
        }
    }
    sum
}

/// A task's share of the gradients of what sets have in common.
struct Shared {
    /// `(queries, stride)`.
    bias: Vec<f32>,
    /// `(3, dim)`.
    pad: Vec<f32>,
}

/// One head of a run of sets.
fn run(
    isa: Isa,
    call: &Call<'_>,
    head: usize,
    sets: std::ops::Range<usize>,
    d_out: &[f32],
    targets: [Target<'_>; 3],
) -> Shared {
    let dim = call.dim;
    let mut desk = Desk::new(call, head);
    let Desk { n, m, stride, width, block, .. } = desk;
    let (mut k, mut vt, mut d_o) = (vec![0.0; m * width], vec![0.0; width * stride], vec![0.0; n * width]);
    let mut dp = vec![0.0; block * stride];
    let (mut dq, mut dk, mut dv) = (vec![0.0; n * width], vec![0.0; m * width], vec![0.0; m * width]);
    let mut bias = vec![0.0; if call.bias.is_some() { n * stride } else { 0 }];
    let mut pad = vec![0.0; if call.pad.is_some() { 3 * dim } else { 0 }];
    let (parts, sources) = (call.parts(), call.sources());
    // Tokens beyond the map have an output that nobody sees.
    let nothing = vec![0.0; call.heads * dim];
    let out = Source { values: d_out, pad: &nothing, dim };
    let out_part = Part { at: 0, row: call.heads * dim, head: dim };
    for set in sets {
        desk.load(call, head, set);
        parts[1].rows(&sources[1], head, &desk.keys, 1.0, width, &mut k);
        parts[2].columns(&sources[2], head, &desk.keys, stride, &mut vt);
        out_part.rows(&out, head, &desk.queries, 1.0, width, &mut d_o);
        for (first, rows) in desk.blocks() {
            desk.scores(isa, dim, first, rows);
            let d_out = Left { values: &d_o[first * width..], row: width, col: 1 };
            let shape = Shape { m: rows, n: stride, k: dim };
            small_gemm(isa, shape, d_out, &vt, stride, &mut dp, stride, false, Epilogue::None);
            let extent = Extent { rows, keys: m, stride };
            let dbias = if bias.is_empty() { None } else { Some(&mut bias[first * stride..]) };
            softmax_backward(isa, extent, &mut desk.s, &desk.inverse, &mut dp, dbias);

            let ds = Left { values: &dp, row: stride, col: 1 };
            let shape = Shape { m: rows, n: width, k: m };
            small_gemm(isa, shape, ds, &k, width, &mut dq[first * width..], width, false, Epilogue::None);
            // Transposed: a key's gradient is a sum over queries.
            let shape = Shape { m, n: width, k: rows };
            let ds = Left { values: &dp, row: 1, col: stride };
            let q = &desk.q[first * width..];
            small_gemm(isa, shape, ds, q, width, &mut dk, width, first > 0, Epilogue::None);
            let p = Left { values: &desk.s, row: 1, col: stride };
            let d_out = &d_o[first * width..];
            small_gemm(isa, shape, p, d_out, width, &mut dv, width, first > 0, Epilogue::None);
        }
        // The keys' gradient has its scale from the queries already.
        let results = [(&dq, &desk.queries, call.scale), (&dk, &desk.keys, 1.0), (&dv, &desk.keys, 1.0)];
        for (i, (rows, tokens, scale)) in results.into_iter().enumerate() {
            for (row, token) in rows.chunks_exact(width).zip(tokens) {
                if *token == PAD {
                    let sum = &mut pad[i * dim..(i + 1) * dim];
                    sum.iter_mut().zip(row).for_each(|(sum, v)| *sum += v * scale);
                } else {
                    // SAFETY: a token is in one set, and a head of a set in one task; the three parts do not overlap.
                    unsafe { targets[i].put(parts[i], head, *token, &row[..dim], scale) };
                }
            }
        }
    }
    Shared { bias, pad }
}
