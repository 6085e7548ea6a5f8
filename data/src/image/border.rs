//! The plain color around pictures: a rendering's background, a cut-out on white.
//!
//! What is plain is the same to the last level but for a JPEG's rounding, along most of the border: walls, skies and dark
//! corners of photographs have gradients or noise.

use super::{Image8, Mask};

/// Levels by which a JPEG disturbs what was one color: its blocks of 8 x 8 pixels without an edge in them are flat still.
const NOISE: u8 = 1;
/// Levels between one JPEG's color and another's.
const ACROSS: u8 = 3;
/// Share of the border that has the color, and of each of three sides: what a picture is of may touch its edges, and
/// black bars above and below are no background.
const BORDER: f64 = 0.6;
const SIDE: f64 = 0.5;
/// Share of the pictures that are surrounded by it.
const PICTURES: f64 = 0.95;
/// Levels by which something in a picture differs from what surrounds it.
const SOMETHING: u8 = 16;

/// What a picture is surrounded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Surround {
    /// The color that is most of its border.
    pub color: [u8; 3],
    /// Whether there is anything else in it.
    pub shows_something: bool,
}

impl Image8 {
    /// The plain color that surrounds an opaque picture, as far as its mask leaves the border.
    pub(crate) fn surround(&self, mask: Option<&Mask>) -> Option<Surround> {
        if !self.is_opaque() {
            return None;
        }
        let (right, bottom) = (self.width - 1, self.height - 1);
        let color = |(x, y): (u32, u32)| {
            let counts = mask.is_none_or(|mask| mask.counts(x, y));
            counts.then(|| self.pixel(x, y)).map(|[r, g, b, _]| [r, g, b])
        };
        let rows = |y| (0..self.width).filter_map(|x| color((x, y))).collect::<Vec<_>>();
        let columns = |x| (0..self.height).filter_map(|y| color((x, y))).collect::<Vec<_>>();
        let sides = [rows(0), rows(bottom), columns(0), columns(right)];
        let all = sides.concat();
        if (all.len() as u64) < u64::from(self.width) + u64::from(self.height) {
            return None;
        }
        // The middle value of each channel is the color where that is most of the border.
        let median = |c: usize| {
            let mut values: Vec<u8> = all.iter().map(|p| p[c]).collect();
            values.sort_unstable();
            values[values.len() / 2]
        };
        let color = [median(0), median(1), median(2)];
        let share = |pixels: &[[u8; 3]]| {
            let plain = pixels.iter().filter(|p| is_near(**p, color, NOISE)).count();
            plain as f64 / pixels.len().max(1) as f64
        };
        let plain_sides = sides.iter().filter(|side| share(side) >= SIDE).count();
        if share(&all) < BORDER || plain_sides < 3 {
            return None;
        }
        let pixels = self.data.chunks_exact(usize::from(self.channels));
        let shows_something = pixels.into_iter().any(|p| !is_near([p[0], p[1], p[2]], color, SOMETHING));
        Some(Surround { color, shows_something })
    }
}

fn is_near(a: [u8; 3], b: [u8; 3], most: u8) -> bool {
    (0..3).all(|c| a[c].abs_diff(b[c]) <= most)
}

/// The one color that surrounds nearly all of these pictures, in at least two of which there is something else.
pub(crate) fn plain_color(surrounds: &[Option<Surround>]) -> Option<[u8; 3]> {
    let known: Vec<&Surround> = surrounds.iter().flatten().collect();
    let mut colors: Vec<[u8; 3]> = known.iter().map(|s| s.color).collect();
    colors.sort_unstable();
    let color = *colors.get(colors.len() / 2)?;
    let same = known.iter().filter(|s| is_near(s.color, color, ACROSS));
    let (same, showing) =
        same.fold((0, 0), |(same, showing), s| (same + 1, showing + usize::from(s.shows_something)));
    (f64::from(same) >= PICTURES * surrounds.len() as f64 && showing >= 2).then_some(color)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SIDE: u32 = 64;

    /// Noise of so many levels, by place and picture.
    fn noise(x: u32, y: u32, picture: u32, levels: u32) -> i32 {
        let mut h =
            x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ picture.wrapping_mul(0xc2b2_ae3d);
        h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
        h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
        ((h >> 8) % (2 * levels + 1)) as i32 - levels as i32
    }

    fn pictures(pixel: impl Fn(u32, u32, u32) -> [i32; 3]) -> Vec<::image::RgbImage> {
        let value = |x, y, picture| ::image::Rgb(pixel(x, y, picture).map(|v| v.clamp(0, 255) as u8));
        (0..20).map(|i| ::image::RgbImage::from_fn(SIDE, SIDE, |x, y| value(x, y, i))).collect()
    }

    fn found(pictures: &[::image::RgbImage]) -> Option<[u8; 3]> {
        let surround = |picture: &::image::RgbImage| {
            Image8::new(SIDE, SIDE, 3, picture.as_raw().clone()).unwrap().surround(None)
        };
        plain_color(&pictures.iter().map(surround).collect::<Vec<_>>())
    }

    fn as_jpeg(pictures: &[::image::RgbImage], quality: u8) -> Vec<::image::RgbImage> {
        let recoded = |picture: &::image::RgbImage| {
            let mut bytes = Vec::new();
            let encoder = ::image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
            picture.write_with_encoder(encoder).unwrap();
            ::image::load_from_memory(&bytes).unwrap().into_rgb8()
        };
        pictures.iter().map(recoded).collect()
    }

    /// A textured ball before one color; picture 3 shows it so large that it covers a side and more.
    fn ball(color: [i32; 3]) -> Vec<::image::RgbImage> {
        pictures(|x, y, picture| {
            let (dx, dy) = (x as i32 - 30 - (picture % 5) as i32, y as i32 - 34);
            let radius = if picture == 3 { 45 } else { 20 + (picture % 7) as i32 };
            let inside = dx * dx + dy * dy < radius * radius;
            if inside { [120 + noise(x / 3, y / 3, 0, 90), 60 + dx, 80 + dy] } else { color }
        })
    }

    #[test]
    fn one_color_around_nearly_all_is_found_whatever_a_jpeg_does_to_it() {
        for color in [[255; 3], [0; 3], [128, 140, 30]] {
            let balls = ball(color);
            let want = color.map(|c| c as u8);
            assert_eq!(found(&balls), Some(want));
            for quality in [95, 80, 50] {
                let color = found(&as_jpeg(&balls, quality)).unwrap();
                assert!(is_near(color, want, ACROSS), "{quality}: {color:?}");
            }
        }
        let mut mixed = ball([255; 3]);
        mixed.truncate(17);
        mixed.extend(ball([0; 3]).drain(..3));
        assert_eq!(found(&mixed), None, "not in nearly all");
    }

    #[test]
    fn photographs_of_rooms_have_no_background() {
        let wall = |x: u32, y: u32, picture: u32| {
            // Light falls off across the wall, and every view sees another part of it.
            let light = 235 - (x as i32 + 3 * (picture as i32 % 9)) / 4 - y as i32 / 8;
            let thing = (24..40).contains(&x) && y > 30;
            if thing {
                [90, 40 + y as i32, 30]
            } else {
                [light, light, light - 6].map(|v| v + noise(x, y, picture, 2))
            }
        };
        let dark = |x: u32, y: u32, picture: u32| {
            let lamp = 140 - 6 * (x as i32 - 32).pow(2).min(30) - 2 * (y as i32 - 20).abs();
            [0, 1, 2].map(|c| (7 + lamp.max(0) + noise(3 * x + c, y, picture, 6)).max(0))
        };
        let grass = |x: u32, y: u32, picture: u32| [0, 1, 2].map(|c| 100 + noise(3 * x + c, y, picture, 60));
        let bars = |x: u32, y: u32, picture: u32| {
            if !(8..56).contains(&y) { [0; 3] } else { grass(x, y, picture) }
        };
        let one_color = |_: u32, _: u32, _: u32| [255; 3];
        for (what, room) in [
            ("a white wall", &wall as &dyn Fn(u32, u32, u32) -> [i32; 3]),
            ("a dark room", &dark),
            ("grass", &grass),
            ("bars above and below", &bars),
            ("nothing but white", &one_color),
        ] {
            let pictures = pictures(room);
            assert_eq!(found(&pictures), None, "{what}");
            assert_eq!(found(&as_jpeg(&pictures, 90)), None, "{what}, as JPEG");
        }
    }

    #[test]
    fn what_is_transparent_or_masked_has_no_say() {
        let data: Vec<u8> = ball([255; 3])[0].pixels().flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        let opaque = Image8::new(SIDE, SIDE, 4, data.clone()).unwrap();
        assert_eq!(opaque.surround(None).map(|s| s.color), Some([255; 3]), "its alpha says nothing");
        let counts = |edge: u32| {
            let inner = edge..SIDE - edge;
            let all = (0..SIDE * SIDE).map(|i| inner.contains(&(i % SIDE)) && inner.contains(&(i / SIDE)));
            Mask::new(SIDE, SIDE, all.collect::<Vec<bool>>()).unwrap()
        };
        assert!(opaque.surround(Some(&counts(0))).is_some());
        assert_eq!(opaque.surround(Some(&counts(1))), None);
        let mut data = data;
        data[3] = 0;
        assert_eq!(Image8::new(SIDE, SIDE, 4, data).unwrap().surround(None), None);
    }
}
