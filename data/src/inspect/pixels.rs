//! Measuring the images' pixels: which are blurred, differently exposed, or duplicates.
//!
//! * **Sharpness** is the variance of the Laplacian over the variance of the gray values, at no more than about 1000
//!   pixels a side: contrast and exposure cancel, so that images of one scene can be compared.
//! * **Exposure** is the base-2 logarithm of the mean linear luminance: 1 is a factor of two in light.
//! * **Likeness** is the correlation between two thumbnails of 16x16 gray values.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use crate::image::{Image8, Surround, plain_color};
use crate::problem::with_causes;

/// Longest side at which sharpness is measured.
const SIDE: u32 = 1000;
/// Cells of a thumbnail along each axis.
const CELLS: usize = 16;
/// Images whose thumbnails have a higher correlation look the same: neighboring frames of a video do, photos taken a
/// step apart do not.
const ALIKE: f32 = 0.998;
/// A thumbnail of less contrast cannot be compared.
const FLAT: f64 = 1e-2;
/// Luminance of an image that is all black.
const DARKEST: f64 = 1e-4;

/// What measuring the pixels of a scene's images found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PixelReport {
    /// Each image, the blurriest first.
    pub images: Vec<ImagePixels>,
    /// Pairs of images whose pixels are the same.
    pub duplicates: Vec<[String; 2]>,
    /// Other pairs of images that look the same.
    pub alike: Vec<[String; 2]>,
    /// Difference between the brightest and the darkest image in stops, without the darkest and the brightest twentieth.
    pub exposure_spread: f64,
    /// The plain color that surrounds nearly all images, where they are opaque.
    pub background: Option<[u8; 3]>,
    /// Images that cannot be decoded: name and reason.
    pub damaged: Vec<[String; 2]>,
}

/// The measurements of one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImagePixels {
    /// The image's name.
    pub name: String,
    /// Its sharpness, as the module defines it.
    pub sharpness: f64,
    /// Its sharpness divided by the median of all images.
    pub relative_sharpness: f64,
    /// Stops above the median of all images.
    pub exposure: f64,
}

/// The measurements of one image before it is compared with others.
struct Measured {
    name: String,
    sharpness: f64,
    stops: f64,
    digest: u64,
    thumbnail: Option<[f32; CELLS * CELLS]>,
    surround: Option<Surround>,
}

impl PixelReport {
    /// Decodes all images, in parallel on the current rayon pool, and measures them; `progress(done, total)` is called
    /// from the worker threads.
    pub fn measure(images: &[(String, PathBuf)], progress: &(dyn Fn(usize, usize) + Sync)) -> Self {
        let done = AtomicUsize::new(0);
        let measured: Vec<Result<Measured, [String; 2]>> = images
            .par_iter()
            .map(|(name, path)| {
                let measured = measure(name, path);
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, images.len());
                measured
            })
            .collect();
        let (good, damaged): (Vec<_>, Vec<_>) = measured.into_iter().partition(Result::is_ok);
        let damaged = damaged.into_iter().filter_map(Result::err).collect();
        compare(good.into_iter().flatten().collect(), damaged)
    }
}

fn compare(measured: Vec<Measured>, damaged: Vec<[String; 2]>) -> PixelReport {
    let sorted = |value: fn(&Measured) -> f64| {
        let mut values: Vec<f64> = measured.iter().map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (sharpness, stops) = (sorted(|m| m.sharpness), sorted(|m| m.stops));
    let (usual_sharpness, usual_stops) = (quantile(&sharpness, 0.5), quantile(&stops, 0.5));
    let mut images: Vec<ImagePixels> = measured
        .iter()
        .map(|m| ImagePixels {
            name: m.name.clone(),
            sharpness: m.sharpness,
            relative_sharpness: if usual_sharpness > 0.0 { m.sharpness / usual_sharpness } else { 1.0 },
            exposure: m.stops - usual_stops,
        })
        .collect();
    images.sort_by(|a, b| a.sharpness.total_cmp(&b.sharpness));
    let (mut duplicates, mut alike) = (Vec::new(), Vec::new());
    for (i, a) in measured.iter().enumerate() {
        for b in &measured[i + 1..] {
            let correlation = match (&a.thumbnail, &b.thumbnail) {
                (Some(a), Some(b)) => a.iter().zip(b).map(|(a, b)| a * b).sum(),
                _ => 0.0,
            };
            if a.digest == b.digest {
                duplicates.push([a.name.clone(), b.name.clone()]);
            } else if correlation > ALIKE {
                alike.push([a.name.clone(), b.name.clone()]);
            }
        }
    }
    let exposure_spread = quantile(&stops, 0.95) - quantile(&stops, 0.05);
    let surrounds: Vec<Option<Surround>> = measured.iter().map(|m| m.surround).collect();
    let background = plain_color(&surrounds);
    PixelReport { images, duplicates, alike, exposure_spread, background, damaged }
}

/// A quantile of ascending values, interpolated; 0 of none.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    sorted[low] + part * (sorted[(low + 1).min(last)] - sorted[low])
}

fn measure(name: &str, path: &Path) -> Result<Measured, [String; 2]> {
    let failed = |error: crate::image::ImageError| [name.to_owned(), with_causes(&error)];
    let image = Image8::open(path).map_err(failed)?;
    let digest = {
        let mut hasher = DefaultHasher::new();
        (image.width(), image.height(), image.channels(), image.data()).hash(&mut hasher);
        hasher.finish()
    };
    let small = image.downscale((image.width().max(image.height()) / SIDE).max(1)).map_err(failed)?;
    let grey = small.grey();
    let width = small.width() as usize;
    Ok(Measured {
        name: name.to_owned(),
        sharpness: sharpness(&grey, width),
        stops: luminance(&small).max(DARKEST).log2(),
        digest,
        thumbnail: thumbnail(&grey, width),
        surround: image.surround(None),
    })
}

/// Mean linear luminance (BT.709) of what is not transparent, 0 to 1.
fn luminance(image: &Image8) -> f64 {
    let linear: Vec<f64> = (0..256)
        .map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        })
        .collect();
    let (mut sum, mut weight) = (0.0, 0.0);
    for p in image.data().chunks_exact(usize::from(image.channels())) {
        let alpha = p.get(3).map_or(1.0, |&a| f64::from(a) / 255.0);
        let [r, g, b] = [p[0], p[1], p[2]].map(|v| linear[usize::from(v)]);
        sum += alpha * (0.2126 * r + 0.7152 * g + 0.0722 * b);
        weight += alpha;
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}

/// The variance of the five-point Laplacian over that of the values; 0 for an image of one value.
fn sharpness(grey: &[f32], width: usize) -> f64 {
    let rows: Vec<&[f32]> = grey.chunks_exact(width).collect();
    let inner = rows.windows(3).flat_map(|r| {
        (1..width.saturating_sub(1))
            .map(|x| f64::from(r[0][x] + r[2][x] + r[1][x - 1] + r[1][x + 1] - 4.0 * r[1][x]))
    });
    let values = variance(grey.iter().map(|&v| f64::from(v)));
    if values > 1e-12 { variance(inner) / values } else { 0.0 }
}

fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for v in values {
        (n, sum, squares) = (n + 1.0, sum + v, squares + v * v);
    }
    if n > 0.0 { (squares / n - (sum / n) * (sum / n)).max(0.0) } else { 0.0 }
}

/// Means of 16x16 cells, less their mean, scaled to length 1; `None` where they are all the same.
fn thumbnail(grey: &[f32], width: usize) -> Option<[f32; CELLS * CELLS]> {
    let height = grey.len() / width.max(1);
    if width < CELLS || height < CELLS {
        return None;
    }
    let mean = |cell: usize| {
        let side = |at: usize, length: usize| at * length / CELLS..(at + 1) * length / CELLS;
        let (columns, rows) = (side(cell % CELLS, width), side(cell / CELLS, height));
        let count = (columns.len() * rows.len()) as f64;
        let values = rows.flat_map(|y| &grey[y * width + columns.start..y * width + columns.end]);
        values.map(|&v| f64::from(v)).sum::<f64>() / count
    };
    let cells: [f64; CELLS * CELLS] = std::array::from_fn(mean);
    let middle = cells.iter().sum::<f64>() / cells.len() as f64;
    let length = cells.iter().map(|c| (c - middle).powi(2)).sum::<f64>().sqrt();
    (length > FLAT).then(|| cells.map(|c| ((c - middle) / length) as f32))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::write::{self, write_png};

    /// Soft blobs whose place depends on `seed`, blurred by `blur` pixels, times `gain`.
    fn scene(seed: u32, blur: i32, gain: f64) -> Vec<u8> {
        let side = 64i32;
        let value = |x: i32, y: i32| {
            let at = |k: u32| f64::from((seed * 37 + k * 101) % 64);
            (0..6)
                .map(
                    |k| if (f64::from(x) - at(k)).hypot(f64::from(y) - at(k + 9)) < 9.0 { 40.0 } else { 6.0 },
                )
                .sum::<f64>()
        };
        let blurred = |x: i32, y: i32| {
            let window = (-blur..=blur).flat_map(|dy| (-blur..=blur).map(move |dx| (x + dx, y + dy)));
            window.map(|(x, y)| value(x, y)).sum::<f64>() / f64::from((2 * blur + 1) * (2 * blur + 1))
        };
        (0..side * side)
            .flat_map(|i| [(gain * blurred(i % side, i / side)).clamp(0.0, 255.0) as u8; 3])
            .collect()
    }

    fn measured(images: &[(&str, Vec<u8>)]) -> PixelReport {
        let folder = tempfile::tempdir().unwrap();
        let files = images.iter().map(|(name, data)| {
            let path = folder.path().join(name);
            write_png(&path, 64, 64, write::PixelFormat::Rgb, data).unwrap();
            ((*name).to_owned(), path)
        });
        let mut files: Vec<_> = files.collect();
        std::fs::write(folder.path().join("cut.png"), b"\x89PNG\r\n\x1a\n").unwrap();
        files.push(("cut.png".into(), folder.path().join("cut.png")));
        let told = std::sync::Mutex::new(0);
        let pixels = PixelReport::measure(&files, &|done, total| {
            assert_eq!(total, files.len());
            let mut told = told.lock().unwrap();
            *told = done.max(*told);
        });
        assert_eq!(*told.lock().unwrap(), files.len());
        assert_eq!(pixels.damaged.len(), 1);
        assert!(pixels.damaged[0][1].contains("cut.png"));
        pixels
    }

    #[test]
    fn the_blurred_image_comes_first_whatever_its_exposure() {
        let pixels = measured(&[
            ("a", scene(1, 0, 1.0)),
            ("b", scene(2, 0, 0.5)),
            ("blurred", scene(3, 3, 1.0)),
            ("d", scene(4, 0, 1.0)),
            ("soft", scene(5, 1, 0.7)),
        ]);
        let order: Vec<&str> = pixels.images.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(order[..2], ["blurred", "soft"], "{:#?}", pixels.images);
        assert!(pixels.images[0].relative_sharpness < 0.3 && pixels.images[2].relative_sharpness > 0.7);
        assert!(pixels.alike.is_empty() && pixels.duplicates.is_empty(), "{pixels:#?}");
    }

    #[test]
    fn copies_and_near_copies() {
        let original = scene(1, 0, 1.0);
        let mut touched = original.clone();
        touched.iter_mut().step_by(7).for_each(|v| *v = v.saturating_add(2));
        let pixels =
            measured(&[("a", original.clone()), ("b", scene(2, 0, 1.0)), ("c", original), ("d", touched)]);
        let pair = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        assert_eq!(pixels.duplicates, [pair("a", "c")]);
        assert_eq!(pixels.alike, [pair("a", "d"), pair("c", "d")]);
    }

    #[test]
    fn stops_are_powers_of_two_of_light() {
        // 188 and 137 of sRGB are half and a quarter of full linear light.
        let flat = |v: u8| vec![v; 64 * 64 * 3];
        let pixels = measured(&[("a", flat(255)), ("b", flat(188)), ("c", flat(137))]);
        let stops = |name: &str| pixels.images.iter().find(|i| i.name == name).unwrap().exposure;
        assert!((stops("a") - 1.0).abs() < 0.02 && (stops("c") + 1.0).abs() < 0.02, "{pixels:#?}");
        assert!((pixels.exposure_spread - 1.8).abs() < 0.05);
        assert!(pixels.alike.is_empty(), "flat images cannot be compared");
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!((quantile(&[], 0.5), quantile(&[7.0], 0.9)), (0.0, 7.0));
    }
}
