//! Held-out views: rendered, measured, and put beside the photographs.
//!
//! The protocol: 8-bit rounded images, transparent pixels on white; PSNR and SSIM per view, then the mean.

use crate::trainer::{NerfError, Trainer};
use crate::view::flatten;
use nerve_core::metrics::{psnr_u8, ssim_u8};
use nerve_core::run::{Cancel, Event, Events, ImageRole};
use nerve_data::write::{Pixels, write_png};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;

/// The outcome of an evaluation, as in `eval.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The scene.
    pub scene: String,
    /// Training steps at that time.
    pub step: u64,
    /// Seconds of training at that time.
    pub seconds: f64,
    /// Mean PSNR in dB.
    pub psnr: f64,
    /// Mean SSIM.
    pub ssim: f64,
    /// Mean seconds to render a view.
    pub render_seconds: f64,
    /// Per view.
    pub views: Vec<ViewReport>,
}

/// The outcome of one view.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ViewReport {
    /// The image's name.
    pub name: String,
    /// PSNR in dB.
    pub psnr: f64,
    /// SSIM.
    pub ssim: f64,
    /// Seconds to render it.
    pub render_seconds: f64,
}

/// Renders `views` of the trainer's scene and compares them with the images; with `renders`, writes each as a
/// picture `truth | rendering | error x 4 | depth` into that folder. `seen` hears of every finished view.
///
/// # Errors
/// If `views` is empty, or a picture cannot be written.
pub fn evaluate(
    trainer: &mut Trainer,
    views: &[usize],
    renders: Option<&Path>,
    events: &Events,
    seen: &mut dyn FnMut(&ViewReport),
) -> Result<Report, NerfError> {
    let reports = each(trainer, views, renders, events, &Cancel::new(), seen)?;
    Ok(Report::new(trainer, reports))
}

/// Like [`evaluate`], but stops after the current view once `cancel` asks for it; it is then `None`.
///
/// # Errors
/// Those of [`evaluate`].
pub fn evaluate_until(
    trainer: &mut Trainer,
    views: &[usize],
    renders: Option<&Path>,
    events: &Events,
    cancel: &Cancel,
    seen: &mut dyn FnMut(&ViewReport),
) -> Result<Option<Report>, NerfError> {
    let reports = each(trainer, views, renders, events, cancel, seen)?;
    Ok((reports.len() == views.len()).then(|| Report::new(trainer, reports)))
}

/// The views, until `cancel`.
fn each(
    trainer: &mut Trainer,
    views: &[usize],
    renders: Option<&Path>,
    events: &Events,
    cancel: &Cancel,
    seen: &mut dyn FnMut(&ViewReport),
) -> Result<Vec<ViewReport>, NerfError> {
    if views.is_empty() {
        return Err(NerfError::NoViews { what: "evaluation", scene: trainer.scene().source.clone() });
    }
    if let Some(folder) = renders {
        std::fs::create_dir_all(folder)
            .map_err(|source| NerfError::Folder { path: folder.to_owned(), source })?;
    }
    let mut reports = Vec::with_capacity(views.len());
    trainer.swap_average();
    for &view in views.iter().take_while(|_| !cancel.is_cancelled()) {
        let report = one(trainer, view, renders, events);
        if let Ok(report) = &report {
            seen(report);
        }
        reports.push(report);
    }
    trainer.swap_average();
    reports.into_iter().collect()
}

impl Report {
    fn new(trainer: &Trainer, views: Vec<ViewReport>) -> Self {
        let mean = |f: fn(&ViewReport) -> f64| views.iter().map(f).sum::<f64>() / views.len() as f64;
        Self {
            scene: trainer.scene().name.clone(),
            step: trainer.step_count(),
            seconds: trainer.elapsed().as_secs_f64(),
            psnr: mean(|v| v.psnr),
            ssim: mean(|v| v.ssim),
            render_seconds: mean(|v| v.render_seconds),
            views,
        }
    }
}

fn one(
    trainer: &mut Trainer,
    view: usize,
    renders: Option<&Path>,
    events: &Events,
) -> Result<ViewReport, NerfError> {
    let scene = trainer.scene().clone();
    let image = &scene.views[view].image;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let start = Instant::now();
    let picture = trainer.picture(view);
    let render_seconds = start.elapsed().as_secs_f64();
    let (truth, rendered) = (flatten(image, 1.0), picture.on(1.0));
    let name = scene.views[view].name.clone();
    let report = ViewReport {
        psnr: psnr_u8(&truth, &rendered)?,
        ssim: ssim_u8(&truth, &rendered, width, height, 3)?,
        render_seconds,
        name: name.clone(),
    };
    let error: Vec<u8> = truth.iter().zip(&rendered).map(|(a, b)| a.abs_diff(*b).saturating_mul(4)).collect();
    let depth: Vec<u8> = picture.depth().into_iter().flat_map(|d| [d; 3]).collect();
    let panels = beside(&[&truth, &rendered, &error, &depth], width, height);
    if let Some(folder) = renders {
        let file: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let path = folder.join(format!("{file}.png"));
        write_png(&path, 4 * width as u32, height as u32, Pixels::Rgb, &panels)?;
    }
    events.publish(Event::Image {
        step: trainer.step_count(),
        name,
        role: ImageRole::Comparison,
        width: 4 * width,
        height,
        channels: 3,
        data: panels.into(),
    });
    Ok(report)
}

/// RGB images of the same size in one row.
fn beside(images: &[&[u8]], width: usize, height: usize) -> Vec<u8> {
    let row = 3 * width;
    (0..height).flat_map(|y| images.iter().flat_map(move |i| &i[y * row..(y + 1) * row])).copied().collect()
}
