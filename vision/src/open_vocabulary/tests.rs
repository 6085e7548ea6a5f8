use nerve_core::graph::{Device, Variables, read};

use super::*;
use crate::backbones::vit::{Vit, VitConfig};

fn config() -> VitConfig {
    VitConfig { image: [32, 32], dim: 12, depth: 2, heads: 3, hidden: 24, ..VitConfig::base(8).clip() }
}

fn model() -> (Variables, Vit) {
    let variables = Variables::random(5);
    let vit = Vit::new(&variables.detached(), &config()).expect("a model");
    // Weights as drawn are so small that attention is nearly even.
    for (key, variable) in variables.all() {
        if key.ends_with("weight") && variable.var.rank() > 1 {
            let larger = (variable.var.as_tensor() * 12.0).expect("larger");
            variable.var.set(&larger).expect("set");
        }
    }
    (variables, vit)
}

/// An image `(1, 32, 32, 3)` of 4 x 4 patches, each of the color that `color` gives for row and column.
fn image(color: impl Fn(usize, usize) -> [f32; 3]) -> Tensor {
    let pixel = |at: usize| color(at / 32 / 8, at % 32 / 8);
    let values = (0..32 * 32).flat_map(pixel).collect::<Vec<f32>>();
    Tensor::from_vec(values, (1, 32, 32, 3), &Device::Cpu).expect("an image")
}

/// Vectors of the patches.
fn patches(vit: &Vit, last: LastAttention, image: &Tensor) -> Vec<Vec<f32>> {
    let forward = |block: LastBlock<'_>, x: &Tensor, grid: [usize; 2]| last.forward(block, x, grid);
    let (tokens, grid) = vit.with_last(image, &forward).expect("tokens");
    assert_eq!(grid, [4, 4]);
    let values = read(&tokens).expect("values").to_vec();
    values.chunks_exact(12).skip(1).map(<[f32]>::to_vec).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// A color of its own for every patch, but one for the object's.
fn scene(row: usize, column: usize) -> [f32; 3] {
    if is_object(row * 4 + column) {
        return [1.0, -0.5, 0.8];
    }
    let hash = |c: usize| ((row * 4 + column + 1) * 7919 + c * 104_729) % 101;
    [0, 1, 2].map(|c| hash(c) as f32 / 50.0 - 1.0)
}

fn is_object(place: usize) -> bool {
    [5, 6, 9, 10].contains(&place)
}

/// The text's direction is what the object alone is seen as: the object's patches are ranked above the others.
#[test]
fn the_object_is_ranked_above_the_rest() {
    let (_, vit) = model();
    for last in
        [LastAttention::MaskClip, LastAttention::Sclip, LastAttention::ClearClip, LastAttention::Naclip]
    {
        let alone = patches(&vit, last, &image(|_, _| [1.0, -0.5, 0.8]));
        let text: Vec<f32> = (0..12).map(|c| alone.iter().map(|p| p[c]).sum::<f32>()).collect();
        let scores: Vec<f32> = patches(&vit, last, &image(scene)).iter().map(|p| cosine(p, &text)).collect();
        let (mut right, mut pairs) = (0, 0);
        for (i, a) in scores.iter().enumerate().filter(|(i, _)| is_object(*i)) {
            for (_, b) in scores.iter().enumerate().filter(|(j, _)| !is_object(*j) && *j != i) {
                pairs += 1;
                right += usize::from(a > b);
            }
        }
        let area = right as f32 / pairs as f32;
        assert!(area > 0.9, "{last:?}: the area under the curve is {area}");
    }
}

/// How much the patches' vectors change where the input of the last block does at one patch.
fn changes(vit: &Vit, last: LastAttention) -> Vec<f32> {
    let run = |changed: bool| {
        let forward = |block: LastBlock<'_>, x: &Tensor, grid: [usize; 2]| {
            let mut values = read(x)?.to_vec();
            if changed {
                // Not all alike, which the norm would hide.
                values[12 * 6..12 * 7].iter_mut().enumerate().for_each(|(c, v)| *v += (c as f32).sin());
            }
            last.forward(block, &Tensor::from_vec(values, x.shape(), &Device::Cpu)?, grid)
        };
        let (tokens, _) = vit.with_last(&image(scene), &forward).expect("tokens");
        read(&tokens).expect("values").to_vec()
    };
    let (before, after) = (run(false), run(true));
    let furthest = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    before.chunks_exact(12).zip(after.chunks_exact(12)).map(furthest).collect()
}

#[test]
fn places_see_what_each_variant_says() {
    let (_, vit) = model();
    let alone = changes(&vit, LastAttention::MaskClip);
    assert!(alone.iter().enumerate().all(|(i, change)| (*change > 1e-4) == (i == 6)), "{alone:?}");
    for last in [LastAttention::Plain, LastAttention::Sclip, LastAttention::ClearClip, LastAttention::Naclip]
    {
        assert!(changes(&vit, last).iter().all(|change| *change > 0.0), "{last:?}");
    }
}

/// Which of the last block's weights have an influence: those of queries, of keys, of the MLP.
#[test]
fn weights_that_a_variant_leaves_out_have_no_influence() {
    for (last, wanted) in [
        (LastAttention::Plain, [true, true, true]),
        (LastAttention::MaskClip, [false, false, true]),
        (LastAttention::Sclip, [true, true, true]),
        (LastAttention::ClearClip, [true, false, false]),
        (LastAttention::Naclip, [false, true, false]),
    ] {
        let (variables, vit) = model();
        let before = patches(&vit, last, &image(scene));
        for (part, wanted) in wanted.into_iter().enumerate() {
            let key = if part < 2 { "blocks.1.attn.qkv.weight" } else { "blocks.1.mlp.fc2.weight" };
            let var = variables.get(key).expect("a weight").var;
            let kept = read(var.as_tensor()).expect("values").to_vec();
            let mut changed = kept.clone();
            let range = if part < 2 { part * 144..(part + 1) * 144 } else { 0..changed.len() };
            changed[range].iter_mut().enumerate().for_each(|(i, v)| *v += (i as f32).sin());
            let set = |values: Vec<f32>| {
                var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).expect("values")).expect("set");
            };
            set(changed);
            assert_eq!(patches(&vit, last, &image(scene)) != before, wanted, "{last:?}, part {part}");
            set(kept);
        }
    }
}

/// With keys of zero a weight is `exp(w)`: near places count up to e times as much.
#[test]
fn near_patches_count_more() {
    let near = naclip::nearness([1, 7], &Device::Cpu).expect("weights");
    let values = read(&near).expect("values").to_vec();
    let ratio = |distance: usize| (values[8 + 1] - values[8 + 1 + distance]).exp();
    assert!((ratio(1) - 1.0200).abs() < 1e-4 && (ratio(5) - 1.4821).abs() < 1e-4);
    assert!(values[..8].iter().all(|v| *v == 0.0), "the class token");
}
