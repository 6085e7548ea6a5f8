#![allow(clippy::unwrap_used)]
use super::*;
use nalgebra::Vector3;
use nerve_data::{Camera, Intrinsics};
use std::convert::Infallible;

const RADIUS: f64 = 0.8;

/// What cameras around a ball see of it; one more ball, a floater, is seen by none.
fn maps() -> Vec<DepthMap> {
    let golden = std::f64::consts::PI * (3.0 - 5f64.sqrt());
    (0..14)
        .map(|i| {
            let z = 1.0 - 2.0 * (f64::from(i) + 0.5) / 14.0;
            let (turn, r) = (golden * f64::from(i), (1.0 - z * z).sqrt());
            let from = Point3::from(4.0 * Vector3::new(r * turn.cos(), r * turn.sin(), z));
            let lens = Intrinsics::pinhole(120, 100, 160.0, 160.0);
            let camera = Camera::looking_at(lens, from, Point3::origin(), Vector3::z());
            let distance = |i: u32| {
                let ray = camera.ray(f64::from(i % 120) + 0.5, f64::from(i / 120) + 0.5);
                let (o, d) = (ray.origin.coords, ray.direction);
                let inside = o.dot(&d).powi(2) - o.norm_squared() + RADIUS * RADIUS;
                if inside < 0.0 { f32::NAN } else { (-o.dot(&d) - inside.sqrt()) as f32 }
            };
            let distances: Vec<f32> = (0..12_000).map(distance).collect();
            let densities = distances.iter().map(|d| if d.is_nan() { 0.0 } else { 30.0 }).collect();
            DepthMap::new(camera, distances, densities)
        })
        .collect()
}

#[test]
fn depth_maps_of_a_ball_are_fused_into_a_ball() {
    let maps = maps();
    assert_eq!(typical(&maps), 30.0);
    for point in maps.iter().flat_map(|map| map.points(17)) {
        assert!((point.coords.norm() - RADIUS).abs() < 1e-5);
    }
    let grid = Grid::around([-1.0; 3], [1.0; 3], 48);
    let fusion = Fusion::new(&maps, &grid);
    let fill = |slices: std::ops::Range<usize>, out: &mut [f32]| {
        fusion.values(slices, out);
        Ok::<_, Infallible>(())
    };
    let mut mesh = contour(&grid, 0.0, fill).unwrap();
    assert!(mesh.faces.len() > 2000);
    let off: Vec<f64> =
        mesh.positions.iter().map(|p| Vector3::from(p.map(f64::from)).norm() - RADIUS).collect();
    let mean = off.iter().map(|off| off.abs()).sum::<f64>() / off.len() as f64;
    assert!(mean < 0.2 * grid.spacing, "{mean}");
    let area = 4.0 * std::f64::consts::PI * RADIUS * RADIUS;
    assert!((mesh.area() / area - 1.0).abs() < 0.05);
    // Nothing of it is a floater; what no camera sees is one, and what is small.
    let before = mesh.faces.len();
    let add = |mesh: &mut Mesh, center: [f32; 3], size: f32| {
        let first = mesh.positions.len() as u32;
        let corners = [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        mesh.positions.extend(corners.map(|c: [f32; 3]| std::array::from_fn(|a| center[a] + size * c[a])));
        mesh.faces.extend([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]].map(|face| face.map(|v| first + v)));
    };
    let near = SEEN_CELLS * grid.spacing;
    let components = mesh.components().1.len();
    assert_eq!(remove_floaters(&mut mesh, &maps, near), [components - 1, 1]);
    let cleaned = mesh.faces.len();
    assert!(cleaned as f64 > 0.99 * before as f64);
    add(&mut mesh, [1.5, 1.5, 0.0], 0.4);
    add(&mut mesh, [0.0, 0.0, 0.0], 0.4);
    add(&mut mesh, [RADIUS as f32, 0.0, 0.0], 0.01);
    assert_eq!(remove_floaters(&mut mesh, &maps, near), [3, 1]);
    assert_eq!(mesh.faces.len(), cleaned);
}

fn typical(maps: &[DepthMap]) -> f32 {
    depth_map::typical_density(maps)
}

#[test]
fn options_out_of_range_are_named() {
    let refused = |change: &dyn Fn(&mut MeshOptions)| {
        let mut options = MeshOptions::default();
        change(&mut options);
        options.validate().unwrap_err().to_string()
    };
    assert!(MeshOptions::default().validate().is_ok());
    assert!(refused(&|o| o.resolution = 4).contains("--resolution"));
    assert!(refused(&|o| o.faces = Some(3)).contains("--faces"));
    assert!(refused(&|o| o.level = Some(3.0)).contains("--method density"));
    for bounds in [[0.0, 0.0, 0.0, 1.0, 1.0, 0.0], [f64::NAN, 0.0, 0.0, 1.0, 1.0, 1.0]] {
        assert!(refused(&|o| o.bounds = Some(bounds.to_vec())).contains("--bounds"));
    }
    let level = MeshOptions { method: Method::Density, level: Some(3.0), ..MeshOptions::default() };
    assert!(level.validate().is_ok());
}
