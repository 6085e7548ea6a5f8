//! What the occupied cells of a trained field are good for: `census RUN [RAYS]`.

use nerve_nerf::{Model, OpenOptions};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let run = arguments.next().ok_or("give a run's folder")?;
    let rays = arguments.next().map_or(Ok(1 << 17), |rays| rays.parse())?;
    let mut model = Model::open(Path::new(&run), &OpenOptions::default())?;
    let c = model.census(rays)?;
    let percent =
        |shares: &[f64]| shares.iter().map(|s| format!("{:.1}", 100.0 * s)).collect::<Vec<_>>().join(" ");
    println!("occupied {} %", percent(&[c.occupied]));
    println!("of them: not reached, heaviest sample < 0.001, < 0.01, < 0.1, more: {} %", percent(&c.cells));
    println!(
        "samples a ray {:.1}, of weight < 0.001, < 0.01, < 0.1, more: {} %",
        c.samples,
        percent(&c.weights)
    );
    println!(
        "light ends before 0.5, 0.9, 1.1 of its median distance, beyond: {} %, leaves {} %",
        percent(&c.places),
        percent(&[c.through])
    );
    Ok(())
}
