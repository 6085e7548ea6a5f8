//! Densities and pictures are the processor's.

use super::*;
use crate::engine::{Key, Space, VisitedCells, Visits};
use crate::ops::check::{TestRng, narrow};
use crate::ops::march::{CELLS, Steps, Volume};

fn rays(volume: &Volume, n: usize) -> Vec<Ray> {
    let mut rng = TestRng::new(4);
    let mut one = || {
        let to = [0; 3].map(|_| 0.5 + f64::from(volume.side) * rng.uniform(-0.4, 0.4));
        let d = rng.direction();
        let origin = [0, 1, 2].map(|a| (to[a] - 1.5 * f64::from(volume.side) * d[a]) as f32);
        volume.ray((origin, d.map(|d| d as f32)), 0.5)
    };
    (0..n).map(|_| one()).collect()
}

/// Cells of a ball and of a far shell, in several cascades.
fn ball(cascades: usize) -> Bitfield {
    let mut bits = Bitfield::new(cascades, false);
    for cell in 0..cascades * crate::ops::march::CELLS {
        if (cell / 64).is_multiple_of(3) || cell % 11 == 0 {
            bits.set(cell, true);
        }
    }
    bits
}

#[test]
fn pictures_and_densities_are_the_processors() {
    if device(0).is_none() {
        return;
    }
    for (box_side, setup) in [
        (1.0, Setup { size: 2.0, ..Setup::default() }),
        (4.0, Setup { box_side: 4.0, saliency: Some(4), gate: Some(1.0), ..Setup::default() }),
    ] {
        let mut cpu = setup.engine(Isa::best(), 1);
        let mut gpu = twin(0, &setup.spec(), &cpu);
        cpu.set_progress(0.7);
        gpu.set_progress(0.7);
        let mut rng = TestRng::new(9);
        let axes = [0; 3].map(|_| narrow(&rng.uniforms(300, -0.1, 1.1)));
        let positions = [&axes[0][..], &axes[1], &axes[2]];
        let (mut want, mut got) = (vec![0.0; 300], vec![0.0; 300]);
        cpu.density(positions, &mut want).unwrap();
        gpu.density(positions, &mut got).unwrap();
        for (want, got) in want.iter().zip(&got) {
            assert!((want - got).abs() <= 2e-5 * want.abs(), "{got} for {want}");
        }
        let bits = ball(if box_side > 1.0 { 3 } else { 1 });
        let volume = Volume { side: box_side, steps: Steps::new(100, box_side as u32), near: 0.05 };
        let space = SampleSource::Space(Space { bits: &bits, volume });
        let rays = rays(&volume, 200);
        let (mut want, mut got) = (vec![0.0; 1000], vec![0.0; 1000]);
        cpu.render(&rays, space, 1e-3, &mut want).unwrap();
        gpu.render(&rays, space, 1e-3, &mut got).unwrap();
        assert!(want.chunks(5).filter(|ray| ray[4] > 0.1).count() > 100);
        // Marching meets a cell's face by rounding: a ray may have a sample more. The others are equal.
        let off = want
            .chunks(5)
            .zip(got.chunks(5))
            .filter(|(w, g)| w.iter().zip(*g).any(|(w, g)| (w - g).abs() > 1e-3));
        assert!(off.count() <= 4);
        // The same from samples that are given, in pieces of a batch.
        let given: Given = Shots::new(1, box_side, (0..90).map(|i| i % 40)).given(7);
        let (mut want, mut got) = (vec![0.0; 450], vec![0.0; 450]);
        cpu.render(&given.rays, given.source(), 0.0, &mut want).unwrap();
        gpu.render(&given.rays, given.source(), 0.0, &mut got).unwrap();
        for (want, got) in want.iter().zip(&got) {
            assert!((want - got).abs() < 2e-5, "{got} for {want}");
        }
    }
}

#[test]
fn nothing_is_nothing() {
    if device(0).is_none() {
        return;
    }
    let cpu = Setup::default().engine(Isa::best(), 1);
    let mut gpu = twin(0, &Setup::default().spec(), &cpu);
    gpu.density([&[], &[], &[]], &mut []).unwrap();
    let bits = Bitfield::new(1, false);
    let volume = Volume { side: 1.0, steps: Steps::new(100, 1), near: 0.05 };
    let space = SampleSource::Space(Space { bits: &bits, volume });
    gpu.render(&[], space, 0.0, &mut []).unwrap();
    let mut out = [7.0; 5];
    gpu.render(&rays(&volume, 1), space, 0.0, &mut out).unwrap();
    assert_eq!(out, [0.0; 5]);
    assert!(gpu.render(&rays(&volume, 1), space, 0.0, &mut [0.0; 4]).is_err());
    // A step without any sample: the loss of empty rays, and nothing breaks.
    let given = Shots::new(1, 1.0, [0, 0, 0]).given(7);
    let stats = gpu.step(&given.step(1e-2)).unwrap();
    assert!(stats.loss > 0.0 && stats.samples == 0 && stats.kept == 0);
}

/// Cells are visited as on the processor, and by an engine that can look alone.
#[test]
fn visits_and_looks_are_the_processors() {
    if device(0).is_none() {
        return;
    }
    let setup = Setup { width: 32, box_side: 2.0, size: 2.0, ..Setup::default() };
    let mut cpu = setup.engine(Isa::best(), 1);
    let spec = setup.spec();
    let mut gpu =
        CudaEngine::new(Device::Cuda(0), &spec, &options(Purpose::Look), device(0).unwrap()).unwrap();
    for block in cpu.layout().params.ids() {
        gpu.write(block, &cpu.read(block).unwrap()).unwrap();
    }
    let mut occupied = Bitfield::new(2, false);
    (900..1000).for_each(|cell| occupied.set(cell, true));
    let cells = VisitedCells::Random { occupied: &occupied, open: None, mixed: 400 };
    let visits = Visits { key: Key { seed: 1, step: 16 }, count: 500, cells, decay: 0.5 };
    let (mut want, mut got) = (vec![1.0; 2 * CELLS], vec![1.0; 2 * CELLS]);
    cpu.visit_cells(&visits, &mut want).unwrap();
    gpu.visit_cells(&visits, &mut got).unwrap();
    assert!(want.iter().filter(|d| **d != 1.0).count() > 100);
    for (want, got) in want.iter().zip(&got) {
        assert!((want - got).abs() <= 2e-5 * want.abs(), "{got} for {want}");
    }
    let given = Shots::new(1, 1.0, [3]).given(7);
    for error in [gpu.step(&given.step(0.0)).err(), gpu.state().err()] {
        assert!(matches!(error, Some(EngineError::LookOnly { .. })), "{error:?}");
    }
}

/// The same cells and the same places in them, to the bit, whichever cells there are.
#[test]
fn picked_cells_and_places_are_the_processors() {
    if device(0).is_none() {
        return;
    }
    let setup = Setup { width: 16, box_side: 3.0, ..Setup::default() };
    let cpu = setup.engine(Isa::best(), 1);
    let mut gpu = twin(0, &setup.spec(), &cpu);
    let of = |cascades: usize, cells: &[usize]| {
        let mut bits = Bitfield::new(cascades, false);
        cells.iter().for_each(|cell| bits.set(*cell, true));
        bits
    };
    // Alone at the ends of words, groups and cascades; whole groups that are full, and that are empty.
    let edges = [0, 63, 64, 4095, 4096, 5000, CELLS - 1, CELLS, 2 * CELLS + 4095, 3 * CELLS - 1];
    let (few, none, all) = (of(3, &edges), Bitfield::new(3, false), Bitfield::new(3, true));
    let (scattered, one) = (ball(3), of(1, &[77]));
    let random = |occupied, open, mixed| VisitedCells::Random { occupied, open, mixed };
    for (cascades, cells) in [
        (3, VisitedCells::InOrder),
        (3, random(&few, None, 700)),
        (3, random(&few, Some(&scattered), 700)),
        (3, random(&scattered, Some(&few), 0)),
        (3, random(&none, Some(&all), u32::MAX)),
        (3, random(&all, Some(&none), u32::MAX)),
        (1, random(&one, None, 3)),
        (1, VisitedCells::InOrder),
    ] {
        let key = Key { seed: 0xfeed_0123_4567_89ab, step: (5 << 32) + 48 };
        let visits = Visits { key, count: 1500, cells, decay: 0.5 };
        let mut room = visit::VisitBuffers::default();
        let (mut want, mut density) = ([const { Vec::new() }; 3], vec![0.0; cascades * CELLS]);
        let keep = |points: [&[f32]; 3], _: &mut [f32]| {
            want = points.map(<[f32]>::to_vec);
            Ok(())
        };
        room.visit(&visits, setup.box_side, &mut density, keep).unwrap();
        let mut picked = vec![0; 1500];
        gpu.pick(&visits, 0, density.len(), &mut picked).unwrap();
        assert_eq!(picked, room.cells, "{cells:?}");
        for (axis, want) in want.iter().enumerate() {
            let (from, mut got) = (4 * axis * gpu.arena.capacity, vec![0.0f32; 1500]);
            gpu.gpu.download(gpu.arena.positions().offset(from), bytemuck::cast_slice_mut(&mut got)).unwrap();
            crate::ops::check::bit_equal(&got, want).unwrap();
        }
        // From the middle on, as a later batch.
        gpu.pick(&visits, 1000, density.len(), &mut picked[..500]).unwrap();
        assert_eq!(picked[..500], room.cells[1000..]);
    }
}
