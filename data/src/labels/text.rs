//! Drawing text and rectangles into pictures, in Noto Sans Mono at 16 pixels.
use ndarray::Array3;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// Height of a line, in pixels.
pub(super) const LINE: usize = 16;
const WEIGHT: FontWeight = FontWeight::Regular;
const HEIGHT: RasterHeight = RasterHeight::Size16;

/// Black on white.
pub(super) const INK: [u8; 3] = [30, 30, 30];
/// Gray, for less important text.
pub(super) const FAINT: [u8; 3] = [150, 150, 150];

/// Which way text runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextDirection {
    /// To the right.
    Right,
    /// Upwards.
    Up,
}

/// Length of a text, in pixels.
pub(super) fn length(text: &str) -> usize {
    text.chars().count() * get_raster_width(WEIGHT, HEIGHT)
}

/// The text cut to at most `most` characters, the last two being dots if it was cut.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(2)).chain("..".chars()).collect()
}

/// Writes a text whose upper left corner (lower left if it runs upwards) is at row y and column x. What lies outside the
/// picture is cut off; characters that the font does not have become question marks.
pub(super) fn write(
    picture: &mut Array3<u8>,
    [y, x]: [usize; 2],
    run: TextDirection,
    ink: [u8; 3],
    text: &str,
) {
    let advance = get_raster_width(WEIGHT, HEIGHT);
    for (i, c) in text.chars().enumerate() {
        let Some(glyph) = get_raster(c, WEIGHT, HEIGHT).or_else(|| get_raster('?', WEIGHT, HEIGHT)) else {
            continue;
        };
        for (row, line) in glyph.rows().enumerate() {
            for (column, &strength) in line.iter().enumerate().filter(|(_, strength)| **strength > 0) {
                let along = i * advance + column;
                let place = match run {
                    TextDirection::Right => Some([y + row, x + along]),
                    TextDirection::Up => y.checked_sub(along).map(|y| [y, x + row]),
                };
                let Some([y, x]) = place else { continue };
                for (channel, ink) in ink.into_iter().enumerate() {
                    if let Some(value) = picture.get_mut([y, x, channel]) {
                        let share = f32::from(strength) / 255.0;
                        *value = (f32::from(*value) * (1.0 - share) + f32::from(ink) * share).round() as u8;
                    }
                }
            }
        }
    }
}

/// Fills a rectangle whose upper left corner is at row y and column x, as far as it lies in the picture.
pub(super) fn fill(
    picture: &mut Array3<u8>,
    [y, x]: [usize; 2],
    [rows, columns]: [usize; 2],
    color: [u8; 3],
) {
    let (height, width, _) = picture.dim();
    for y in y..(y + rows).min(height) {
        for x in x..(x + columns).min(width) {
            (0..3).for_each(|channel| picture[[y, x, channel]] = color[channel]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inked(picture: &Array3<u8>) -> Vec<[usize; 2]> {
        let (height, width, _) = picture.dim();
        let all = (0..height).flat_map(|y| (0..width).map(move |x| [y, x]));
        all.filter(|[y, x]| picture[[*y, *x, 0]] < 128).collect()
    }

    #[test]
    fn words_are_turned_and_cut_at_the_border() {
        let white = Array3::from_elem((40, 40, 3), 255u8);
        let (mut right, mut up) = (white.clone(), white.clone());
        write(&mut right, [0, 0], TextDirection::Right, INK, "L");
        write(&mut up, [39, 0], TextDirection::Up, INK, "L");
        let mut turned: Vec<[usize; 2]> = inked(&right).iter().map(|[y, x]| [39 - x, *y]).collect();
        turned.sort_unstable();
        assert!(!turned.is_empty());
        assert_eq!(inked(&up), turned);
        let mut over = white.clone();
        write(&mut over, [30, 35], TextDirection::Right, INK, "wide and low");
        write(&mut over, [5, 2], TextDirection::Up, INK, "high");
        assert!(!inked(&over).is_empty());
    }

    #[test]
    fn what_the_font_lacks_is_a_question_mark() {
        let white = Array3::from_elem((16, 40, 3), 255u8);
        let (mut lacks, mut mark) = (white.clone(), white);
        write(&mut lacks, [0, 0], TextDirection::Right, INK, "\u{6728}");
        write(&mut mark, [0, 0], TextDirection::Right, INK, "?");
        assert_eq!(lacks, mark);
        assert_eq!(
            (shortened("pavement", 8), shortened("pavements", 8)),
            ("pavement".into(), "paveme..".into())
        );
    }
}
