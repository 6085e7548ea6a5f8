//! Depth and normals of a run on the built-in scene, against the scene's own: medians over the pixels of held-out views
//! that show an object.
//!
//! ```text
//! nerve train demo
//! cargo run --release -p nerve-nerf --example surface -- RUN
//! ```

use nerve_data::demo::{self, DemoConfig};
use nerve_data::scene::Split;
use nerve_nerf::{Model, OpenOptions, normals_of_depth};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let run = std::env::args_os().nth(1).ok_or("give the folder of a run on `demo`")?;
    let mut model = Model::open(Path::new(&run), &OpenOptions::default())?;
    let exact = demo::render(&DemoConfig::default())?;
    let held_out: Vec<_> =
        model.capture().views.iter().filter(|view| view.split == Split::Test).cloned().collect();
    let mut depths = [const { Vec::new() }; 2];
    let mut angles = [const { Vec::new() }; 3];
    let (mut objects, mut missed) = (0usize, 0usize);
    for (view, exact) in held_out.iter().zip(exact.views.iter().filter(|view| view.split == Split::Test)) {
        if (view.camera.pose.translation.vector - exact.pose.translation.vector).norm() > 1e-6 {
            return Err(format!("{}: it is not the built-in scene's {}", view.name, exact.name).into());
        }
        let seen = model.surface(&view.camera, true)?;
        let normals = [
            seen.normals.clone(),
            normals_of_depth(&view.camera, &seen.median),
            normals_of_depth(&view.camera, &seen.expected),
        ];
        for (i, (depth, normal)) in exact
            .depth
            .iter()
            .zip(exact.normal.rows().into_iter().flat_map(|r| r.to_vec()).collect::<Vec<_>>().chunks(3))
            .enumerate()
        {
            if *depth == 0.0 {
                continue;
            }
            objects += 1;
            if seen.median[i].is_nan() {
                missed += 1;
                continue;
            }
            for (errors, got) in depths.iter_mut().zip([&seen.expected, &seen.median]) {
                errors.push(f64::from((got[i] - depth).abs() / depth));
            }
            for (angles, got) in angles.iter_mut().zip(&normals) {
                let cosine: f32 = got[i].iter().zip(normal).map(|(a, b)| a * b).sum();
                angles.push(f64::from(cosine.clamp(-1.0, 1.0).acos().to_degrees()));
            }
        }
    }
    println!(
        "{} views, {objects} pixels of objects, {missed} of them where the field is not opaque",
        held_out.len()
    );
    for (what, errors) in ["expected", "median"].iter().zip(&mut depths) {
        println!("depth, {what:<9} median relative error {:.3} %", 100.0 * middle(errors));
    }
    for (what, angles) in
        ["of density's slope", "of median depth", "of expected depth"].iter().zip(&mut angles)
    {
        println!("normals {what:<19} median angle {:.2} degrees", middle(angles));
    }
    Ok(())
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
