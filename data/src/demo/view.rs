//! One view: supersampled color, and the exact geometry at the pixel centers.

use ndarray::{Array2, Array3};

use super::camera::{Pinhole, Station};
use super::scene::DemoWorld;
use super::shade::LightCells;
use super::solid::V3;
use super::{DemoConfig, DemoView};

/// Renders a view; every pixel is a pure function of scene, configuration and pose.
pub(super) fn render(scene: &DemoWorld, config: &DemoConfig, station: Station) -> DemoView {
    let side = config.resolution;
    let lens = Pinhole::new(&station.pose, side);
    let mut rgba = Array3::zeros((side, side, 4));
    let mut depth = Array2::zeros((side, side));
    let mut normal = Array3::zeros((side, side, 3));
    let mut label = Array2::zeros((side, side));
    for y in 0..side {
        for x in 0..side {
            for (k, byte) in pixel(scene, config, &lens, x, y).into_iter().enumerate() {
                rgba[[y, x, k]] = byte;
            }
            let centre = lens.ray(x as f64 + 0.5, y as f64 + 0.5);
            if let Some((t, n, index)) = scene.hit(&centre) {
                depth[[y, x]] = t as f32;
                label[[y, x]] = scene.objects[index].class;
                for k in 0..3 {
                    normal[[y, x, k]] = n[k] as f32;
                }
            }
        }
    }
    let Station { name, split, pose } = station;
    DemoView { name, split, pose, rgba, depth, normal, label }
}

/// Straight-alpha bytes of one pixel.
///
/// Colors are averaged after the tone curve, since that is where viewers and trainers composite them.
fn pixel(scene: &DemoWorld, config: &DemoConfig, lens: &Pinhole, x: usize, y: usize) -> [u8; 4] {
    let n = config.supersample;
    let inv = 1.0 / n as f64;
    let (mut sum, mut hits) = (V3::zeros(), 0usize);
    for j in 0..n {
        for i in 0..n {
            // A sheared lattice: n^2 different coordinates along each axis, so edges get n^2 levels.
            let dx = (i as f64 + (j as f64 + 0.5) * inv) * inv;
            let dy = (j as f64 + (i as f64 + 0.5) * inv) * inv;
            let ray = lens.ray(x as f64 + dx, y as f64 + dy);
            if let Some(hit) = scene.hit(&ray) {
                let cells = LightCells { side: n * config.shadow, step: n, first: (i, j) };
                sum += scene.shade(&ray, hit, cells).map(encode);
                hits += 1;
            }
        }
    }
    if hits == 0 {
        return [0; 4];
    }
    let [r, g, b] = (sum / hits as f64).map(byte).into();
    [r, g, b, byte(hits as f64 / (n * n) as f64)]
}

/// The tone curve: a square root is close to sRGB's and correctly rounded on every machine.
fn encode(linear: f64) -> f64 {
    linear.clamp(0.0, 1.0).sqrt()
}

fn byte(unit: f64) -> u8 {
    (unit * 255.0 + 0.5) as u8
}
