//! A confusion matrix as a picture.
use ndarray::Array3;

use super::Class;
use super::text::{FAINT, INK, LINE, TextDirection, fill, length, shortened, write};

/// Space between elements, in pixels.
const GAP: usize = 10;
/// Side of a class's color beside its name.
const SWATCH: usize = 12;
/// Characters of a name.
const LONGEST: usize = 24;
/// A row without pixels.
const ABSENT: [u8; 3] = [238, 238, 238];
const LINES: [u8; 3] = [222, 222, 222];
const TITLE: &str = "rows: true class   columns: predicted class   in %";

/// Draws a row for each true class and a column for each predicted one. A cell is the darker, the larger its share of
/// the row; shares of at least one half are written into it in percent where they fit. Rows of classes that do not occur
/// are gray. `counts` are pixels, row after row; missing ones are zero.
#[must_use]
pub fn confusion(counts: &[u64], classes: &[Class]) -> Array3<u8> {
    let n = classes.len();
    let side = match n {
        ..=16 => 46,
        17..=40 => 32,
        _ => 18,
    };
    let names: Vec<String> = classes.iter().map(|class| shortened(&class.name, LONGEST)).collect();
    let widest = names.iter().map(|name| length(name)).max().unwrap_or(0);
    // Names, colors, cells; above the cells the title.
    let margin = GAP + widest + GAP + SWATCH + GAP;
    let top = GAP + LINE + margin;
    let (height, width) = (top + n * side + GAP, margin + n * side + GAP);
    let mut picture = Array3::from_elem((height, width.max(length(TITLE) + 2 * GAP), 3), 255);
    write(&mut picture, [GAP, GAP], TextDirection::Right, INK, TITLE);
    for (i, (class, name)) in classes.iter().zip(&names).enumerate() {
        let row = counts.get(i * n..(i + 1) * n).unwrap_or_default();
        let total: u64 = row.iter().sum();
        let ink = if total == 0 { FAINT } else { INK };
        let (along, middle) = (i * side, |size: usize| (side.saturating_sub(size)) / 2);
        let x = margin - GAP - SWATCH;
        write(
            &mut picture,
            [top + along + middle(LINE), x - GAP - length(name)],
            TextDirection::Right,
            ink,
            name,
        );
        fill(&mut picture, [top + along + middle(SWATCH), x], [SWATCH; 2], class.color);
        let y = top - GAP - SWATCH;
        fill(&mut picture, [y, margin + along + middle(SWATCH)], [SWATCH; 2], class.color);
        write(&mut picture, [y - GAP, margin + along + middle(LINE)], TextDirection::Up, INK, name);
        for j in 0..n {
            let count = row.get(j).copied().unwrap_or(0);
            let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
            let at = [top + along, margin + j * side];
            fill(&mut picture, at, [side; 2], LINES);
            let color = if total == 0 { ABSENT } else { shade(share) };
            fill(&mut picture, at, [side - 1; 2], color);
            let text = format!("{:.0}", 100.0 * share);
            if share >= 0.005 && length(&text) + 2 < side {
                let ink = if share > 0.45 { [255; 3] } else { INK };
                let place = [at[0] + middle(LINE), at[1] + middle(length(&text))];
                write(&mut picture, place, TextDirection::Right, ink, &text);
            }
        }
    }
    picture
}

/// From white to a dark blue; small shares can still be seen.
fn shade(share: f64) -> [u8; 3] {
    let (dark, depth) = ([8.0, 48.0, 107.0], share.clamp(0.0, 1.0).sqrt());
    let depth = 0.5 * (depth + share);
    dark.map(|value: f64| (255.0 + (value - 255.0) * depth).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(n: usize) -> Vec<Class> {
        (0..n).map(|i| Class { name: format!("class {i}"), color: [i as u8, 100, 200] }).collect()
    }

    /// The color in a corner of every cell, row after row.
    fn corners(picture: &Array3<u8>, n: usize, side: usize) -> Vec<[u8; 3]> {
        let (height, width) = (picture.dim().0 - GAP, length("class 0") + 3 * GAP + SWATCH);
        let cell = |i: usize, j: usize| [height - (n - i) * side + 1, width + j * side + 1];
        let all = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
        all.map(|(i, j)| [0, 1, 2].map(|c| picture[[cell(i, j)[0], cell(i, j)[1], c]])).collect()
    }

    #[test]
    fn cells_are_as_dark_as_their_share_of_the_row() {
        let picture = confusion(&[30, 10, 0, 0, 7, 0, 0, 0, 0], &classes(3));
        let cells = corners(&picture, 3, 46);
        assert_eq!(cells[..3], [shade(0.75), shade(0.25), shade(0.0)]);
        assert_eq!(cells[3..6], [[255; 3], [8, 48, 107], [255; 3]]);
        assert_eq!(cells[6..], [ABSENT; 3], "no pixel has this class");
    }

    #[test]
    fn any_number_of_classes_and_counts_is_drawn() {
        for n in [1, 2, 17, 41, 255] {
            let picture = confusion(&vec![3; n * n], &classes(n));
            assert!(picture.dim().0 > n * 18 && picture.dim().1 > n * 18);
        }
        assert!(confusion(&[], &classes(2)).iter().any(|value| *value != 255));
        assert!(confusion(&[1], &[]).iter().any(|value| *value < 128), "the title alone");
    }
}
