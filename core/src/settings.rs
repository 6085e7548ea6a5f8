//! Settings out of range: one error, whatever component the setting is of.

use std::borrow::Cow;
use std::fmt::Display;

/// A setting that cannot be: which one, what it is, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}, but it must be {allowed}")]
pub struct SettingError {
    /// The setting: its flag, where it has one.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// What it may be, such as `1 to 32`.
    pub allowed: Cow<'static, str>,
}

impl SettingError {
    /// What is wrong, of a setting that a configuration file holds: by its key there instead of its flag.
    #[must_use]
    pub fn in_file(&self) -> String {
        let Self { setting, value, allowed } = self;
        let key = |flag: &str| match flag {
            "lr-warmup" => "warmup".to_owned(),
            "lr-hold" => "hold".to_owned(),
            "lr-final" => "final_factor".to_owned(),
            flag => flag.replace('-', "_"),
        };
        let words = setting.split(' ').map(|word| match word.trim_end_matches(',').strip_prefix("--") {
            Some(flag) => word.replace(&format!("--{flag}"), &format!("`{}`", key(flag))),
            None => word.to_owned(),
        });
        format!("{} is {value}, but it must be {allowed}", words.collect::<Vec<_>>().join(" "))
    }

    /// The error.
    pub fn new(setting: &'static str, value: impl Display, allowed: impl Into<Cow<'static, str>>) -> Self {
        Self { setting, value: value.to_string(), allowed: allowed.into() }
    }
}

/// Checks one setting.
///
/// # Errors
/// [`SettingError`] unless it is `ok`.
pub fn check(
    ok: bool,
    setting: &'static str,
    value: impl Display,
    allowed: impl Into<Cow<'static, str>>,
) -> Result<(), SettingError> {
    if ok { Ok(()) } else { Err(SettingError::new(setting, value, allowed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_setting_value_and_range() {
        let error = check(false, "--levels", 40, "1 to 32");
        assert_eq!(
            error.map_err(|e| e.to_string()),
            Err("--levels is 40, but it must be 1 to 32".to_owned())
        );
        assert_eq!(check(true, "--levels", 4, "1 to 32"), Ok(()));
        let key = |setting| SettingError::new(setting, 40, "1 to 32").in_file();
        assert_eq!(key("--log2-entries"), "`log2_entries` is 40, but it must be 1 to 32");
        for (flags, keys) in [
            ("--levels times --features", "`levels` times `features`"),
            ("--scale-min, --scale-max", "`scale_min`, `scale_max`"),
            ("--lr-warmup + --lr-hold", "`warmup` + `hold`"),
        ] {
            assert_eq!(key(flags), format!("{keys} is 40, but it must be 1 to 32"));
        }
    }
}
