//! Rerun's own program, `rerun`: where it is installed, which version it has, how it is started.
use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The version of Rerun that recordings are written by; a viewer should be of the same.
pub const SDK_VERSION: &str = "0.36.3";

/// How long `rerun --version` may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program `rerun`, where it is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// What it says its version is.
    pub version: Option<String>,
}

impl Program {
    /// The first `rerun` on the `PATH`, asked for its version.
    pub fn find() -> Option<Self> {
        let path = on_path(&env::var_os("PATH")?)?;
        let version = ask_version(&path);
        Some(Self { path, version })
    }

    /// Whether it understands all that this program sends.
    pub fn fits(&self) -> bool {
        self.version.as_deref() == Some(SDK_VERSION)
    }

    /// How to get the one that fits.
    pub fn remedy() -> String {
        format!("pip install rerun-sdk=={SDK_VERSION}")
    }

    /// Starts it in a process group of its own, so that it outlives Ctrl-C and this program, and prints nothing.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&self, arguments: &[&str]) -> io::Result<Child> {
        let mut command = Command::new(&self.path);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn()
    }
}

fn on_path(path: &std::ffi::OsStr) -> Option<PathBuf> {
    let name = format!("rerun{}", env::consts::EXE_SUFFIX);
    env::split_paths(path).map(|folder| folder.join(&name)).find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// The word after `rerun-cli` or `rerun` in what `--version` prints, such as `rerun-cli 0.36.3 [rustc ...]`.
fn ask_version(path: &Path) -> Option<String> {
    let mut child = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let start = Instant::now();
    while child.try_wait().ok()?.is_none() {
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let mut text = String::new();
    io::Read::read_to_string(&mut child.stdout.take()?, &mut text).ok()?;
    version_in(&text)
}

fn version_in(text: &str) -> Option<String> {
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_version_is_that_of_the_sdk() {
        assert_eq!(rerun::build_info().version.to_string(), SDK_VERSION);
        assert!(Program::remedy().ends_with(SDK_VERSION));
    }

    #[test]
    fn the_version_is_found_in_what_the_program_says() {
        let text =
            "rerun-cli 0.36.3 [rustc 1.95.0 (59807616e 2026-04-14), LLVM 22.1.2] x86_64-unknown-linux-gnu\n";
        assert_eq!(version_in(text).unwrap(), "0.36.3");
        assert_eq!(version_in("no number"), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_a_program_is_found_and_another_version_does_not_fit() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rerun");
        std::fs::write(&file, "#!/bin/sh\necho rerun-cli 0.35.0\n").unwrap();
        assert_eq!(on_path(folder.path().as_os_str()), None, "it may not be run");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(on_path(folder.path().as_os_str()).unwrap(), file);
        let program = Program { version: ask_version(&file), path: file };
        assert_eq!(program.version.as_deref(), Some("0.35.0"));
        assert!(!program.fits());
    }
}
