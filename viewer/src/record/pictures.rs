//! Images as JPEG, depth as 16-bit images, other maps as colored images, each shrunk to what a viewer needs.
use image::codecs::jpeg::JpegEncoder;
use image::{ImageBuffer, RgbImage, imageops};
use nerve_core::run::MapRole;
use rerun::AsComponents;
use rerun::archetypes::{DepthImage, EncodedImage};
use rerun::components::{Colormap, MediaType};
use rerun::datatypes::ChannelDatatype;

/// JPEG quality: a 320-pixel photograph takes about 20 kB.
const QUALITY: u8 = 85;

/// Borrowed pixels, as events carry them.
pub(super) struct Pixels<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    /// 1 (gray), 3 (RGB) or 4 (RGBA, straight alpha).
    pub(super) channels: usize,
    pub(super) data: &'a [u8],
}

impl Pixels<'_> {
    /// As RGB, on white; `None` if the sizes do not fit together.
    fn rgb(&self) -> Option<RgbImage> {
        let (width, height) = (u32::try_from(self.width).ok()?, u32::try_from(self.height).ok()?);
        let values = self.width.checked_mul(self.height)?.checked_mul(self.channels)?;
        if values != self.data.len() || values == 0 {
            return None;
        }
        let over = |c: u8, a: u8| (u32::from(c) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255;
        let data: Vec<u8> = match self.channels {
            1 => self.data.iter().flat_map(|v| [*v; 3]).collect(),
            3 => self.data.to_vec(),
            4 => {
                let pixels = self.data.chunks_exact(4);
                pixels.flat_map(|p| [0, 1, 2].map(|c| over(p[c], p[3]) as u8)).collect()
            }
            _ => return None,
        };
        ImageBuffer::from_raw(width, height, data)
    }
}

/// Width and height with the longest side at most `side`, shape kept.
pub(super) fn shrunk([width, height]: [usize; 2], side: usize) -> [usize; 2] {
    let longest = width.max(height);
    if longest <= side {
        return [width, height];
    }
    [width, height].map(|v| (v * side).div_ceil(longest).max(1))
}

/// A photograph or a rendering, as JPEG. `None` for what is no picture.
pub(super) fn encode(pixels: &Pixels<'_>, side: usize) -> Option<EncodedImage> {
    let mut image = pixels.rgb()?;
    let [width, height] = shrunk([pixels.width, pixels.height], side).map(|v| v as u32);
    if (width, height) != image.dimensions() {
        image = imageops::thumbnail(&image, width, height);
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&image).ok()?;
    Some(EncodedImage::new(bytes).with_media_type(MediaType::jpeg()))
}

/// A map of values; `None` if the sizes do not fit together. Depth keeps its numbers, for a viewer to color and to
/// measure in; others are colored here.
pub(super) fn map(
    role: MapRole,
    size: [usize; 2],
    values: &[f32],
    side: usize,
) -> Option<Box<dyn AsComponents>> {
    if size[0].checked_mul(size[1])? != values.len() || values.is_empty() {
        return None;
    }
    let small = shrunk(size, side);
    let values = nearest(values, size, small);
    match role {
        MapRole::Depth => depth(&values, small).map(|depth| Box::new(depth) as _),
        MapRole::Score | MapRole::Saliency => {
            let pixel = |v: &f32| if v.is_nan() { [0; 3] } else { viridis(*v) };
            let data: Vec<u8> = values.iter().flat_map(pixel).collect();
            let [width, height] = small;
            let image = encode(&Pixels { width, height, channels: 3, data: &data }, side);
            image.map(|image| Box::new(image) as _)
        }
    }
}

/// 16-bit depth with 0 where there is nothing, its range chosen without the outermost hundredths.
fn depth(values: &[f32], [width, height]: [usize; 2]) -> Option<DepthImage> {
    let mut seen: Vec<f32> = values.iter().copied().filter(|v| v.is_finite() && *v > 0.0).collect();
    seen.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| seen.get(((seen.len().max(1) - 1) as f64 * share) as usize).copied();
    let (near, far) = (at(0.01).unwrap_or(0.0), at(0.99).unwrap_or(1.0));
    let meter = f64::from(u16::MAX - 1) / f64::from(at(1.0).unwrap_or(1.0)).max(1e-9);
    let quantise = |v: &f32| {
        if v.is_finite() && *v > 0.0 { (f64::from(*v) * meter).round().max(1.0) as u16 } else { 0 }
    };
    let bytes: Vec<u8> = values.iter().flat_map(|v| quantise(v).to_le_bytes()).collect();
    let size = [u32::try_from(width).ok()?, u32::try_from(height).ok()?];
    // A flat depth would have an empty range.
    let range = [f64::from(near), f64::from(far).max(f64::from(near) * (1.0 + 1e-6) + 1e-9)];
    let image = DepthImage::from_data_type_and_bytes(bytes, size, ChannelDatatype::U16);
    let image = image.with_meter(meter as f32).with_colormap(Colormap::Turbo);
    Some(image.with_depth_range(range.map(|v| v * meter)))
}

/// The values nearest to the pixels of a smaller picture.
pub(super) fn nearest<T: Copy>(values: &[T], [w, h]: [usize; 2], [width, height]: [usize; 2]) -> Vec<T> {
    let row = |y: usize| (2 * y + 1) * h / (2 * height);
    let column = |x: usize| (2 * x + 1) * w / (2 * width);
    (0..height).flat_map(|y| (0..width).map(move |x| values[row(y) * w + column(x)])).collect()
}

/// Matplotlib's viridis of a value from 0 to 1, as the polynomial of degree 6 that fits it.
pub(super) fn viridis(value: f32) -> [u8; 3] {
    const C: [[f64; 3]; 7] = [
        [0.277_727, 0.005_407, 0.334_100],
        [0.105_093, 1.404_613, 1.384_590],
        [-0.330_862, 0.214_848, 0.095_095],
        [-4.634_230, -5.799_101, -19.332_441],
        [6.228_270, 14.179_933, 56.690_553],
        [4.776_385, -13.745_145, -65.353_033],
        [-5.435_456, 4.645_853, 26.312_435],
    ];
    let t = f64::from(value.clamp(0.0, 1.0));
    let polynomial = |c: usize| C.iter().rev().fold(0.0, |sum, row| sum * t + row[c]);
    [0, 1, 2].map(|c| (polynomial(c) * 255.0).round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rerun::Loggable;

    #[test]
    fn sizes_shrink_in_shape_and_never_to_nothing() {
        assert_eq!(shrunk([100, 50], 320), [100, 50]);
        assert_eq!(shrunk([1920, 1080], 320), [320, 180]);
        assert_eq!(shrunk([10_000, 1], 320), [320, 1]);
    }

    #[test]
    fn what_is_transparent_is_white_and_what_does_not_fit_is_no_picture() {
        let data = [255, 0, 0, 255, 0, 0, 0, 0];
        let rgba = Pixels { width: 2, height: 1, channels: 4, data: &data };
        let image = rgba.rgb().unwrap();
        assert_eq!(image.as_raw()[..], [255, 0, 0, 255, 255, 255]);
        for (width, height, channels) in [(3, 1, 4), (2, 1, 3), (usize::MAX, 2, 4), (0, 0, 4), (4, 1, 2)] {
            assert!(Pixels { width, height, channels, data: &data }.rgb().is_none(), "{width} {channels}");
        }
    }

    #[test]
    fn pictures_are_jpegs_of_the_size_asked_for() {
        let data = vec![200; 640 * 480];
        let picture = encode(&Pixels { width: 640, height: 480, channels: 1, data: &data }, 320).unwrap();
        let blob = picture.blob.unwrap();
        let bytes = rerun::components::Blob::from_arrow(&blob.array).unwrap();
        let decoded = image::load_from_memory(&bytes[0]).unwrap();
        assert_eq!((decoded.width(), decoded.height()), (320, 240));
    }

    #[test]
    fn nearest_takes_the_middle_of_each_block() {
        let values: Vec<u16> = (0..36).collect();
        assert_eq!(nearest(&values, [6, 6], [2, 2]), [7, 10, 25, 28]);
        assert_eq!(nearest(&values, [6, 6], [6, 6]), values);
    }

    #[test]
    fn viridis_goes_from_purple_over_teal_to_yellow() {
        let close = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 6);
        assert!(close(viridis(0.0), [68, 1, 84]), "{:?}", viridis(0.0));
        assert!(close(viridis(0.5), [33, 145, 140]), "{:?}", viridis(0.5));
        assert!(close(viridis(1.0), [253, 231, 37]), "{:?}", viridis(1.0));
        assert_eq!(viridis(7.0), viridis(1.0));
    }

    #[test]
    fn a_map_without_values_or_of_the_wrong_size_is_left_out() {
        assert!(map(MapRole::Depth, [2, 2], &[1.0; 3], 64).is_none());
        assert!(map(MapRole::Score, [0, 0], &[], 64).is_none());
        assert!(map(MapRole::Depth, [2, 2], &[f32::NAN; 4], 64).is_some(), "an empty view is a view");
    }
}
