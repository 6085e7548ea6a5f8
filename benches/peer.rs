//! Peers: the same work in other people's software, through the Python that the environment names.

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The variable that names a Python interpreter with PyTorch.
const VARIABLE: &str = "NERVE_PEER_PYTHON";

/// The interpreter for the peers, or else a line that says what is skipped and how to have it.
pub fn python(what: &str) -> Result<PathBuf, String> {
    std::env::var_os(VARIABLE).map(PathBuf::from).ok_or_else(|| {
        format!(
            "skipped: {what}: {VARIABLE} is not set. Make a virtual environment with torch and numpy \
             (and have g++ for torch.compile), and set {VARIABLE} to its bin/python"
        )
    })
}

/// Runs a program of benches/peers and reads the JSON of the last line that it prints.
///
/// # Errors
/// If it cannot be started, fails (its own messages are shown), or prints something else.
pub fn run<T: DeserializeOwned, S: AsRef<OsStr>>(
    python: &Path,
    program: &str,
    args: impl IntoIterator<Item = S>,
) -> Result<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(program);
    let output = Command::new(python)
        .arg(&path)
        .args(args)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{VARIABLE}: cannot run {}", python.display()))?;
    if !output.status.success() {
        bail!("{program}: {}; does {} have torch and numpy?", output.status, python.display());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.trim_end().lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("{program} printed {last:?}"))
}
