#![allow(clippy::unwrap_used)]
use super::model::{fisheye, radial_tangential};
use super::*;
use crate::ops::check::TestRng;

const FLIP: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]];

fn camera(lens: Lens) -> RayCamera {
    RayCamera { origin: [0.5, 0.25, 0.125], axes: FLIP, focal: [40.0, 50.0], principal: [32.0, 24.0], lens }
}

/// Where a direction in OpenCV's axes is seen.
fn image(lens: &Lens, [x, y, z]: [f64; 3]) -> [f64; 2] {
    let (radius, angle) = (x.hypot(y), x.hypot(y).atan2(z));
    let gain = |seen: f64| if radius > 0.0 { seen / radius } else { 0.0 };
    match lens {
        Lens::Pinhole => [x / z, y / z],
        Lens::Radial { k, p, .. } => radial_tangential(k, p, x / z, y / z).at,
        Lens::Planar { terms, .. } => terms.at(x / z, y / z).at,
        Lens::Fisheye { k, .. } => [x, y].map(|v| v * gain(fisheye(k, angle).0)),
        Lens::FisheyePlanar { terms, .. } => terms.at(x * gain(angle), y * gain(angle)).at,
    }
}

fn lenses() -> [Lens; 5] {
    let terms =
        Planar { above: [0.05, -0.02, 0.01, 0.0], below: [0.02, 0.0, 0.0], p: [1e-3; 2], s: [1e-3, 0.0] };
    [
        Lens::Pinhole,
        Lens::Radial { k: [0.06, -0.08, 0.01], p: [-1e-3, 2e-4], limit: 2.0 },
        Lens::Planar { terms, limit: 2.0 },
        Lens::Fisheye { k: [0.03, -0.01, 0.0, 0.0], limit: 2.0 },
        Lens::FisheyePlanar { terms: Planar { below: [0.0; 3], ..terms }, limit: 2.0 },
    ]
}

#[test]
fn rays_are_seen_at_their_pixels() {
    let mut rng = TestRng::new(1);
    for lens in lenses() {
        let camera = camera(lens);
        for _ in 0..200 {
            let (px, py) = (rng.uniform(0.0, 64.0), rng.uniform(0.0, 48.0));
            let (origin, direction) = camera.cast(px, py);
            assert_eq!(origin, camera.origin);
            let length = direction.iter().map(|d| f64::from(*d).powi(2)).sum::<f64>();
            assert!((length - 1.0).abs() < 1e-6, "{length}");
            // The flip is its own inverse.
            let [x, y, z] = direction.map(f64::from);
            let [u, v] = image(&lens, [x, -y, -z]);
            let (fx, fy) = (u * 40.0 + 32.0, v * 50.0 + 24.0);
            assert!((fx - px).hypot(fy - py) < 1e-4, "{lens:?}: {px} {py} became {fx} {fy}");
        }
    }
}

#[test]
fn the_principal_point_is_straight_ahead() {
    for lens in lenses() {
        assert_eq!(camera(lens).forward(), [0.0, 0.0, -1.0], "{lens:?}");
    }
}

/// `r (1 - 0.3 r^2)` peaks at r = 1.0541: what lies beyond is seen at the rim.
#[test]
fn points_beyond_the_limit_get_the_rim() {
    let limit = (1.0f64 / 0.9).sqrt();
    let lens = Lens::Radial { k: [-0.3, 0.0, 0.0], p: [0.0; 2], limit };
    let [x, y, z] = lens.direction((0.0, 0.9));
    assert!((x, z) == (0.0, 1.0) && (y - limit).abs() < 1e-12);
    let fisheye = Lens::Fisheye { k: [0.0; 4], limit: 3.0 };
    let [x, _, z] = fisheye.direction((3.2, 0.0));
    assert!((x - 3f64.sin()).abs() < 1e-12 && (z - 3f64.cos()).abs() < 1e-12);
}
