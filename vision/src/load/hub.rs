//! Models on the Hugging Face hub, by name.
//!
//! The cache of Hugging Face's own programs is searched first: `hub/models--OWNER--NAME/snapshots/COMMIT/`, with the
//! commit of the branch in `refs/main`. Fetching what is not there needs the feature `hub`.
use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::LoadError;
use super::source::weight_files;

/// Whether models that are not cached may be fetched from the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Unless the environment says `HF_HUB_OFFLINE=1`.
    #[default]
    Online,
    /// Never.
    Offline,
}

/// The folder that holds the model `owner/name`.
///
/// # Errors
/// If the name is not of that form, or the model is neither cached nor can be fetched; the message has the remedy.
pub(super) fn hub_folder(name: &str, access: Access) -> Result<PathBuf, LoadError> {
    let offline = |v: String| matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on");
    let offline = access == Access::Offline || env::var("HF_HUB_OFFLINE").is_ok_and(offline);
    find(name, cache().as_deref(), offline)
}

fn find(name: &str, cache: Option<&Path>, offline: bool) -> Result<PathBuf, LoadError> {
    let failed = |problem: String| LoadError::Hub { name: name.to_owned(), problem };
    if !is_name(name) {
        return Err(failed("no such file or folder, and not a model's name (owner/name)".into()));
    }
    if let Some(cache) = cache
        && let Some(folder) = cached(cache, name)?
    {
        return Ok(folder);
    }
    let place = cache.map_or_else(|| "no folder for a cache".into(), |cache| cache.display().to_string());
    if offline {
        return Err(failed(format!(
            "no such file or folder, and not in the hub's cache ({place}), downloads being off (offline); give an existing folder"
        )));
    }
    fetch(name, cache).map_err(|problem| {
        failed(format!("no such file or folder, and not in the hub's cache ({place}): {problem}"))
    })
}

#[cfg(not(feature = "hub"))]
fn fetch(_: &str, _: Option<&Path>) -> Result<PathBuf, String> {
    Err("this build cannot download models; build with `--features hub`, or give an existing folder".into())
}

#[cfg(feature = "hub")]
fn fetch(name: &str, cache: Option<&Path>) -> Result<PathBuf, String> {
    super::fetch::fetch(name, cache)
}

/// Two words of letters, digits, `-`, `_` and `.`.
fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && !word.starts_with('.')
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    name.split_once('/').is_some_and(|(owner, name)| word(owner) && word(name))
}

/// Where the hub's programs keep models.
fn cache() -> Option<PathBuf> {
    let path = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    path("HF_HUB_CACHE")
        .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
        .or_else(|| Some(path("HF_HOME")?.join("hub")))
        .or_else(|| Some(path("XDG_CACHE_HOME")?.join("huggingface/hub")))
        .or_else(|| Some(env::home_dir()?.join(".cache/huggingface/hub")))
}

/// The snapshot of a model, if it is there with its weights: that of the branch `main`, else the last by name.
fn cached(cache: &Path, name: &str) -> Result<Option<PathBuf>, LoadError> {
    let model = cache.join(format!("models--{}", name.replace('/', "--")));
    let snapshots = model.join("snapshots");
    let main = fs::read_to_string(model.join("refs/main")).ok().map(|commit| snapshots.join(commit.trim()));
    let mut others: Vec<PathBuf> =
        fs::read_dir(&snapshots).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    others.sort();
    for folder in main.into_iter().chain(others.into_iter().rev()) {
        if weight_files(&folder)?.is_some() {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_looked_into() {
        let root = tempfile::tempdir().expect("a folder");
        let model = root.path().join("models--owner--name");
        for (commit, file) in
            [("a1", "model.safetensors"), ("b2", "pytorch_model.bin"), ("c3", "config.json")]
        {
            fs::create_dir_all(model.join("snapshots").join(commit)).expect("a folder");
            fs::write(model.join("snapshots").join(commit).join(file), "").expect("a file");
        }
        let find = |name| find(name, Some(root.path()), true);
        assert!(find("owner/name").expect("the last with weights").ends_with("b2"));
        fs::create_dir_all(model.join("refs")).expect("a folder");
        fs::write(model.join("refs/main"), "a1\n").expect("a file");
        assert!(find("owner/name").expect("main's").ends_with("a1"));
        let error = find("owner/other").expect_err("not there").to_string();
        assert!(
            error.contains("owner/other: no such file or folder, and not in the hub's cache")
                && error.contains("offline"),
            "{error}"
        );
        for bad in ["owner", "/a/b", "../b", "a/b/c", "a/", "a b/c"] {
            let error = find(bad).expect_err("no name").to_string();
            assert!(error.contains("no such file or folder"), "{error}");
        }
    }

    #[cfg(not(feature = "hub"))]
    #[test]
    fn a_build_that_cannot_fetch_says_how() {
        let error = find("owner/name", None, false).expect_err("not there").to_string();
        assert!(error.contains("--features hub"), "{error}");
    }
}
