//! The flags `--viewer*`, and the destinations that they name.
use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use nerve_core::run::PreviewRequest;

/// Where a run is shown, as on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nowhere.
    Off,
    /// In a viewer on this screen, which is started.
    Spawn,
    /// In a viewer that listens at this address.
    Connect(String),
    /// In whatever viewer connects to this port of this machine.
    Serve(Option<u16>),
    /// In a file.
    Save(Option<PathBuf>),
}

/// Where a run is shown, once it is known which file is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A viewer on this screen, which is started.
    Spawn,
    /// A viewer that listens at this address.
    Connect(String),
    /// Whatever viewer connects to this port of this machine; the usual one, or any that is free, if not given.
    Serve(Option<u16>),
    /// A file.
    Save(PathBuf),
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mode, value) = text.split_once('=').map_or((text, None), |(mode, value)| (mode, Some(value)));
        match (mode, value) {
            (_, Some("")) => Err(format!("nothing follows `{mode}=`")),
            ("off", None) => Ok(Self::Off),
            ("spawn", None) => Ok(Self::Spawn),
            ("connect", None) => Ok(Self::Connect(rerun::DEFAULT_CONNECT_URL.to_owned())),
            ("connect", Some(url)) => address(url).map(Self::Connect),
            ("serve", None) => Ok(Self::Serve(None)),
            ("serve", Some(port)) => match port.parse() {
                Ok(port) if port > 0 => Ok(Self::Serve(Some(port))),
                _ => Err(format!("`{port}` is no port: use 1 to 65535, such as serve=9876")),
            },
            ("save", file) => Ok(Self::Save(file.map(PathBuf::from))),
            _ => Err("use off, spawn, connect[=URL], serve[=PORT] or save[=FILE]".to_owned()),
        }
    }
}

/// An address as Rerun writes it, from that or from `HOST:PORT`.
fn address(text: &str) -> Result<String, String> {
    let url = if text.contains("://") { text.to_owned() } else { format!("rerun+http://{text}/proxy") };
    match url.parse::<rerun::external::re_uri::ProxyUri>() {
        Ok(_) => Ok(url),
        Err(_) => Err(format!("`{text}` is no address: use HOST:PORT, or {}", rerun::DEFAULT_CONNECT_URL)),
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn => write!(f, "spawn"),
            Self::Connect(url) => write!(f, "connect={url}"),
            Self::Serve(None) => write!(f, "serve"),
            Self::Serve(Some(port)) => write!(f, "serve={port}"),
            Self::Save(path) => write!(f, "save={}", path.display()),
        }
    }
}

/// Flags of commands whose work can be watched.
#[derive(Clone, Debug, clap::Args)]
pub struct ViewerArgs {
    /// Show the run in Rerun: off, spawn, connect[=URL], serve[=PORT], save[=FILE]; separate several with commas
    #[arg(
        long,
        global = true,
        value_name = "WHERE",
        value_delimiter = ',',
        default_value = "off",
        help_heading = "Viewer"
    )]
    pub viewer: Vec<Mode>,
    /// Seconds between previews; longer where they would take over 2 % of the time (5 % for slow ones)
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value = "5",
        value_parser = seconds,
        help_heading = "Viewer"
    )]
    pub viewer_every: Duration,
    /// Longest side of previews in pixels; larger images are scaled down
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value = "320",
        value_parser = clap::value_parser!(u32).range(16..=8192),
        help_heading = "Viewer"
    )]
    pub viewer_size: u32,
}

impl ViewerArgs {
    /// Where to show it; `recording` is the file of a `save` that names none.
    ///
    /// # Errors
    /// If `off` is given beside others, something is given twice, or there is no file for `save`.
    pub fn destinations(&self, recording: Option<PathBuf>) -> Result<Vec<Destination>, String> {
        let mut destinations = Vec::new();
        for mode in &self.viewer {
            let destination = match mode {
                Mode::Off if self.viewer.len() == 1 => return Ok(destinations),
                Mode::Off => return Err("--viewer off goes with nothing else".to_owned()),
                Mode::Spawn => Destination::Spawn,
                Mode::Connect(url) => Destination::Connect(url.clone()),
                Mode::Serve(port) => Destination::Serve(*port),
                Mode::Save(Some(file)) => Destination::Save(file.clone()),
                Mode::Save(None) => match &recording {
                    Some(file) => Destination::Save(file.clone()),
                    None => return Err("--viewer save needs a file here: save=FILE".to_owned()),
                },
            };
            if destinations.contains(&destination) {
                return Err(format!("--viewer {destination} is given twice"));
            }
            destinations.push(destination);
        }
        Ok(destinations)
    }

    /// The pictures that training should make.
    pub fn preview_request(&self) -> PreviewRequest {
        PreviewRequest { every: self.viewer_every, side: self.viewer_size as usize }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|s| (0.1..=86_400.0).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "use 0.1 to 86400 seconds".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn args(viewer: &str) -> ViewerArgs {
        let viewer = viewer.split(',').map(|m| m.parse().unwrap()).collect();
        ViewerArgs { viewer, viewer_every: Duration::from_secs(5), viewer_size: 320 }
    }

    #[test]
    fn modes_read_as_documented() {
        let url = "rerun+http://127.0.0.1:9876/proxy".to_owned();
        let good = [
            ("off", Mode::Off),
            ("spawn", Mode::Spawn),
            ("connect", Mode::Connect(url.clone())),
            ("connect=127.0.0.1:9876", Mode::Connect(url.clone())),
            ("connect=rerun+http://127.0.0.1:9876/proxy", Mode::Connect(url)),
            ("serve", Mode::Serve(None)),
            ("serve=80", Mode::Serve(Some(80))),
            ("save", Mode::Save(None)),
            ("save=a=b.rrd", Mode::Save(Some("a=b.rrd".into()))),
        ];
        for (text, mode) in good {
            assert_eq!(text.parse::<Mode>().unwrap(), mode, "{text}");
        }
        let bad = [
            "",
            "on",
            "off=1",
            "spawn=1",
            "connect=",
            "connect=a b",
            "serve=0",
            "serve=65536",
            "serve=x",
            "save=",
        ];
        for text in bad {
            assert!(text.parse::<Mode>().is_err(), "{text}");
        }
    }

    #[test]
    fn several_places_but_none_twice_and_off_alone() {
        let file = || Some(PathBuf::from("run/recording.rrd"));
        assert_eq!(args("off").destinations(file()).unwrap(), []);
        let destinations = args("serve=1,save,save=x.rrd").destinations(file()).unwrap();
        let expected = [
            Destination::Serve(Some(1)),
            Destination::Save("run/recording.rrd".into()),
            Destination::Save("x.rrd".into()),
        ];
        assert_eq!(destinations, expected);
        assert!(args("off,serve").destinations(file()).is_err());
        assert!(args("serve,serve").destinations(file()).is_err());
        assert!(args("save,save=run/recording.rrd").destinations(file()).is_err());
        assert!(args("save").destinations(None).unwrap_err().contains("save=FILE"));
    }
}
