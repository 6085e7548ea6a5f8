//! The installed COLMAP and the options that it knows. Options have been renamed between versions
//! (`SiftExtraction.use_gpu` of 3.7 to 3.11 is `FeatureExtraction.use_gpu` from 3.12 on), so each command's help is read.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use super::PhotosError;

/// An installed COLMAP.
#[derive(Clone, Debug)]
pub struct Colmap {
    program: OsString,
    /// Such as `3.8`; empty if unknown.
    pub version: String,
    /// Each command's help text.
    help: HashMap<&'static str, String>,
}

/// An option with its value: the names that it has in different versions, of which the first known one is used. If none
/// is known, the option is left out.
pub(super) type OptionalArgument = (&'static [&'static str], OsString);

impl Colmap {
    /// Finds the program `colmap` on the PATH; `None` if there is none.
    ///
    /// # Errors
    /// If there is one but it does not run.
    pub fn find() -> Result<Option<Self>, PhotosError> {
        Self::at("colmap".into())
    }

    /// Finds a program by its path.
    pub(super) fn at(program: OsString) -> Result<Option<Self>, PhotosError> {
        let mut colmap = Self { program, version: String::new(), help: HashMap::new() };
        let text = match colmap.ask(&["help"]) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(PhotosError::Unusable { problem: e.to_string() }),
        };
        let Some(at) = text.find("COLMAP") else {
            let problem = text.lines().next().unwrap_or("it prints nothing").to_owned();
            return Err(PhotosError::Unusable { problem });
        };
        let version = text[at..].split_whitespace().nth(1).unwrap_or_default();
        let version = version.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if version.starts_with(|c: char| c.is_ascii_digit()) {
            colmap.version = version.to_owned();
        }
        Ok(Some(colmap))
    }

    /// Those of the optional arguments that the command knows.
    pub(super) fn options(
        &mut self,
        command: &'static str,
        optional_arguments: &[OptionalArgument],
    ) -> Result<Vec<OsString>, PhotosError> {
        if !self.help.contains_key(command) {
            let text = self
                .ask(&[command, "--help"])
                .map_err(|e| PhotosError::Unusable { problem: e.to_string() })?;
            self.help.insert(command, text);
        }
        let help = &self.help[command];
        let known = |name: &&&str| help.split_whitespace().any(|word| word.strip_prefix("--") == Some(name));
        let chosen =
            optional_arguments.iter().filter_map(|(names, value)| Some((names.iter().find(known)?, value)));
        Ok(chosen.flat_map(|(name, value)| [format!("--{name}").into(), value.clone()]).collect())
    }

    /// A command that needs no display.
    pub(super) fn command(&self, command: &str) -> Command {
        let mut colmap = Command::new(&self.program);
        colmap.arg(command).stdin(Stdio::null());
        // Debian's build links Qt, which looks for a display unless told not to.
        colmap.env("QT_QPA_PLATFORM", "offscreen");
        colmap
    }

    /// All that it prints. The exit code is ignored: that of a help text differs between versions.
    fn ask(&self, arguments: &[&str]) -> std::io::Result<String> {
        let (first, rest) = arguments.split_first().unwrap_or((&"help", &[]));
        let output = self.command(first).args(rest).output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
