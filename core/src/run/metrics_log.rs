//! The metrics log: `metrics.jsonl`, one JSON object a line.
//!
//! Each [`Event::Scalars`] is a line `{"step":10,"elapsed":1.25,"loss":0.031,...}`, elapsed in seconds. JSON has
//! no NaN or infinity, so these are written as `null`. A value named `step` or `elapsed` is left out. Each
//! [`Event::Histogram`] is a line `{"step":100,"elapsed":4.5,"histogram":"saliency/p","range":[0,1],"counts":[...]}`.
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::{AtomicFile, Event, Sink, SinkError};

/// How long a line may wait in memory, so that a person can follow the file.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// The sink that writes the metrics log; attach it lossless.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    out: BufWriter<File>,
    flushed: Instant,
}

impl MetricsLog {
    /// Opens the log for appending, or begins it. A torn last line is cut off first.
    ///
    /// # Errors
    /// [`SinkError::Io`] when the file cannot be read or written.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, SinkError> {
        let path = path.into();
        let open = || {
            truncate_after(&path, u64::MAX)?;
            OpenOptions::new().append(true).create(true).open(&path)
        };
        match open() {
            Ok(file) => Ok(Self { path, out: BufWriter::new(file), flushed: Instant::now() }),
            Err(error) => Err(SinkError::Io { path, error }),
        }
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")?;
        if self.flushed.elapsed() >= FLUSH_EVERY {
            self.out.flush()?;
            self.flushed = Instant::now();
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> SinkError {
        SinkError::Io { path: self.path.clone(), error }
    }
}

impl Sink for MetricsLog {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        let written = match event {
            Event::Scalars { step, elapsed, values } => {
                self.write(&Line { step: *step, elapsed: *elapsed, values })
            }
            Event::Histogram { step, elapsed, name, range, counts } => {
                let elapsed = elapsed.as_secs_f64();
                self.write(&Bins { step: *step, elapsed, histogram: name, range: *range, counts })
            }
            // Said for people, or no numbers of a step.
            Event::Progress { .. }
            | Event::Scores { .. }
            | Event::Image { .. }
            | Event::Map { .. }
            | Event::Classes { .. }
            | Event::Labels { .. }
            | Event::PerClass { .. }
            | Event::Confusion { .. }
            | Event::Cameras { .. }
            | Event::Path { .. }
            | Event::Points { .. }
            | Event::Mesh { .. }
            | Event::Voxels { .. }
            | Event::Text { .. }
            | Event::Done { .. } => Ok(()),
        };
        written.map_err(|e| self.failed(e))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let flushed = self.out.flush().and_then(|()| self.out.get_ref().sync_data());
        flushed.map_err(|e| self.failed(e))
    }
}

#[derive(Serialize)]
struct Bins<'a> {
    step: u64,
    elapsed: f64,
    histogram: &'a str,
    range: [f64; 2],
    counts: &'a [u64],
}

struct Line<'a> {
    step: u64,
    elapsed: Duration,
    values: &'a [(Cow<'static, str>, f64)],
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("step", &self.step)?;
        map.serialize_entry("elapsed", &self.elapsed.as_secs_f64())?;
        for (name, value) in self.values.iter().filter(|(name, _)| name != "step" && name != "elapsed") {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The events that made the log, in order; torn lines and values that are `null` are left out.
///
/// # Errors
/// When the file cannot be read; a missing file is an empty one.
pub fn recorded(path: &Path) -> io::Result<Vec<Event>> {
    let mut events = Vec::new();
    scan(path, u64::MAX, |line| {
        events.extend(event(line));
        Ok(())
    })?;
    Ok(events)
}

/// The event of a whole line; `None` for one that nobody here writes.
fn event(line: &[u8]) -> Option<Event> {
    #[derive(Deserialize)]
    struct Read {
        step: u64,
        elapsed: f64,
        histogram: Option<String>,
        range: Option<[f64; 2]>,
        counts: Option<Vec<u64>>,
        #[serde(flatten)]
        values: BTreeMap<String, serde_json::Value>,
    }
    let Read { step, elapsed, histogram, range, counts, values } = serde_json::from_slice(line).ok()?;
    let elapsed = Duration::try_from_secs_f64(elapsed).ok()?;
    if let (Some(name), Some(range), Some(counts)) = (histogram, range, counts) {
        return Some(Event::Histogram { step, elapsed, name: name.into(), range, counts: counts.into() });
    }
    let values =
        values.into_iter().filter_map(|(name, value)| Some((name.into(), value.as_f64()?))).collect();
    Some(Event::Scalars { step, elapsed, values })
}

/// What [`truncate_after`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncation {
    /// Lines kept.
    pub kept: u64,
    /// Whole lines of later steps, removed.
    pub later: u64,
    /// Torn or unreadable lines, removed.
    pub torn: u64,
}

/// Cuts a metrics log back to the steps up to `step`, as a resumed run needs it, and removes torn lines.
///
/// The file is rewritten atomically, and only if there is something to remove. A missing file is an empty one.
///
/// # Errors
/// When the file cannot be read or rewritten; it is then as before.
pub fn truncate_after(path: &Path, step: u64) -> io::Result<Truncation> {
    let found = scan(path, step, |_| Ok(()))?;
    if found.later + found.torn > 0 {
        let mut out = BufWriter::new(AtomicFile::create(path)?);
        scan(path, step, |line| out.write_all(line))?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.commit()?;
    }
    Ok(found)
}

/// Gives every line to keep, its line break included, to `keep`.
fn scan(path: &Path, step: u64, mut keep: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Truncation> {
    /// What tells a whole line from a torn one.
    #[derive(Deserialize)]
    struct Head {
        step: u64,
    }
    let mut counts = Truncation::default();
    let mut lines = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(counts),
        Err(error) => return Err(error),
    };
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        // Without its line break a line is torn even where it happens to parse: more may have followed. The
        // brace is checked because serde would take an array for the struct too.
        let whole = line.starts_with(b"{") && line.ends_with(b"\n");
        match serde_json::from_slice::<Head>(&line) {
            Ok(head) if whole && head.step <= step => {
                keep(&line)?;
                counts.kept += 1;
            }
            Ok(_) if whole => counts.later += 1,
            _ => counts.torn += 1,
        }
        line.clear();
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn scalars(step: u64, loss: f64) -> Event {
        let values = vec![("loss".into(), loss), ("step".into(), 9.0), ("eval/psnr".into(), f64::INFINITY)];
        Event::Scalars { step, elapsed: Duration::from_millis(step * 250), values }
    }

    fn write_log(path: &Path, steps: std::ops::Range<u64>) {
        let mut log = MetricsLog::open(path).unwrap();
        for step in steps {
            log.handle(&scalars(step, 0.5)).unwrap();
        }
        log.flush().unwrap();
    }

    fn steps(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        let value = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
        text.lines().map(|line| value(line)["step"].as_u64().unwrap()).collect()
    }

    #[test]
    fn lines_read_as_documented() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path).unwrap();
        log.handle(&scalars(5, 0.1)).unwrap();
        log.handle(&Event::Text { level: crate::run::Level::Info, message: "not a metric".into() }).unwrap();
        log.handle(&scalars(6, f64::NAN)).unwrap();
        log.flush().unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"step\":5,\"elapsed\":1.25,\"loss\":0.1,\"eval/psnr\":null}\n\
             {\"step\":6,\"elapsed\":1.5,\"loss\":null,\"eval/psnr\":null}\n"
        );
    }

    #[test]
    fn what_was_logged_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        assert_eq!(recorded(&path).unwrap(), []);
        let (elapsed, values) =
            (Duration::from_millis(1250), vec![("eval/psnr".into(), 30.5), ("loss".into(), 0.1)]);
        let numbers = Event::Scalars { step: 5, elapsed, values };
        let (name, counts) = ("saliency/p".into(), vec![1, 2].into());
        let bins = Event::Histogram { step: 6, elapsed, name, range: [0.0, 1.0], counts };
        let mut log = MetricsLog::open(&path).unwrap();
        log.handle(&numbers).unwrap();
        log.handle(&bins).unwrap();
        log.handle(&scalars(7, f64::NAN)).unwrap();
        log.flush().unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\":8,").unwrap();
        let nothing = Event::Scalars { step: 7, elapsed: Duration::from_millis(1750), values: vec![] };
        assert_eq!(recorded(&path).unwrap(), [numbers, bins, nothing]);
    }

    #[test]
    fn resuming_cuts_later_and_torn_lines_and_appends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        write_log(&path, 0..10);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"step\":1,\"ela");
        fs::write(&path, &bytes).unwrap();
        assert_eq!(truncate_after(&path, 6).unwrap(), Truncation { kept: 7, later: 3, torn: 1 });
        assert_eq!(truncate_after(&path, 6).unwrap(), Truncation { kept: 7, later: 0, torn: 0 });
        write_log(&path, 7..9);
        assert_eq!(steps(&path), (0..9).collect::<Vec<_>>());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn unreadable_lines_go_and_a_missing_file_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        assert_eq!(truncate_after(&path, 1).unwrap(), Truncation::default());
        assert!(!path.exists());
        fs::write(&path, b"{\"step\":0}\n\0\0\xff\0\n[1]\n{\"stop\":1}\n\n{\"step\":1}\n{\"step\":1}")
            .unwrap();
        assert_eq!(truncate_after(&path, 1).unwrap(), Truncation { kept: 2, later: 0, torn: 5 });
        assert_eq!(steps(&path), [0, 1]);
    }

    #[test]
    fn a_folder_in_its_place_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = MetricsLog::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains(&folder.path().display().to_string()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// However many bytes of the log reached the disk, it can be cut back and continued.
        #[test]
        fn any_cut_is_tolerated(cut in 0usize..600, step in 0u64..10) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("metrics.jsonl");
            write_log(&path, 0..10);
            let bytes = fs::read(&path).unwrap();
            let cut = &bytes[..cut.min(bytes.len())];
            let whole = cut.iter().filter(|&&b| b == b'\n').count() as u64;
            fs::write(&path, cut).unwrap();
            truncate_after(&path, step).unwrap();
            prop_assert_eq!(steps(&path), (0..whole.min(step + 1)).collect::<Vec<_>>());
        }
    }
}
