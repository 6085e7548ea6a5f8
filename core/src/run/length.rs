//! How long a run lasts, as people and files write it.
use std::time::Duration;

/// A duration as on the command line: `90`, `90s`, `5m`, `1h 30m`.
///
/// # Errors
/// If it is none, or zero; the message shows how to write one.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    match seconds.map_or_else(|| humantime::parse_duration(text), Ok) {
        Ok(time) if time.is_zero() => Err("a run needs some time".into()),
        Ok(time) => Ok(time),
        Err(e) => Err(format!("{e}; use 90s, 5m or 1h")),
    }
}

/// An optional duration in a configuration file: seconds, as a number.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// As a number of seconds.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        time.map(|t| t.as_secs_f64()).serialize(s)
    }

    /// From a number of seconds.
    ///
    /// # Errors
    /// If it is negative or too large.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(d)?;
        seconds.map(|s| Duration::try_from_secs_f64(s).map_err(serde::de::Error::custom)).transpose()
    }
}
