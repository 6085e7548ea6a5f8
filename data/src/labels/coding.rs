//! Decoding: the class of each value, a number or a color, that a mask's file stores.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ndarray::Array2;

use super::mask::{MaskPixels, RawMask};
use super::{IGNORE, LabelError};

/// The class of each number and color in a mask's file. Gray and palette masks are decoded by their numbers where these
/// are known, color masks by their colors. If only the other kind is known, palettes are decoded by their colors, and
/// grays are taken as ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coding {
    /// By number; any other is an error.
    ids: BTreeMap<u16, u8>,
    /// By color; any other is an error.
    colors: BTreeMap<[u8; 3], u8>,
}

/// The stored value of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MaskValue {
    Id(u16),
    Color([u8; 3]),
}

impl fmt::Display for MaskValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "id {id}"),
            Self::Color([r, g, b]) => write!(f, "color ({r}, {g}, {b})"),
        }
    }
}

/// Distinct values that are counted one by one: a file with more is a photo or a resampled mask.
const MOST_VALUES: usize = 4096;

impl Coding {
    /// Numbers `0..classes`, and 255 for ignored pixels.
    pub fn numbers(classes: usize) -> Self {
        let ids = (0..classes).map(|class| (class as u16, class as u8));
        Self::ids(ids.chain([(u16::from(IGNORE), IGNORE)]))
    }

    /// These numbers and their classes, or [`IGNORE`].
    pub fn ids(ids: impl IntoIterator<Item = (u16, u8)>) -> Self {
        Self { ids: ids.into_iter().collect(), colors: BTreeMap::new() }
    }

    /// The same, and these colors.
    pub fn with_colors(self, colors: impl IntoIterator<Item = ([u8; 3], u8)>) -> Self {
        Self { colors: colors.into_iter().collect(), ..self }
    }

    /// The class of a value.
    pub fn class(&self, value: MaskValue) -> Option<u8> {
        match value {
            MaskValue::Id(id) => self.ids.get(&id).copied(),
            MaskValue::Color(color) => self.colors.get(&color).copied(),
        }
    }

    /// The number that stands for a class, if one does.
    pub fn id_of(&self, class: u8) -> Option<u16> {
        self.ids.iter().find(|(_, c)| **c == class).map(|(id, _)| *id)
    }

    /// Each pixel's value, as this coding understands the file.
    fn values<'a>(&'a self, mask: &'a RawMask) -> Box<dyn Iterator<Item = MaskValue> + 'a> {
        let by_id = !self.ids.is_empty();
        match &mask.pixels {
            MaskPixels::Grey(values) if by_id => Box::new(values.iter().map(|&id| MaskValue::Id(id))),
            // A palette's gray of more than 8 bits is no color.
            MaskPixels::Grey(values) => Box::new(values.iter().map(|&v| match u8::try_from(v) {
                Ok(v) => MaskValue::Color([v; 3]),
                Err(_) => MaskValue::Id(v),
            })),
            MaskPixels::Indexed(indices, _) if by_id => Box::new(indices.iter().map(|&id| MaskValue::Id(id))),
            MaskPixels::Indexed(indices, palette) => Box::new(indices.iter().map(|&id| {
                palette.get(usize::from(id)).map_or(MaskValue::Id(id), |&color| MaskValue::Color(color))
            })),
            MaskPixels::Colors(colors) if self.colors.is_empty() => {
                Box::new(colors.iter().map(|&[r, g, b]| {
                    if r == g && g == b { MaskValue::Id(u16::from(r)) } else { MaskValue::Color([r, g, b]) }
                }))
            }
            MaskPixels::Colors(colors) => Box::new(colors.iter().map(|&color| MaskValue::Color(color))),
        }
    }

    /// The mask's classes, rows from the top.
    ///
    /// # Errors
    /// [`LabelError::Value`] at the first pixel that is neither a class nor ignored.
    pub fn decode(&self, mask: &RawMask, path: &Path) -> Result<Array2<u8>, LabelError> {
        let (width, height) = (mask.width as usize, mask.height as usize);
        let mut labels = Vec::with_capacity(width * height);
        // Neighboring pixels mostly have the same value.
        let mut last: Option<(MaskValue, u8)> = None;
        for (at, value) in self.values(mask).enumerate() {
            let class = match last {
                Some((known, class)) if known == value => class,
                _ => self.class(value).ok_or_else(|| LabelError::Value {
                    path: path.to_owned(),
                    value: value.to_string(),
                    x: at % width,
                    y: at / width,
                    known: self.known(value),
                })?,
            };
            last = Some((value, class));
            labels.push(class);
        }
        let expected = width * height;
        let found = labels.len();
        Array2::from_shape_vec((height, width), labels).map_err(|_| LabelError::Mask {
            path: path.to_owned(),
            what: format!("{found} pixels instead of {expected}"),
            remedy: "copy it again",
        })
    }

    /// How many pixels have each value; those beyond the first few thousand values are left out.
    pub fn tally(&self, mask: &RawMask) -> BTreeMap<MaskValue, u64> {
        let mut counts = BTreeMap::new();
        let mut add = |value: MaskValue, count: u64| {
            if counts.len() < MOST_VALUES || counts.contains_key(&value) {
                *counts.entry(value).or_insert(0) += count;
            }
        };
        let mut run: Option<(MaskValue, u64)> = None;
        for value in self.values(mask) {
            match &mut run {
                Some((known, count)) if *known == value => *count += 1,
                _ => {
                    if let Some((known, count)) = run.replace((value, 1)) {
                        add(known, count);
                    }
                }
            }
        }
        if let Some((value, count)) = run {
            add(value, count);
        }
        counts
    }

    /// Which values are known instead, and what to do.
    fn known(&self, value: MaskValue) -> String {
        match value {
            MaskValue::Id(id) if self.ids.is_empty() => {
                format!("the classes have colors only: give each its `id` in classes.json, one of them {id}")
            }
            MaskValue::Color(_) if self.colors.is_empty() => {
                "no colors are known: give each class its `color` in classes.json, or save class numbers as gray"
                    .to_owned()
            }
            MaskValue::Id(_) => format!(
                "known ids are {}; does the class file belong to these masks?",
                ranges(self.ids.iter().map(|(id, class)| (*id, *class == IGNORE)))
            ),
            MaskValue::Color(_) => {
                let count = self.colors.len();
                format!("{count} colors are known; was the mask resized or compressed, or does it have other classes?")
            }
        }
    }
}

/// Ranges of numbers as text: `0 to 10, 255 (ignored)`.
fn ranges(ids: impl Iterator<Item = (u16, bool)>) -> String {
    let mut runs: Vec<(u16, u16, bool)> = Vec::new();
    for (id, ignored) in ids {
        match runs.last_mut() {
            Some((_, last, same)) if *last + 1 == id && *same == ignored => *last = id,
            _ => runs.push((id, id, ignored)),
        }
    }
    let text = |&(first, last, ignored): &(u16, u16, bool)| {
        let ids = if first == last { first.to_string() } else { format!("{first} to {last}") };
        if ignored { format!("{ids} (ignored)") } else { ids }
    };
    runs.iter().map(text).collect::<Vec<_>>().join(", ")
}
