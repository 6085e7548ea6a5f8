//! Opaque pictures before one color: what is behind them is found, trained on and measured on.
#![allow(clippy::unwrap_used)]

use nerve_core::ops::hash_grid::HashGridConfig;
use nerve_core::run::{Cancel, Events};
use nerve_data::demo::{self, DemoConfig};
use nerve_data::{Image8, Scene};
use nerve_nerf::config::Background;
use nerve_nerf::eval::{EvalOptions, evaluate};
use nerve_nerf::{Model, NerfConfig, OpenOptions, Trainer};
use std::sync::Arc;

const SIDE: u32 = 40;

/// The demo on this color, without alpha, in the middle of pictures that are wider than it.
fn opaque(color: [u8; 3]) -> Scene {
    let config = DemoConfig { resolution: SIDE as usize, train: 12, test: 2, ..DemoConfig::default() };
    let mut scene = demo::scene(&config).unwrap();
    for view in &mut scene.views {
        let over = |p: &[u8]| {
            let alpha = u32::from(p[3]);
            std::array::from_fn::<u8, 3, _>(|c| {
                ((u32::from(p[c]) * alpha + u32::from(color[c]) * (255 - alpha) + 127) / 255) as u8
            })
        };
        let wide = 2 * SIDE;
        let mut pixels = color.repeat((wide * wide) as usize);
        for (i, p) in view.image.data().chunks_exact(4).enumerate() {
            let (x, y) = (i as u32 % SIDE + SIDE / 2, i as u32 / SIDE + SIDE / 2);
            let at = 3 * (y * wide + x) as usize;
            pixels[at..at + 3].copy_from_slice(&over(p));
        }
        view.image = Image8::new(wide, wide, 3, pixels).unwrap();
        let lens = &mut view.camera.intrinsics;
        (lens.width, lens.height) = (wide, wide);
        (lens.cx, lens.cy) = (lens.cx + f64::from(SIDE / 2), lens.cy + f64::from(SIDE / 2));
    }
    scene
}

fn config(background: Background) -> NerfConfig {
    let grid = HashGridConfig { levels: 6, log2_entries: 12, ..HashGridConfig::default() };
    let mut config = NerfConfig { grid, ..NerfConfig::default() };
    config.train.batch_samples = 8192;
    config.train.run.steps = Some(150);
    config.train.background = background;
    config
}

/// The mean PSNR of the held-out views, from the trained field and from its checkpoint.
fn psnr(scene: &Arc<Scene>, background: Background) -> (Trainer, [f64; 2]) {
    let mut trainer = Trainer::new(config(background), scene.clone(), 0).unwrap();
    (0..150).for_each(|_| assert!(trainer.step().unwrap().loss.is_finite()));
    let (events, cancel) = (Events::new(), Cancel::default());
    let options = EvalOptions { renders: None, lpips: None, events: &events, cancel: &cancel };
    let views = scene.splits.test.clone();
    let measure = |model: &mut Model| evaluate(model, scene, &views, &options, &mut |_| {}).unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    trainer.save(&path).unwrap();
    let mut model = Model::open(&path, &OpenOptions::default()).unwrap();
    let figures = [measure(trainer.model_mut()), measure(&mut model)].map(|report| {
        assert_eq!(report.object, None, "nothing is transparent");
        report.psnr
    });
    (trainer, figures)
}

#[test]
fn the_color_around_opaque_pictures_is_their_background() {
    let color = [30, 60, 20];
    let scene = Arc::new(opaque(color));
    let (trainer, [found, reopened]) = psnr(&scene, Background::Auto);
    assert_eq!(trainer.plain_background(), Some(color));
    assert_eq!(trainer.config().train.background, Background::Color(color));
    assert!((found - reopened).abs() < 1e-9, "{found} {reopened}");
    let (trainer, [random, _]) = psnr(&scene, Background::Random);
    assert_eq!((trainer.plain_background(), trainer.config().train.background), (None, Background::Random));
    assert!(found > 20.0 && found > random + 5.0, "{found} {random}");
}

#[test]
fn transparent_pictures_keep_random_backgrounds() {
    let scene =
        demo::scene(&DemoConfig { resolution: 24, train: 4, test: 1, ..DemoConfig::default() }).unwrap();
    let trainer = Trainer::new(config(Background::Auto), Arc::new(scene), 1).unwrap();
    assert_eq!((trainer.plain_background(), trainer.config().train.background), (None, Background::Random));
}
