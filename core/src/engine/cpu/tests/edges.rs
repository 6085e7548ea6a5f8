//! Batches with nothing in them.

use super::*;
use crate::ops::check::bit_equal;

fn weights(engine: &CpuEngine) -> Vec<f32> {
    engine.params.blocks().iter().flat_map(|b| b.weight.to_vec()).collect()
}

#[test]
fn an_empty_first_step_moves_nothing() {
    for counts in [vec![], vec![0], vec![0; 200]] {
        let (shots, setup) =
            (Shots::new(1, 1.0, counts.clone()), Setup { min_transmittance: 0.1, ..Setup::default() });
        let mut engine = setup.engine(Isa::best(), 2);
        let before = weights(&engine);
        let stats = step(&mut engine, &shots, 1e-2);
        assert_eq!((stats.rays, stats.hits, stats.samples, stats.kept), (counts.len(), 0, 0, 0));
        bit_equal(&weights(&engine), &before).unwrap();
        // Rays without samples show their background, and that has a price.
        let (loss, _, _) = setup.oracle(&engine).loss_and_gradients(&setup.samples(&shots));
        assert!((stats.loss - loss).abs() <= 1e-5 * loss, "{} {loss}", stats.loss);
        assert!(stats.loss > 0.0 || counts.is_empty());
        assert_eq!(engine.step_count(), 1);
    }
}

/// An empty step between others has a gradient of zero, not the one before it: the networks coast.
#[test]
fn an_empty_later_step_only_decays_the_moments() {
    let setup = Setup { betas: [0.9, 0.99], ..Setup::default() };
    let mut engine = setup.engine(Isa::best(), 2);
    step(&mut engine, &Shots::new(2, 1.0, [20; 40]), 1e-2);
    let moments =
        |e: &CpuEngine| -> Vec<Vec<f32>> { e.params.blocks().iter().map(|b| b.m.to_vec()).collect() };
    let before = moments(&engine);
    step(&mut engine, &Shots::new(3, 1.0, [0; 5]), 1e-2);
    for ((block, before), after) in engine.params.blocks().iter().zip(before).zip(moments(&engine)) {
        let sparse = block.spec.name.starts_with("grid");
        let want: Vec<f32> = before.iter().map(|m| if sparse { *m } else { 0.9 * m }).collect();
        bit_equal(&after, &want).unwrap();
    }
}

#[test]
fn a_smaller_batch_leaves_nothing_of_the_larger_one() {
    let setup = Setup { min_transmittance: 0.1, ..Setup::default() };
    let (large, small) = (Shots::new(4, 1.0, [30; 500]), Shots::new(5, 1.0, [9; 33]));
    let mut used = setup.engine(Isa::best(), 2);
    let mut fresh = setup.engine(Isa::best(), 2);
    step(&mut used, &large, 0.0);
    let (a, b) = (step(&mut used, &small, 0.0), step(&mut fresh, &small, 0.0));
    assert_eq!((a.loss.to_bits(), a.hits, a.samples, a.kept), (b.loss.to_bits(), b.hits, b.samples, b.kept));
    // Betas of (0, _): the networks' first moments are the last step's gradients.
    for (a, b) in used.params.blocks().iter().zip(fresh.params.blocks()) {
        let dense = !a.spec.name.starts_with("grid");
        for (a, b) in a.m.iter().zip(b.m.iter()) {
            // A table's untouched entries keep the moment of the step before.
            assert!(a.to_bits() == b.to_bits() || (!dense && *b == 0.0), "{a} {b}");
        }
    }
}

#[test]
fn a_frozen_group_stays_where_it_is() {
    let setup = Setup { betas: [0.9, 0.99], ..Setup::default() };
    for frozen in 0..2 {
        let mut engine = setup.engine(Isa::best(), 2);
        let group = engine.layout.params.blocks()[[0, 4][frozen]].group;
        engine.set_group(group, GroupSettings { frozen: true, ..GroupSettings::default() });
        let before = setup.engine(Isa::best(), 2);
        for seed in 0..2 {
            step(&mut engine, &Shots::new(seed, 1.0, [20; 40]), 1e-2);
        }
        for (a, b) in engine.params.blocks().iter().zip(before.params.blocks()) {
            assert_eq!(bit_equal(&a.weight, &b.weight).is_ok(), a.spec.group == group, "{}", a.spec.name);
        }
    }
}

#[test]
fn nothing_to_render_and_nowhere_to_look() {
    let (mut engine, none) = (Setup::default().engine(Isa::best(), 2), Shots::new(6, 1.0, []));
    engine.render(&[], none.given(7).source(), 0.0, &mut []).unwrap();
    engine.density([&[], &[], &[]], &mut []).unwrap();
    // Rays that meet nothing, and rays that miss the box.
    let empty = Shots::new(7, 1.0, [0; 130]);
    let mut rays = empty.rays();
    rays[3] = Ray { near: 1.0, far: 1.0, ..rays[3] };
    rays[4] = Ray { near: f32::INFINITY, far: 0.0, ..rays[4] };
    let mut out = vec![f32::NAN; 130 * 5];
    engine.render(&rays, empty.given(7).source(), 1e-3, &mut out).unwrap();
    assert!(out.iter().all(|v| *v == 0.0));
}
