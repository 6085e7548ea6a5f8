//! Recordings as files (.rrd): written, continued, read.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nerve_core::run::SinkError;
use rerun::external::re_log_encoding::rrd::{Decoder, Encoder, EncodingOptions};
use rerun::log::{Chunk, LogMsg};
use rerun::sink::{LogSink, SinkFlushError};
use rerun::{StoreKind, build_info};

use crate::identity::Identity;

/// How an .rrd file begins.
const MAGIC: &[u8; 4] = b"RRF2";

/// What stands among the last bytes of a finished one.
const FOOT: &[u8; 8] = b"RRF2FOOT";
/// So many bytes at most: Rerun's footer has 32.
const FOOTER: u64 = 64;

/// A recording that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        error: io::Error,
    },
    /// It is something else, or of another version.
    #[error("{}: {reason}; is it a recording (.rrd) of Rerun {}?", path.display(), crate::SDK_VERSION)]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What a recording holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The recording's id; one that several files share is one recording.
    pub id: String,
    /// The kind of run.
    pub application: String,
    /// By entity.
    pub entities: BTreeMap<String, Entity>,
    /// Layouts.
    pub blueprints: usize,
}

/// What a recording holds of one entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// What it is, such as `Points3D`.
    pub archetypes: BTreeSet<String>,
    /// On which timelines.
    pub timelines: BTreeSet<String>,
    /// Entries in time.
    pub rows: usize,
    /// Entries that hold at all times.
    pub static_rows: usize,
}

/// What is where a recording may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// Nothing, or an empty file.
    Absent,
    /// A recording that was finished.
    Whole,
    /// A recording whose writer has not finished: it is at work, or it was killed.
    CutOff,
    /// Something else.
    Other,
}

impl FileState {
    /// What this file is, by its first and last bytes.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn of(path: &Path) -> Result<Self, RecordingError> {
        let io = |error| RecordingError::Io { path: path.to_owned(), error };
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
            file => file.map_err(io)?,
        };
        let about = file.metadata().map_err(io)?;
        if !about.is_file() {
            return Ok(Self::Other);
        }
        let (mut start, mut end) = (Vec::new(), Vec::new());
        (&mut file).take(MAGIC.len() as u64).read_to_end(&mut start).map_err(io)?;
        if start.is_empty() || start != MAGIC {
            return Ok(if start.is_empty() { Self::Absent } else { Self::Other });
        }
        file.seek(SeekFrom::Start(about.len().saturating_sub(FOOTER))).map_err(io)?;
        file.take(FOOTER).read_to_end(&mut end).map_err(io)?;
        let whole = end.windows(FOOT.len()).any(|bytes| bytes == FOOT);
        Ok(if whole { Self::Whole } else { Self::CutOff })
    }
}

/// Reads a whole recording; one that was cut off is read up to there.
///
/// # Errors
/// If it cannot be read, or is none.
pub fn contents(path: &Path) -> Result<Contents, RecordingError> {
    let mut contents = Contents::default();
    for message in messages(path)? {
        match message {
            LogMsg::SetStoreInfo(info) if info.info.store_id.kind() == StoreKind::Recording => {
                contents.id = info.info.store_id.recording_id().to_string();
                contents.application = info.info.store_id.application_id().to_string();
            }
            LogMsg::ArrowMsg(store, message) if store.kind() == StoreKind::Recording => {
                let chunk = Chunk::from_arrow_msg(&message).map_err(|e| damaged(path, &e))?;
                let entity = contents.entities.entry(chunk.entity_path().to_string()).or_default();
                let archetypes = chunk.component_descriptors().filter_map(|d| d.archetype);
                entity.archetypes.extend(archetypes.map(|name| name.short_name().to_owned()));
                entity.timelines.extend(chunk.timelines().keys().map(ToString::to_string));
                *(if chunk.is_static() { &mut entity.static_rows } else { &mut entity.rows }) +=
                    chunk.num_rows();
            }
            LogMsg::BlueprintActivationCommand(_) => contents.blueprints += 1,
            _ => {}
        }
    }
    Ok(contents)
}

/// The messages of a recording, up to where it is whole.
pub(crate) fn messages(path: &Path) -> Result<impl Iterator<Item = LogMsg>, RecordingError> {
    let file = File::open(path).map_err(|error| RecordingError::Io { path: path.to_owned(), error })?;
    let decoder = Decoder::<LogMsg>::decode_eager(BufReader::new(file)).map_err(|e| damaged(path, &e))?;
    Ok(decoder.map_while(Result::ok))
}

fn damaged(path: &Path, reason: &impl ToString) -> RecordingError {
    RecordingError::Damaged { path: path.to_owned(), reason: reason.to_string() }
}

/// A system's error, with what it is about.
pub(crate) fn os_error<T>(what: &str, result: io::Result<T>) -> Result<T, SinkError> {
    result.map_err(|error| SinkError::Io { path: what.into(), error })
}

/// The end of a stream that is a file. Unlike Rerun's own it says why it failed, and has no queue of its own.
#[derive(Clone)]
pub(crate) struct FileEnd(Arc<Mutex<Writer>>);

struct Writer {
    path: PathBuf,
    encoder: Option<Encoder<BufWriter<File>>>,
    failure: Option<String>,
}

impl FileEnd {
    /// Begins a recording, or goes on with the one that is in the file: a resumed run has one recording.
    ///
    /// # Errors
    /// If the file holds something else, or cannot be written.
    pub(crate) fn create(path: &Path, identity: &mut Identity) -> Result<Self, SinkError> {
        let name = path.display().to_string();
        let past = path.with_added_extension("before");
        let continued = os_error(&name, is_recording(path))?;
        if continued {
            os_error(&name, std::fs::rename(path, &past))?;
        }
        let file = os_error(&name, File::create(path))?;
        let options = EncodingOptions::PROTOBUF_COMPRESSED;
        let encoder = Encoder::new_eager(build_info().version, options, BufWriter::new(file));
        let encoder = encoder.map_err(|e| SinkError::Other(format!("{name}: {e}")))?;
        let mut writer = Writer { path: path.to_owned(), encoder: Some(encoder), failure: None };
        if continued {
            let messages = messages(&past).map_err(|e| SinkError::Other(e.to_string()))?;
            for message in messages {
                if let LogMsg::SetStoreInfo(info) = &message
                    && info.info.store_id.kind() == StoreKind::Recording
                {
                    identity.id = info.info.store_id.recording_id().to_string();
                }
                writer.write(&message);
            }
        }
        writer.flush();
        let end = Self(Arc::new(Mutex::new(writer)));
        end.check()?;
        if continued {
            os_error(&name, std::fs::remove_file(&past))?;
        }
        Ok(end)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_failed(&self) -> bool {
        // A writer that is busy has not failed yet.
        self.0.try_lock().is_ok_and(|writer| writer.failure.is_some())
    }

    /// An error once something could not be written.
    pub(crate) fn check(&self) -> Result<(), SinkError> {
        let writer = self.writer();
        match &writer.failure {
            Some(failure) => Err(SinkError::Other(format!(
                "{}: the recording ends here: {failure}",
                writer.path.display()
            ))),
            None => Ok(()),
        }
    }
}

impl Writer {
    /// Runs a step of writing, unless one has failed before.
    fn attempt<E: ToString>(&mut self, step: impl FnOnce(&mut Encoder<BufWriter<File>>) -> Result<(), E>) {
        if let Some(encoder) = &mut self.encoder
            && let Err(error) = step(encoder)
        {
            self.failure = Some(error.to_string());
            // What is still buffered cannot be written either; its file is closed without another attempt.
            if let Some(Ok(buffer)) = self.encoder.take().map(Encoder::into_inner) {
                let _ = buffer.into_parts();
            }
        }
    }

    fn write(&mut self, message: &LogMsg) {
        self.attempt(|encoder| encoder.append(message).map(|_| ()));
    }

    fn flush(&mut self) {
        self.attempt(Encoder::flush_blocking);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.attempt(Encoder::finish);
        self.flush();
    }
}

impl LogSink for FileEnd {
    fn send(&self, message: LogMsg) {
        let mut writer = self.writer();
        writer.write(&message);
        writer.flush();
    }

    fn flush_blocking(&self, _: Duration) -> Result<(), SinkFlushError> {
        self.writer().flush();
        Ok(())
    }
}

/// Whether there is a recording; an error if there is something else, which must not be overwritten.
fn is_recording(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    // Only a regular file has a past to go on with.
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut start = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    if start.is_empty() || start == MAGIC {
        return Ok(!start.is_empty());
    }
    Err(io::Error::other("it is no recording and is not overwritten; give another file, --viewer save=FILE"))
}
