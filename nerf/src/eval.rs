//! Held-out views: rendered, measured, and put beside the photographs.
//!
//! The protocol: 8-bit rounded images, transparent pixels on white; PSNR and SSIM (and LPIPS, given its weights) per
//! view, then the mean. Pixels that a mask takes out count for nothing: PSNR is that of the others, SSIM the mean over
//! windows around the others, in which the rendering shows the photograph where the mask takes it out, as it does for
//! LPIPS (whose mean is over the whole view, so that a mask lowers it).
//!
//! An opaque photograph is measured on the background that was trained on, where that is one color. Where photographs are
//! transparent, what is inside the object has figures of its own beside these: [`ViewReport::object`].
//!
//! Views are rendered from the poses that were given, in the colors of the mean photograph. What was learned about
//! cameras has figures of its own beside these: [`ViewReport::aligned`] and [`ViewReport::fitted`].

use crate::error::NerfError;
use crate::fit_pose::fit_pose;
use crate::model::{Model, PoseChange};
use crate::publish::{Compared, differences, publish_pictures};
use crate::rendering::{Rendering, flatten};
use nalgebra::{Matrix4, Matrix4x3, Vector3, Vector4};
use nerve_core::metrics::lpips::Lpips;
use nerve_core::metrics::{MetricError, psnr_where, quantize, ssim_where};
use nerve_core::run::{Cancel, Events};
use nerve_data::image::Mask;
use nerve_data::inspect::SMALLEST_SIDE;
use nerve_data::write::{PixelFormat, write_png};
use nerve_data::{Image8, Scene};
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
    /// Mean SSIM, of the views that have any.
    pub ssim: f64,
    /// Mean of the views' [`ViewReport::aligned`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aligned: Option<f64>,
    /// Mean of the views' [`ViewReport::fitted`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<f64>,
    /// How far the training cameras were moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poses: Option<PoseChange>,
    /// Means of the views' [`ViewReport::object`], over those that have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectScores>,
    /// Mean LPIPS, if it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lpips: Option<f64>,
    /// The network that it looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lpips_network: Option<String>,
    /// Mean of the views' [`ViewReport::unseen`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<f64>,
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
    /// SSIM; `None` of a view that is smaller than its window, or of which a mask leaves no window.
    pub ssim: Option<f64>,
    /// Where the photographs' colors are learned: PSNR after the affine map of the rendering's colors that fits the
    /// photograph best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aligned: Option<f64>,
    /// Where poses are learned: PSNR from the pose that fits the photograph best, the field held fixed (and its colors
    /// aligned, where these are learned, too).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<f64>,
    /// Inside the object alone, where the photograph is transparent around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectScores>,
    /// LPIPS, if it was measured; not of thumbnails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lpips: Option<f64>,
    /// Of a capture with a backdrop, the share of the view that shows it, because no training ray passed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<f64>,
    /// Seconds to render it.
    pub render_seconds: f64,
}

/// Figures of the pixels with an alpha of half or more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectScores {
    /// PSNR in dB.
    pub psnr: f64,
    /// SSIM, over the windows around these pixels.
    pub ssim: f64,
}

/// What an evaluation does beside measuring, and until when.
#[derive(Clone, Copy)]
pub struct EvalOptions<'a> {
    /// Where each view goes as a picture `truth | rendering | error x 4 | depth`; the folder is made.
    pub renders: Option<&'a Path>,
    /// Measures LPIPS too.
    pub lpips: Option<&'a Lpips>,
    /// Hears of every picture.
    pub events: &'a Events,
    /// Ends it after the current view.
    pub cancel: &'a Cancel,
}

/// Renders `views` of a scene and compares them with the images. `seen` hears of every finished view. `None` if it was
/// cancelled.
///
/// A model in training is measured through [`Trainer::averaged`](crate::Trainer::averaged); one that was opened is
/// [attached](Model::attach) to the scene first.
///
/// # Errors
/// If `views` is empty, or a picture cannot be written.
pub fn evaluate(
    model: &mut Model,
    scene: &Scene,
    views: &[usize],
    options: &EvalOptions<'_>,
    seen: &mut dyn FnMut(&ViewReport),
) -> Result<Option<Report>, NerfError> {
    if views.is_empty() {
        return Err(NerfError::NoViews { what: "evaluation", scene: scene.source.clone() });
    }
    if let Some(folder) = options.renders {
        std::fs::create_dir_all(folder)
            .map_err(|source| NerfError::Folder { path: folder.to_owned(), source })?;
    }
    let sizes = views.iter().map(|view| &scene.views[*view].image);
    if let Some(image) = sizes.clone().max_by_key(|image| image.width().min(image.height()))
        && image.width().min(image.height()) < SMALLEST_SIDE
    {
        let (width, height) = (image.width() as usize, image.height() as usize);
        return Err(MetricError::TooSmall { width, height }.into());
    }
    let mut reports = Vec::with_capacity(views.len());
    for &view in views.iter().take_while(|_| !options.cancel.is_cancelled()) {
        let report = one(model, scene, view, options)?;
        seen(&report);
        reports.push(report);
    }
    if reports.len() == views.len() && reports.iter().all(|report| report.ssim.is_none()) {
        return Err(MetricError::Empty("SSIM").into());
    }
    Ok((reports.len() == views.len()).then(|| Report::new(model, scene, options.lpips, reports)))
}

impl Report {
    fn new(model: &Model, scene: &Scene, lpips: Option<&Lpips>, views: Vec<ViewReport>) -> Self {
        let mean = |f: fn(&ViewReport) -> f64| views.iter().map(f).sum::<f64>() / views.len() as f64;
        let mean_of = |f: fn(&ViewReport) -> Option<f64>| {
            let (sum, n) = views.iter().filter_map(f).fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
            (n > 0).then(|| sum / f64::from(n))
        };
        let some = |f: fn(&ViewReport) -> Option<f64>| {
            let sum: Option<f64> = views.iter().map(f).sum();
            sum.map(|sum| sum / views.len() as f64)
        };
        Self {
            scene: scene.name.clone(),
            step: model.step_count(),
            seconds: model.elapsed().as_secs_f64(),
            psnr: mean(|v| v.psnr),
            ssim: mean_of(|v| v.ssim).unwrap_or(f64::NAN),
            aligned: some(|v| v.aligned),
            fitted: some(|v| v.fitted),
            object: ObjectScores::mean(&views),
            poses: model.pose_change(),
            lpips: lpips.and_then(|_| mean_of(|v| v.lpips)),
            lpips_network: lpips.map(|lpips| lpips.network().to_string()),
            unseen: some(|v| v.unseen),
            render_seconds: mean(|v| v.render_seconds),
            views,
        }
    }
}

fn one(
    model: &mut Model,
    scene: &Scene,
    view: usize,
    options: &EvalOptions<'_>,
) -> Result<ViewReport, NerfError> {
    let (image, camera) = (&scene.views[view].image, &scene.views[view].camera);
    let (width, height) = (image.width() as usize, image.height() as usize);
    let start = Instant::now();
    let picture = render_view(model, scene, view)?;
    let render_seconds = start.elapsed().as_secs_f64();
    let behind = model.behind(image);
    let (truth, rendered) = (flatten(image, 1.0), picture.rgb_on(behind));
    let name = scene.views[view].name.clone();
    let keep = scene.views[view].mask.as_ref().map(Mask::data);
    let colors = model.colors().is_some();
    let aligned = |rendered: &[u8]| psnr_where(&truth, &align(rendered, &truth, keep), keep, 3);
    let pose = fit_pose(model, scene, view)?;
    let fitted = pose.map(|pose| model.render_corrected(camera, Some(pose))).transpose()?;
    let fitted = fitted.map(|fitted| fitted.rgb_on(behind));
    let fitted = fitted.map(|f| if colors { aligned(&f) } else { psnr_where(&truth, &f, keep, 3) });
    let report = ViewReport {
        psnr: psnr_where(&truth, &rendered, keep, 3)?,
        ssim: match ssim_where(&truth, &rendered, keep, [width, height, 3]) {
            Err(MetricError::TooSmall { .. } | MetricError::Empty(_)) => None,
            ssim => Some(ssim?),
        },
        object: ObjectScores::of(image, keep, &truth, &rendered),
        aligned: colors.then(|| aligned(&rendered)).transpose()?,
        fitted: fitted.transpose()?,
        lpips: options
            .lpips
            .filter(|_| width.min(height) >= SMALLEST_SIDE as usize)
            .map(|lpips| lpips.distance(&truth, &unmasked(&rendered, &truth, keep), width, height))
            .transpose()?,
        unseen: picture.unseen(),
        render_seconds,
        name: name.clone(),
    };
    let error = differences(&truth, &rendered);
    if let Some(folder) = options.renders {
        let depth: Vec<u8> = picture.depth().into_iter().flat_map(|d| [d; 3]).collect();
        let panels = beside(&[&truth, &rendered, &error, &depth], width, height);
        let file: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let path = folder.join(format!("{file}.png"));
        write_png(&path, 4 * width as u32, height as u32, PixelFormat::Rgb, &panels)?;
    }
    publish_pictures(model, options.events, &name, camera, &picture, Compared { rendered, truth, error });
    Ok(report)
}

impl ObjectScores {
    /// Of a photograph that is composited on white and what was rendered, on white, over the pixels that count; `None` of
    /// one that is opaque or nothing but transparent, or too small.
    fn of(image: &Image8, keep: Option<&[bool]>, truth: &[u8], rendered: &[u8]) -> Option<Self> {
        if image.is_opaque() {
            return None;
        }
        let alphas = image.data().chunks_exact(4).map(|p| p[3] >= 128).enumerate();
        let inside: Vec<bool> = alphas.map(|(i, seen)| seen && keep.is_none_or(|keep| keep[i])).collect();
        let inside = Some(&inside[..]);
        let size = [image.width() as usize, image.height() as usize, 3];
        let psnr = psnr_where(truth, rendered, inside, 3).ok()?;
        Some(Self { psnr, ssim: ssim_where(truth, rendered, inside, size).ok()? })
    }

    /// Of the views that have any.
    fn mean(views: &[ViewReport]) -> Option<Self> {
        let scores: Vec<Self> = views.iter().filter_map(|view| view.object).collect();
        let mean = |f: fn(&Self) -> f64| scores.iter().map(f).sum::<f64>() / scores.len() as f64;
        (!scores.is_empty()).then(|| Self { psnr: mean(|s| s.psnr), ssim: mean(|s| s.ssim) })
    }
}

/// Renders a view of the scene; a training view from where its camera is now.
pub(crate) fn render_view(model: &mut Model, scene: &Scene, view: usize) -> Result<Rendering, NerfError> {
    let trained = scene.splits.train.binary_search(&view).is_ok();
    let correction = trained.then(|| model.correction(&scene.views[view].name)).flatten();
    model.render_corrected(&scene.views[view].camera, correction)
}

/// The affine map of a rendering's colors that is closest to the photograph, over the pixels that count.
fn align(rendered: &[u8], truth: &[u8], keep: Option<&[bool]>) -> Vec<u8> {
    let (rendered, rest) = rendered.as_chunks::<3>();
    let (truth, _) = truth.as_chunks::<3>();
    debug_assert!(rest.is_empty());
    let row = |p: &[u8; 3]| Vector4::new(p[0].into(), p[1].into(), p[2].into(), 255.0) / 255.0;
    let (mut square, mut product) = (Matrix4::<f64>::identity() * 1e-6, Matrix4x3::<f64>::zeros());
    for (i, (r, t)) in rendered.iter().zip(truth).enumerate() {
        if keep.is_none_or(|keep| keep[i]) {
            let r = row(r);
            square += r * r.transpose();
            product += r * Vector3::new(t[0].into(), t[1].into(), t[2].into()).transpose() / 255.0;
        }
    }
    // A picture of one color leaves the map undetermined but for the small identity above.
    let Some(inverse) = square.try_inverse() else { return rendered.concat() };
    let map = (inverse * product).transpose();
    let shown: Vec<f32> = rendered.iter().flat_map(|r| (map * row(r)).map(|v| v as f32).data.0[0]).collect();
    quantize(&shown)
}

/// A rendering that shows the photograph where a mask takes pixels out.
fn unmasked(rendered: &[u8], truth: &[u8], keep: Option<&[bool]>) -> Vec<u8> {
    let mut shown = rendered.to_vec();
    for (i, pixel) in
        shown.chunks_exact_mut(3).enumerate().filter(|(i, _)| keep.is_some_and(|keep| !keep[*i]))
    {
        pixel.copy_from_slice(&truth[3 * i..3 * i + 3]);
    }
    shown
}

/// RGB images of the same size in one row.
fn beside(images: &[&[u8]], width: usize, height: usize) -> Vec<u8> {
    let row = 3 * width;
    (0..height).flat_map(|y| images.iter().flat_map(move |i| &i[y * row..(y + 1) * row])).copied().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Inside is what the photograph shows: an error outside does not count there.
    #[test]
    fn inside_the_object_only_what_is_seen_counts() {
        let alpha = |i: usize| if i % 16 < 8 { 200 } else { 0 };
        let pixels: Vec<u8> = (0..256).flat_map(|i| [90, 90, 90, alpha(i)]).collect();
        let image = Image8::new(16, 16, 4, pixels).unwrap();
        let truth = flatten(&image, 1.0);
        let wrong = |inside: bool| -> Vec<u8> {
            let at = |i: usize| if (i / 3 % 16 < 8) == inside { truth[i] ^ 64 } else { truth[i] };
            (0..truth.len()).map(at).collect()
        };
        let outside = ObjectScores::of(&image, None, &truth, &wrong(false)).unwrap();
        assert!(outside.psnr.is_infinite() || outside.psnr > 90.0, "{outside:?}");
        assert!((outside.ssim - 1.0).abs() < 1e-9, "{outside:?}");
        let inside = ObjectScores::of(&image, None, &truth, &wrong(true)).unwrap();
        assert!(inside.psnr < 20.0 && inside.ssim < 0.9, "{inside:?}");
        let left = vec![false; 256];
        assert_eq!(ObjectScores::of(&image, Some(&left), &truth, &wrong(true)), None, "a mask takes it out");
        let opaque = Image8::new(16, 16, 3, [90; 768]).unwrap();
        assert_eq!(ObjectScores::of(&opaque, None, &truth, &truth), None);
    }

    #[test]
    fn a_mask_shows_the_photograph() {
        let (truth, rendered) = ([1, 2, 3, 4, 5, 6], [9; 6]);
        assert_eq!(unmasked(&rendered, &truth, Some(&[true, false])), [9, 9, 9, 4, 5, 6]);
        assert_eq!(unmasked(&rendered, &truth, None), rendered);
    }
}
