//! Which views are used of a capture whose photographs contradict each other, or that the user has thinned out.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Contradiction;
use crate::problem::first_few;
use crate::regular;
use crate::scene::{Outline, SceneError};

/// Views to use, as `--views` names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ViewChoice {
    /// All of them.
    #[default]
    All,
    /// A group of views that agree, from 1, which is the largest.
    Group(usize),
    /// Those that a file names, one a line.
    Listed(PathBuf),
}

impl FromStr for ViewChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<usize>()) {
            ("", _) => Err("give all, the number of a group, or a file of names".into()),
            ("all", _) => Ok(Self::All),
            (_, Ok(0)) => Err("groups are numbered from 1, the largest".into()),
            (_, Ok(group)) => Ok(Self::Group(group)),
            (file, Err(_)) => Ok(Self::Listed(file.into())),
        }
    }
}

impl TryFrom<String> for ViewChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for ViewChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Group(group) => write!(f, "{group}"),
            Self::Listed(file) => write!(f, "{}", file.display()),
        }
    }
}

impl From<ViewChoice> for String {
    fn from(choice: ViewChoice) -> Self {
        choice.to_string()
    }
}

/// Why views cannot be chosen so.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// There is no such group.
    #[error(
        "{}: there is no group {group} of views: {}; use --views all, or a file with the names of those to use",
        path.display(),
        match groups { 0 => "its photographs do not contradict each other".to_owned(), n => format!("there are {n}") }
    )]
    NoGroup {
        /// The scene.
        path: PathBuf,
        /// What was asked for.
        group: usize,
        /// How many there are.
        groups: usize,
    },
    /// A file names views that are not there, or none.
    #[error("{}: {problem}", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl ViewChoice {
    /// Whether each view of an outline is used.
    pub(in crate::scene) fn of(&self, outline: &Outline) -> Result<Vec<bool>, SceneError> {
        match self {
            Self::All => Ok(vec![true; outline.views.len()]),
            Self::Group(group) => {
                let found = Contradiction::find(outline, true);
                let groups = found.map(|found| found.groups).unwrap_or_default();
                match groups.get(group.wrapping_sub(1)) {
                    Some(views) => {
                        Ok((0..outline.views.len()).map(|v| views.binary_search(&v).is_ok()).collect())
                    }
                    None => {
                        let (path, groups) = (outline.source.clone(), groups.len());
                        Err(ChoiceError::NoGroup { path, group: *group, groups }.into())
                    }
                }
            }
            Self::Listed(file) => Ok(listed(file, outline)?),
        }
    }
}

/// A list of names: as the scene lists them or the file's own, with or without extension; empty lines and those that begin
/// with `#` say nothing.
fn listed(path: &Path, outline: &Outline) -> Result<Vec<bool>, ChoiceError> {
    let wrong = |problem: String| ChoiceError::List { path: path.to_owned(), problem };
    let bytes = regular::read(path).map_err(|error| {
        wrong(format!("the list of views cannot be read: {error}; --views takes a file with a name a line, the number of a group, or all"))
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| wrong("it is not text with the name of a view a line".into()))?;
    let mut names: HashSet<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let asked = names.len();
    let mut used = Vec::with_capacity(outline.views.len());
    let mut met = HashSet::new();
    for view in &outline.views {
        let short = Path::new(&view.name);
        let forms = [
            Some(&*view.name),
            short.file_name().and_then(|name| name.to_str()),
            short.file_stem().and_then(|stem| stem.to_str()),
        ];
        let hits: Vec<&str> =
            forms.into_iter().flatten().filter_map(|form| names.get(form).copied()).collect();
        used.push(!hits.is_empty());
        met.extend(hits);
    }
    names.retain(|name| !met.contains(name));
    if !names.is_empty() {
        let mut unknown: Vec<String> = names.into_iter().map(str::to_owned).collect();
        unknown.sort();
        return Err(wrong(format!(
            "{} of the {asked} names in it are no views of {}: {}; correct or remove them",
            unknown.len(),
            outline.source.display(),
            first_few(&unknown)
        )));
    }
    if !used.contains(&true) {
        return Err(wrong("it names no view; give the name of one a line".into()));
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::Point3;

    use super::*;
    use crate::scene::{LoadOptions, outline};
    use crate::testing::{ngp_scene, orbit};

    #[test]
    fn text_says_what_is_meant() {
        for (text, choice) in [
            ("all", ViewChoice::All),
            ("2", ViewChoice::Group(2)),
            ("views.txt", ViewChoice::Listed("views.txt".into())),
            ("./2", ViewChoice::Listed("./2".into())),
        ] {
            assert_eq!(text.parse::<ViewChoice>().unwrap(), choice);
            assert_eq!(choice.to_string(), text);
        }
        assert!("0".parse::<ViewChoice>().is_err() && "".parse::<ViewChoice>().is_err());
    }

    #[test]
    fn listed_views_are_used_and_errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let scene = folder.path().join("scene");
        ngp_scene(&scene, &orbit(9, 3.0, Point3::origin()), |_| {});
        let list = folder.path().join("list.txt");
        let options = |choice| LoadOptions { views: choice, ..LoadOptions::default() };
        let read = |text: &str| {
            std::fs::write(&list, text).unwrap();
            outline(&scene, &options(ViewChoice::Listed(list.clone()))).map_err(|error| error.to_string())
        };
        let found = read("# some\nimages/02.png\n 03\n\n04.png\n05.png\n").unwrap();
        let names: Vec<_> = found.views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(names, ["images/02.png", "images/03.png", "images/04.png", "images/05.png"]);
        assert_eq!(
            found.splits.test,
            [0],
            "of those that are left, the first is held out, as none was before"
        );
        // One that was held out stays so, and none beside it is.
        assert_eq!(read("08\n07\n03\n").unwrap().splits.test, [2]);
        let error = read("images/02.png\n20.png\n").unwrap_err();
        assert!(error.contains("list.txt: 1 of the 2 names") && error.contains("20.png"), "{error}");
        assert!(read("# none\n").unwrap_err().contains("names no view"));
        std::fs::remove_file(&list).unwrap();
        let error = outline(&scene, &options(ViewChoice::Listed(list))).unwrap_err().to_string();
        assert!(error.contains("list.txt") && error.contains("--views"), "{error}");
        let error = outline(&scene, &options(ViewChoice::Group(2))).unwrap_err().to_string();
        assert!(error.contains("no group 2") && error.contains("do not contradict"), "{error}");
    }

    /// The limit of views is of those that were chosen.
    #[test]
    fn the_limit_counts_what_was_chosen() {
        let folder = tempfile::tempdir().unwrap();
        ngp_scene(folder.path(), &orbit(20, 3.0, Point3::origin()), |_| {});
        let list = folder.path().join("list.txt");
        std::fs::write(&list, (8..20).map(|i| format!("{i:02}\n")).collect::<String>()).unwrap();
        let options =
            LoadOptions { views: ViewChoice::Listed(list), max_images: Some(3), ..LoadOptions::default() };
        let found = outline(folder.path(), &options).unwrap();
        assert_eq!((found.splits.train.len(), found.splits.test.len()), (3, 2));
        assert!(found.views.iter().all(|view| view.name.as_str() >= "images/08.png"));
    }
}
