//! Intersections against signed distances, and shadow culling against none.

use proptest::prelude::*;

use super::distance::distance;
use crate::demo::DemoConfig;
use crate::demo::camera::{Pinhole, stations};
use crate::demo::scene::DemoWorld;
use crate::demo::solid::{Rod, Solid, TracerRay, V3};

fn solids() -> Vec<Solid> {
    let rod = |a: [f64; 3], b: [f64; 3]| Rod { a: a.into(), b: b.into(), radius: 0.08 };
    vec![
        Solid::Sphere { radius: 0.7 },
        Solid::Torus { major: 0.6, minor: 0.2 },
        Solid::Cuboid { half: V3::new(0.5, 0.3, 0.7) },
        Solid::Cylinder { radius: 0.5, half_height: 0.4 },
        Solid::Cone { radius: 0.6, height: 1.1 },
        Solid::Rods(vec![rod([-0.5, 0.1, -0.6], [0.4, -0.2, 0.6])]),
        Solid::Rods(vec![rod([-0.6, 0.0, 0.0], [0.6, 0.0, 0.0]), rod([0.0, -0.5, 0.4], [0.0, 0.5, 0.4])]),
    ]
}

fn point(half: f64) -> impl Strategy<Value = V3> {
    prop::array::uniform3(-half..half).prop_map(V3::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_hit_is_the_first_point_of_the_surface(from in point(3.0), to in point(0.9)) {
        for solid in solids() {
            prop_assume!(distance(&solid, &from) > 1e-3 && (to - from).norm() > 0.1);
            let ray = TracerRay { origin: from, dir: (to - from).normalize() };
            let hit = solid.hit(&ray, f64::INFINITY);
            let end = hit.map_or(8.0, |(t, _)| t);
            // A torus may be missed where it is grazed.
            let depth = if hit.is_none() && matches!(solid, Solid::Torus { .. }) { 5e-4 } else { 1e-9 };
            for k in 0..500 {
                let t = end * f64::from(k) / 500.0;
                prop_assert!(distance(&solid, &ray.at(t)) > -depth, "{solid:?}: {} inside at {t}, before {hit:?}", -distance(&solid, &ray.at(t)));
            }
            if let Some((t, normal)) = hit {
                let p = ray.at(t);
                prop_assert!(distance(&solid, &p).abs() < 1e-9, "{solid:?}: off by {}", distance(&solid, &p));
                prop_assert!((normal.norm() - 1.0).abs() < 1e-9 && normal.dot(&ray.dir) < 0.0);
                // A step along the outward normal gains exactly that distance.
                if !matches!(&solid, Solid::Rods(rods) if rods.len() > 1) {
                    prop_assert!((distance(&solid, &(p + normal * 1e-3)) - 1e-3).abs() < 1e-9, "{solid:?}");
                }
                prop_assert_eq!(solid.hit(&ray, t * 0.999), None);
            }
            prop_assert!(distance(&solid, &(ray.dir * solid.bound() * (1.0 + 1e-9))) > 0.0, "{solid:?}: bound");
        }
    }
}

#[test]
fn rods_behind_the_origin_do_not_hide_those_in_front() {
    let rod = |x: f64| Rod { a: V3::new(x, -1.0, 0.0), b: V3::new(x, 1.0, 0.0), radius: 0.1 };
    let ray = TracerRay { origin: V3::zeros(), dir: V3::x() };
    let (t, _) = Solid::Rods(vec![rod(-1.0), rod(1.0)]).hit(&ray, 10.0).unwrap();
    assert!((t - 0.9).abs() < 1e-12);
}

#[test]
fn the_parts_of_the_scene_touch_but_do_not_overlap() {
    // Points inside one solid are outside all others: sampled on a grid over the scene's box.
    let scene = DemoWorld::new();
    let cells = 96;
    let at = |k: usize| 1.2 * (2.0 * (k as f64 + 0.5) / cells as f64 - 1.0);
    for (x, y, z) in (0..cells * cells * cells).map(|k| (k % cells, k / cells % cells, k / cells / cells)) {
        let p = V3::new(at(x), at(y), at(z));
        let holders = scene.objects.iter().filter(|o| {
            let local = o.axes.tr_mul(&(p - o.centre));
            local.norm() < o.bound && distance(&o.solid, &local) < -0.002
        });
        let classes: Vec<u8> = holders.map(|o| o.class).collect();
        assert!(classes.len() < 2, "{p:?} is inside {classes:?}");
    }
}

#[test]
fn shadow_culling_drops_no_blocker() {
    let scene = DemoWorld::new();
    let mut shadowed = 0;
    for station in stations(&DemoConfig { train: 4, test: 0, ..DemoConfig::default() }) {
        let lens = Pinhole::new(&station.pose, 40);
        for pixel in 0..1600 {
            let ray = lens.ray(f64::from(pixel % 40) + 0.5, f64::from(pixel / 40) + 0.5);
            let Some((t, normal, index)) = scene.hit(&ray) else { continue };
            let p = ray.at(t);
            let mask = scene.blockers(&p, index);
            for (a, b) in [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0), (0.0, 0.0)] {
                let to = scene.light.centre + scene.light.u * a + scene.light.v * b - p;
                if normal.dot(&to) <= 0.0 {
                    continue;
                }
                let shadow = TracerRay { origin: p + normal * 1e-6, dir: to.normalize() };
                for (k, object) in scene.objects.iter().enumerate() {
                    if object.hit(&shadow, to.norm()).is_some() {
                        shadowed += 1;
                        assert!(mask >> k & 1 == 1, "class {} shadows {p:?} unseen", object.class);
                    }
                }
            }
        }
    }
    assert!(shadowed > 500, "only {shadowed} blocked shadow rays: the test looked at nothing");
}
