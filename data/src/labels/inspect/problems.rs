//! What is wrong with a label set, and what to do about it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::SplitReport;
use crate::labels::coding::MaskValue;
use crate::labels::{IGNORE, LabelSet, MAX_CLASSES};
use crate::problem::{DataProblem, Severity, first_few};

/// A larger fraction of ignored pixels is reported.
const MUCH_IGNORED: f64 = 0.5;
/// If this fraction of the first class lies along edges, it is probably not a class.
const OUTLINES: f64 = 0.5;

type Add<'a> = &'a mut dyn FnMut(Severity, String, &str);

/// All problems, the worst first.
pub(super) fn find(set: &LabelSet, splits: &[SplitReport]) -> Vec<DataProblem> {
    let mut problems = Vec::new();
    let mut add = |severity, what: String, remedy: &str| {
        problems.push(DataProblem { severity, what, remedy: remedy.to_owned() });
    };
    for split in splits {
        unreadable(split, &mut add);
        values(set, split, &mut add);
        files(split, &mut add);
        ignored(split, &mut add);
    }
    if let Some(train) = splits.iter().find(|split| split.name == "train") {
        one_class(set, train, &mut add);
    }
    absent(splits, &mut add);
    zero(set, splits, &mut add);
    shared(set, &mut add);
    if set.splits.iter().all(|split| split.name != "train") {
        add(
            Severity::Error,
            "there is no train split".into(),
            "put the images to train on into a folder train, or list them in train.txt",
        );
    }
    if set.held_out().is_none() {
        add(
            Severity::Note,
            "no split is held out, so quality cannot be measured".into(),
            "list some images in val.txt, or put them into a folder val",
        );
    }
    problems.sort_by_key(|problem| problem.severity);
    problems
}

fn unreadable(split: &SplitReport, add: Add) {
    if let Some([_, reason]) = split.damaged.first() {
        let what = match split.damaged.len() {
            1 => format!("{}: an image or its mask cannot be used: {reason}", split.name),
            count => {
                format!("{}: {count} images or masks cannot be used, the first being {reason}", split.name)
            }
        };
        add(Severity::Error, what, "repair them, or remove them from the set");
    }
}

/// Ids and colors that belong to no class; whether the ids are shifted by one.
fn values(set: &LabelSet, split: &SplitReport, add: Add) {
    let Some(first) = split.unknown.first() else { return one_too_many(set, split, add) };
    let count = set.classes.len();
    let zero =
        set.coding.id_of(0) == Some(0) && set.coding.id_of((count - 1) as u8) == Some((count - 1) as u16);
    let beyond = split.unknown.len() == 1 && first.id == Some(count as u16);
    if zero && beyond && split.classes[0].pixels == 0 {
        add(
            Severity::Error,
            format!("{}: ids run from 1 to {count} and are never 0: they seem to count from 1", split.name),
            "subtract 1 from every id, or give the classes ids from 1 in classes.json",
        );
        return;
    }
    let values: Vec<String> = split.unknown.iter().map(|unknown| unknown.value.clone()).collect();
    let remedy = if zero && beyond {
        "if it means unlabeled, give it in classes.json with \"ignore\": true; else add the class"
    } else if first.id.is_none() && split.unknown.len() > MAX_CLASSES {
        "too many colors for labels: was the mask resized with blending, or compressed?"
    } else {
        "add them to the class file, with \"ignore\": true if they are not classes"
    };
    let what = if values.len() == 1 { "a value that belongs to" } else { "values that belong to" };
    let (name, mask) = (&split.name, first.first.display());
    let masks = if first.images == 1 {
        format!("{mask} contains")
    } else {
        format!("{} masks or more, such as {mask}, contain", first.images)
    };
    add(Severity::Error, format!("{name}: {masks} {what} no class: {}", first_few(&values)), remedy);
}

/// Ids `1..K` without 0: they may count from 1 while the class file has one class too many.
fn one_too_many(set: &LabelSet, split: &SplitReport, add: Add) {
    let count = set.classes.len();
    let by_number = set.coding.id_of(0) == Some(0);
    let rest = split.classes.iter().skip(1).all(|class| class.pixels > 0);
    if by_number && count > 2 && split.name == "train" && split.classes[0].pixels == 0 && rest {
        add(
            Severity::Warning,
            format!(
                "{}: every class but the first ({}) occurs: ids may count from 1",
                split.name, split.classes[0].name
            ),
            "compare a mask with its image; if so, subtract 1 from every id or give ids in classes.json",
        );
    }
}

fn files(split: &SplitReport, add: Add) {
    let mut files = |files: &[PathBuf], what: &str, remedy: &str| {
        if !files.is_empty() {
            let names: Vec<String> = files
                .iter()
                .map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
                .collect();
            add(
                Severity::Warning,
                format!("{}: {} {what}: {}", split.name, files.len(), first_few(&names)),
                remedy,
            );
        }
    };
    files(
        &split.missing,
        "listed images do not exist",
        "they are left out; add them or remove them from the list",
    );
    files(&split.unlabelled, "images have no mask", "they are left out; add masks with their names");
    files(&split.unpictured, "masks have no image", "they are left out; add images with their names");
}

fn ignored(split: &SplitReport, add: Add) {
    let share = split.ignored as f64 / split.pixels.max(1) as f64;
    if split.pixels > 0 && split.ignored == split.pixels {
        add(
            // Labels to test on are often withheld.
            if split.name == "test" { Severity::Warning } else { Severity::Error },
            format!("{}: every pixel is ignored", split.name),
            "the labels of this split are withheld, or 255 is a class: give it that id in classes.json",
        );
    } else if share > MUCH_IGNORED {
        add(
            Severity::Warning,
            format!("{}: {:.0}% of the pixels are ignored", split.name, 100.0 * share),
            "if 255 or another ignored value means a class, give it that id in classes.json",
        );
    } else if split.all_ignored > 0 {
        add(
            Severity::Note,
            format!("{}: in {} images every pixel is ignored", split.name, split.all_ignored),
            "they cannot contribute to training; remove them",
        );
    }
}

fn absent(splits: &[SplitReport], add: Add) {
    let names = |split: &SplitReport, keep: &dyn Fn(usize) -> bool| -> Vec<String> {
        let absent = split.classes.iter().enumerate().filter(|(i, class)| class.pixels == 0 && keep(*i));
        absent.map(|(_, class)| class.name.clone()).collect()
    };
    let train = splits.iter().find(|split| split.name == "train");
    if let Some(train) = train {
        let absent = names(train, &|_| true);
        if !absent.is_empty() {
            add(
                Severity::Warning,
                format!(
                    "train: {} of {} classes do not occur: {}",
                    absent.len(),
                    train.classes.len(),
                    first_few(&absent)
                ),
                "they cannot be learned: add images, or remove them from the class file",
            );
        }
    }
    let learnt = |i: usize| train.is_none_or(|train| train.classes[i].pixels > 0);
    for split in splits.iter().filter(|split| split.name != "train" && split.ignored < split.pixels) {
        let absent = names(split, &learnt);
        if !absent.is_empty() {
            add(
                Severity::Note,
                format!("{}: {} classes do not occur: {}", split.name, absent.len(), first_few(&absent)),
                "they are left out of this split's means unless they are predicted",
            );
        }
    }
}

/// Masks of 0 and 255, as binary masks are often saved, in which 255 means ignored; and sets of a single class.
fn one_class(set: &LabelSet, train: &SplitReport, add: Add) {
    let mut occurring = train.classes.iter().enumerate().filter(|(_, class)| class.pixels > 0);
    let (Some((number, class)), None) = (occurring.next(), occurring.next()) else { return };
    let (count, id) = (set.classes.len(), set.coding.id_of(number as u8));
    if let Some(id) = id
        && train.ignored > 0
        && count <= 2
        && set.coding.class(MaskValue::Id(u16::from(IGNORE))) == Some(IGNORE)
    {
        let other = match count {
            2 => set.classes[1 - number].name.as_str(),
            _ => class.name.as_str(),
        };
        let background = if count == 2 { class.name.as_str() } else { "background" };
        add(
            Severity::Error,
            format!(
                "train: masks hold {id}, which is {}, and 255, which means ignored, and nothing else: there is nothing to tell \
                 {} from",
                class.name, class.name
            ),
            &format!(
                "if 255 means {other}, say so in classes.json: [{{\"name\": \"{background}\", \"id\": {id}}}, \
                 {{\"name\": \"{other}\", \"id\": 255}}]"
            ),
        );
    } else if count == 1 {
        add(
            Severity::Warning,
            format!(
                "train: there is one class, {}: every pixel is of it, and every score will be 100 %",
                class.name
            ),
            "name what is around it as a class of its own",
        );
    }
}

/// A first class that consists mostly of outlines is probably the "unlabeled" of another format.
fn zero(set: &LabelSet, splits: &[SplitReport], add: Add) {
    let first = set.coding.id_of(0) == Some(0);
    let train = splits.iter().find(|split| split.name == "train");
    if let Some(part) = train.and_then(|split| split.zero_on_edges)
        && first
        && set.classes.len() > 2
        && part > OUTLINES
    {
        add(
            Severity::Note,
            format!(
                "{:.0}% of the pixels of the first class ({}) lie at the edges of others, as unlabeled outlines do",
                100.0 * part,
                set.classes[0].name
            ),
            "look at a mask; if id 0 means unlabeled, give it in classes.json with \"ignore\": true",
        );
    }
}

/// Images that are in more than one split.
fn shared(set: &LabelSet, add: Add) {
    let mut purposes: BTreeMap<&Path, &str> = BTreeMap::new();
    let mut twice: Vec<String> = Vec::new();
    for split in set.splits.iter().filter(|split| ["train", "val", "test"].contains(&split.name.as_str())) {
        for pair in &split.pairs {
            if let Some(other) = purposes.insert(&pair.image, &split.name) {
                let name = pair.image.file_name().unwrap_or_default().to_string_lossy();
                twice.push(format!("{name} ({other} and {})", split.name));
            }
        }
    }
    if !twice.is_empty() {
        add(
            Severity::Warning,
            format!("{} images are listed twice: {}", twice.len(), first_few(&twice)),
            "an image must not be used for both training and evaluation: remove it from one list",
        );
    }
}
