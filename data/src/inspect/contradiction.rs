//! Photographs that contradict each other, said and shown.

use std::path::Path;

use crate::Image8;
use crate::problem::{DataProblem, Severity};
use crate::scene::{Contradiction, Outline, SceneError};
use crate::write::{PixelFormat, write_png};

/// Height in pixels of the picture of two photographs.
const HEIGHT: u32 = 480;

/// The problem, with its groups and a pair of photographs to look at.
pub fn contradiction(outline: &Outline, found: &Contradiction) -> DataProblem {
    let groups: Vec<String> = (0..found.groups.len())
        .map(|group| {
            format!(
                "group {}: {} views, {}",
                group + 1,
                found.groups[group].len(),
                found.names(outline, group)
            )
        })
        .collect();
    let unknown = match found.unknown.len() {
        0 => String::new(),
        count => format!("; of {count} nothing is known"),
    };
    let [a, b] = found.example.map(|view| &outline.views[view]);
    let [distance, angle] = found.apart;
    let groups = match groups.len() {
        0 => String::new(),
        count => format!(
            ": they fall into {count} groups of which each fits together and no two do ({}{unknown})",
            groups.join("; ")
        ),
    };
    let what = format!(
        "the photographs contradict their poses{groups}. By their poses {} and {} are taken {distance:.2} apart and look the same \
         way but for {angle:.1} degrees, and they show different things, as do {} pairs in all",
        a.name, b.name, found.pairs
    );
    let choice = match found.groups.is_empty() {
        true => "train on those that fit together (`--views FILE` with their names)",
        false => "train on one group (`--views 1`)",
    };
    let remedy = format!(
        "structure from motion has laid parts of the capture over each other, as it does where something looks alike from several \
         sides: look at {} and {}; {choice}, or match again without the pairs that look alike",
        a.path.display(),
        b.path.display()
    );
    DataProblem { severity: Severity::Warning, what, remedy }
}

/// The names of each group's views.
pub fn group_names(outline: &Outline, found: &Contradiction) -> Vec<Vec<String>> {
    let name = |view: &usize| outline.views[*view].name.clone();
    found.groups.iter().map(|group| group.iter().map(name).collect()).collect()
}

/// Writes the two photographs that a contradiction names beside each other, as a PNG.
///
/// # Errors
/// If one of them cannot be decoded, or the file cannot be written.
pub fn pair_picture(outline: &Outline, found: &Contradiction, path: &Path) -> Result<(), SceneError> {
    let pictures = found.example.map(|view| outline.views[view].picture());
    let [left, right] = pictures;
    let (left, right) = (small(&left?)?, small(&right?)?);
    let height = left.height().min(right.height());
    let mut data = Vec::new();
    for y in 0..height {
        for picture in [&left, &right] {
            for x in 0..picture.width() {
                let [r, g, b, alpha] = picture.pixel(x, y).map(u32::from);
                let on_white = |v: u32| ((v * alpha + 255 * (255 - alpha)) / 255) as u8;
                data.extend([r, g, b].map(on_white));
            }
        }
    }
    let width = left.width() + right.width();
    write_png(path, width, height, PixelFormat::Rgb, &data)
        .map_err(|error| SceneError::Io { path: path.to_owned(), source: std::io::Error::other(error) })
}

fn small(image: &Image8) -> Result<Image8, SceneError> {
    Ok(image.downscale((image.height() / HEIGHT).max(1).min(image.width()))?)
}
