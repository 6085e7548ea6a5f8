//! scratch
use nerve_core::run::{Cancel, Delivery, Event, Events, Sink, SinkError};
use nerve_nerf::{NerfConfig, Trainer, eval::evaluate};
use std::sync::Arc;
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    c: NerfConfig,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}
struct P(u64);
impl Sink for P {
    fn handle(&mut self, e: &Event) -> Result<(), SinkError> {
        if let Event::Scalars { step, elapsed, values } = e {
            if *step >= self.0 {
                self.0 = step * 5 / 4;
                let s: Vec<String> = values.iter().map(|(k, v)| format!("{k} {v:.4}")).collect();
                println!("{step} {:.1}s {}", elapsed.as_secs_f64(), s.join(" "));
            }
        }
        Ok(())
    }
}
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a = <Args as clap::Parser>::parse();
    let o = nerve_data::LoadOptions { downscale: a.c.data.downscale, ..Default::default() };
    let t = std::time::Instant::now();
    let scene = Arc::new(nerve_data::scene::load(&a.c.data.scene, &o)?);
    println!("loaded {} views in {:?}", scene.views.len(), t.elapsed());
    let mut tr = Trainer::new(a.c, scene.clone(), a.threads)?;
    let ev = Events::new();
    ev.attach("p", Delivery::Lossless, P(20))?;
    let d = std::env::temp_dir().join("quick");
    std::fs::create_dir_all(&d)?;
    tr.run(&d.join("c.safetensors"), &ev, &Cancel::new())?;
    let st = std::fs::read_to_string("/proc/self/stat")?;
    let u: f64 = st.split_whitespace().nth(13).unwrap().parse()?;
    println!("train cpu {:.1} s", u / 100.0);
    ev.close(std::time::Duration::from_secs(1));
    let views = scene.splits.eval().to_vec();
    let r = evaluate(&mut tr, &views, Some(&d.join("renders")), &Events::new(), &mut |_| {})?;
    println!("steps {} psnr {:.3} ssim {:.4} render {:.3}s", r.step, r.psnr, r.ssim, r.render_seconds);
    Ok(())
}
