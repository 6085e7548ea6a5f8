//! Class files: names, colors and numbers of classes.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::coding::Coding;
use super::files::read_text;
use super::voc::color_map;
use super::{Class, IGNORE, LabelError, MAX_CLASSES};

/// A class as a file states it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassEntry {
    pub name: String,
    #[serde(default)]
    pub id: Option<u16>,
    #[serde(default, alias = "colour")]
    pub color: Option<[u8; 3]>,
    /// Its pixels are left out of training and evaluation.
    #[serde(default)]
    pub ignore: bool,
}

/// The names of class files, in the order in which they are looked for.
pub(super) const FILES: [&str; 6] =
    ["classes.json", "classes.txt", "labels.json", "class_dict.csv", "label_colors.txt", "codes.txt"];

/// The first class file in a folder.
pub(super) fn find(folder: &Path) -> Option<PathBuf> {
    FILES.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Reads a class file of any of the kinds.
pub(super) fn read(path: &Path) -> Result<Vec<ClassEntry>, LabelError> {
    let text = read_text(path)?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let entries = match extension.as_str() {
        "json" => json(path, &text)?,
        "csv" => csv(path, &text)?,
        _ => lines(path, &text)?,
    };
    let count = entries.iter().filter(|entry| !entry.ignore).count();
    if count == 0 || count > MAX_CLASSES {
        return Err(LabelError::Classes { path: path.to_owned(), count });
    }
    unique(path, &entries)?;
    Ok(entries)
}

fn file_error(path: &Path, place: String, what: String, remedy: &'static str) -> LabelError {
    LabelError::File { path: path.to_owned(), place, what, remedy }
}

/// A list of names or of entries, or an object with such a list in `classes`.
fn json(path: &Path, text: &str) -> Result<Vec<ClassEntry>, LabelError> {
    const REMEDY: &str = "write [{\"name\": \"road\", \"id\": 0, \"color\": [128, 64, 128]}, ...]; id, color and ignore \
                          may be left out";
    let json: Value = serde_json::from_str(text)
        .map_err(|e| file_error(path, format!("line {}", e.line()), format!("not JSON ({e})"), REMEDY))?;
    let list = match &json {
        Value::Object(object) => object.get("classes").and_then(Value::as_array),
        other => other.as_array(),
    };
    let list = list.ok_or_else(|| file_error(path, "classes".to_owned(), "not a list".to_owned(), REMEDY))?;
    let read = |(i, item): (usize, &Value)| match item {
        Value::String(name) => Ok(entry(name, None)),
        item => ClassEntry::deserialize(item)
            .map_err(|e| file_error(path, format!("classes[{i}]"), format!("not a class ({e})"), REMEDY)),
    };
    list.iter().enumerate().map(read).collect()
}

/// `name,r,g,b`, after a header.
fn csv(path: &Path, text: &str) -> Result<Vec<ClassEntry>, LabelError> {
    let rows = text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(i, line)| {
        let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        match (fields.first(), parse_color(fields.get(1..4).unwrap_or_default())) {
            (Some(name), Some(color)) if !name.is_empty() => Ok(entry(name, Some(color))),
            _ => Err(file_error(
                path,
                format!("line {}", i + 1),
                format!("`{line}` is not a class"),
                "write name,r,g,b with colors from 0 to 255",
            )),
        }
    })
    .collect()
}

/// One name per line; three numbers before or after it are its color.
fn lines(path: &Path, text: &str) -> Result<Vec<ClassEntry>, LabelError> {
    let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(i, line)| {
        let words: Vec<&str> = line.split([' ', '\t', ',']).filter(|word| !word.is_empty()).collect();
        let all_numbers = |words: &[&str]| words.iter().all(|word| word.parse::<i64>().is_ok());
        let (name, numbers) = match words.as_slice() {
            [first @ .., r, g, b] if !first.is_empty() && all_numbers(&[r, g, b]) => (first, [*r, *g, *b]),
            [r, g, b, rest @ ..] if !rest.is_empty() && all_numbers(&[r, g, b]) => (rest, [*r, *g, *b]),
            _ => return Ok(entry(line.trim(), None)),
        };
        let color = parse_color(&numbers).ok_or_else(|| {
            file_error(
                path,
                format!("line {}", i + 1),
                format!("`{}` is not a color", numbers.join(" ")),
                "write three numbers from 0 to 255",
            )
        })?;
        Ok(entry(&name.join(" "), Some(color)))
    })
    .collect()
}

fn entry(name: &str, color: Option<[u8; 3]>) -> ClassEntry {
    ClassEntry { name: name.to_owned(), id: None, color, ignore: false }
}

fn parse_color(fields: &[&str]) -> Option<[u8; 3]> {
    let values: Vec<u8> = fields.iter().filter_map(|field| field.parse().ok()).collect();
    values.try_into().ok()
}

/// Refuses two classes of the same name, color or id.
fn unique(path: &Path, entries: &[ClassEntry]) -> Result<(), LabelError> {
    for (i, b) in entries.iter().enumerate() {
        for a in &entries[..i] {
            let shared = if a.name == b.name {
                Some(format!("two classes are called {}", b.name))
            } else if a.color.is_some() && a.color == b.color {
                Some(format!("{} and {} have the same color", a.name, b.name))
            } else if a.id.is_some() && a.id == b.id {
                Some(format!("{} and {} have the same id", a.name, b.name))
            } else {
                None
            };
            if let Some(what) = shared {
                return Err(file_error(path, format!("class {i}"), what, "give each its own"));
            }
        }
    }
    Ok(())
}

/// Classes and coding. Without ids, a class's number in masks is its place in the file, ignored ones counted too;
/// with ids, every class needs one. 255 is ignored unless it is a class's id.
pub(super) fn coded(path: &Path, entries: &[ClassEntry]) -> Result<(Vec<Class>, Coding), LabelError> {
    let with_ids = entries.iter().any(|entry| entry.id.is_some());
    if let Some(entry) = entries.iter().find(|entry| with_ids && entry.id.is_none()) {
        let what = format!("{} has no id, other classes do", entry.name);
        return Err(file_error(path, "id".to_owned(), what, "give every class an id, or none"));
    }
    let mut classes = Vec::new();
    let mut ids = vec![(u16::from(IGNORE), IGNORE)];
    let mut colors = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let number = classes.len() as u8;
        let class = if entry.ignore { IGNORE } else { number };
        ids.push((entry.id.unwrap_or(place as u16), class));
        colors.extend(entry.color.map(|color| (color, class)));
        if !entry.ignore {
            let color = entry.color.unwrap_or_else(|| color_map(number.wrapping_add(1)));
            classes.push(Class { name: entry.name.clone(), color });
        }
    }
    Ok((classes, Coding::ids(ids).with_colors(colors)))
}
