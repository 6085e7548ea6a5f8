//! Where a recording stream goes: a file, a server, a viewer that was started or is connected to.
use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use nerve_core::run::SinkError;
use rerun::external::re_uri::ProxyUri;
use rerun::grpc_server::GrpcServerSink;
use rerun::log::LogMsg;
use rerun::sink::{GrpcSink, GrpcSinkConnectionState, LogSink, SinkFlushError};
use rerun::{MemoryLimit, RecordingStream, ServerOptions};

use crate::identity::Identity;
use crate::options::Destination;
use crate::program::Program;
use crate::recording::{self, FileEnd};

/// What a server remembers for viewers that come late.
const SERVER_MEMORY: u64 = 128 << 20;
/// How long numbers are gathered for a file, so that a plot's values lie together in it.
const FILE_TICK: Duration = Duration::from_secs(10);
/// The same for a viewer.
const LIVE_TICK: Duration = Duration::from_millis(200);
/// Between two attempts to reach a viewer.
const RETRY: Duration = Duration::from_secs(1);
/// How long an attempt may take.
const REACH: Duration = Duration::from_millis(300);

/// Where a recording stream goes, and how that is.
pub(crate) struct Output {
    destination: Destination,
    state: State,
}

enum State {
    File { end: Option<FileEnd> },
    Server { page: Option<Page> },
    Peer(Peer),
}

#[cfg(feature = "web-viewer")]
use crate::page::Page;
/// Without the feature there is none.
#[cfg(not(feature = "web-viewer"))]
struct Page;

/// A viewer that this program connects to.
struct Peer {
    url: String,
    /// Of one that was started here.
    started: Option<Child>,
    gone: Arc<AtomicBool>,
    tried: Option<Instant>,
    told: bool,
}

impl Output {
    pub(crate) fn new(destination: Destination) -> Self {
        let state = match &destination {
            Destination::Save(_) => State::File { end: None },
            Destination::Serve(_) => State::Server { page: None },
            Destination::Spawn => State::Peer(Peer::new(String::new())),
            Destination::Connect(url) => State::Peer(Peer::new(url.clone())),
        };
        Self { destination, state }
    }

    /// Whether what listens may come later, or go and come back.
    pub(crate) fn comes_and_goes(&self) -> bool {
        matches!(self.state, State::Peer(_))
    }

    /// Whether it is worth waiting for a moment: a viewer that was started is on its way.
    pub(crate) fn is_coming(&self) -> bool {
        matches!(&self.state, State::Peer(peer) if peer.started.is_some())
    }

    /// A stream, once there is something that listens.
    pub(crate) fn open(
        &mut self,
        identity: &mut Identity,
        tell: &dyn Fn(&str),
    ) -> Result<Option<RecordingStream>, SinkError> {
        match (&self.destination, &mut self.state) {
            (Destination::Save(path), State::File { end }) => {
                let file = FileEnd::create(path, identity)?;
                *end = Some(file.clone());
                identity.stream(FILE_TICK, Box::new(file)).map(Some)
            }
            (Destination::Serve(port), State::Server { page }) => {
                let port = free_port(*port)?;
                let history = MemoryLimit::from_bytes(SERVER_MEMORY);
                let options = ServerOptions { memory_limit: history, ..ServerOptions::default() };
                let server = GrpcServerSink::new(&Ipv4Addr::LOCALHOST.to_string(), port, options)
                    .map_err(|e| SinkError::Other(e.to_string()))?;
                let url = server.uri().to_string();
                let stream = identity.stream(LIVE_TICK, Box::new(server))?;
                *page = announce(&url, tell);
                Ok(Some(stream))
            }
            (Destination::Spawn, State::Peer(peer)) => {
                if peer.started.is_none() {
                    peer.start(tell)?;
                }
                peer.reach(identity, &self.destination, tell)
            }
            (_, State::Peer(peer)) => peer.reach(identity, &self.destination, tell),
            _ => Ok(None),
        }
    }

    /// Cheap: whether [`Output::is_gone`] is worth asking.
    pub(crate) fn may_be_gone(&self) -> bool {
        match &self.state {
            State::File { end } => end.as_ref().is_some_and(FileEnd::has_failed),
            State::Server { .. } => false,
            State::Peer(peer) => peer.gone.load(Ordering::Relaxed),
        }
    }

    /// Whether what listened has gone and may come back.
    ///
    /// # Errors
    /// If it will not.
    pub(crate) fn is_gone(&mut self) -> Result<bool, SinkError> {
        match &mut self.state {
            State::File { end } => end.as_ref().map_or(Ok(()), FileEnd::check).map(|()| false),
            State::Server { .. } => Ok(false),
            State::Peer(peer) => {
                peer.check()?;
                Ok(peer.gone.load(Ordering::Relaxed))
            }
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.destination {
            Destination::Spawn => write!(f, "the viewer that was started"),
            Destination::Connect(url) => write!(f, "the viewer at {url}"),
            Destination::Serve(_) => write!(f, "the server"),
            Destination::Save(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Peer {
    fn new(url: String) -> Self {
        Self { url, started: None, gone: Arc::default(), tried: None, told: false }
    }

    /// Starts a viewer on a port that is free.
    fn start(&mut self, tell: &dyn Fn(&str)) -> Result<(), SinkError> {
        let program = Program::find().ok_or_else(|| {
            let text = "no `rerun` is on the PATH to be started; get it by: ";
            SinkError::Other(format!("{text}{}", Program::remedy()))
        })?;
        if !program.fits() {
            let version = program.version.as_deref().unwrap_or("unknown");
            tell(&format!(
                "viewer: {} has version {version}, which may not show all of it; the fitting one: {}",
                program.path.display(),
                Program::remedy()
            ));
        }
        let port = recording::os_error("a free port", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = recording::os_error("a free port", port.local_addr())?.port();
        let port_flag = format!("--port={port}");
        let child = program.start(&[&port_flag, "--expect-data-soon", "--hide-welcome-screen"]);
        self.started = Some(recording::os_error(&program.path.display().to_string(), child)?);
        self.url = format!("rerun+http://127.0.0.1:{port}/proxy");
        Ok(())
    }

    /// An error once a viewer that was started has ended.
    fn check(&mut self) -> Result<(), SinkError> {
        match self.started.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) if status.success() => {
                Err(SinkError::Other("the viewer was closed".to_owned()))
            }
            Some(Ok(Some(status))) => Err(SinkError::Other(format!(
                "the viewer that was started ended ({status}); without a screen, use --viewer serve or save"
            ))),
            _ => Ok(()),
        }
    }

    /// A stream to the viewer, if it listens: Rerun's own client would wait for it without limit.
    fn reach(
        &mut self,
        identity: &Identity,
        destination: &Destination,
        tell: &dyn Fn(&str),
    ) -> Result<Option<RecordingStream>, SinkError> {
        self.check()?;
        let patience = if self.started.is_some() { Duration::ZERO } else { RETRY };
        if self.tried.is_some_and(|tried| tried.elapsed() < patience) {
            return Ok(None);
        }
        let uri: ProxyUri = self.url.parse().map_err(|e| SinkError::Other(format!("{}: {e}", self.url)))?;
        let reached = listens(&uri);
        self.tried = Some(Instant::now());
        if !reached {
            if !std::mem::replace(&mut self.told, true) && *destination != Destination::Spawn {
                tell(&format!(
                    "viewer: nothing listens at {} yet; training continues, and nerve keeps trying to connect",
                    self.url
                ));
            }
            return Ok(None);
        }
        self.told = true;
        self.gone = Arc::default();
        let end = Watched { client: GrpcSink::new(uri), gone: self.gone.clone() };
        identity.stream(LIVE_TICK, Box::new(end)).map(Some)
    }
}

/// Whether something accepts connections there.
fn listens(uri: &ProxyUri) -> bool {
    let host = uri.origin.host.to_string();
    // A name may have several addresses, the first of which need not be the one.
    let addresses = (host.trim_matches(['[', ']']), uri.origin.port).to_socket_addrs();
    addresses.is_ok_and(|mut all| all.any(|address| TcpStream::connect_timeout(&address, REACH).is_ok()))
}

/// Rerun's client, which discards everything once its viewer has gone, and says so here.
struct Watched {
    client: GrpcSink,
    gone: Arc<AtomicBool>,
}

impl Watched {
    fn watch(&self) {
        if matches!(self.client.status(), GrpcSinkConnectionState::Disconnected(_)) {
            self.gone.store(true, Ordering::Relaxed);
        }
    }
}

impl LogSink for Watched {
    fn send(&self, message: LogMsg) {
        self.client.send(message);
        self.watch();
    }

    fn flush_blocking(&self, timeout: Duration) -> Result<(), SinkFlushError> {
        let flushed = self.client.flush_blocking(timeout);
        self.watch();
        flushed
    }
}

/// A port of this machine that nobody listens on: the one that is asked for, else the usual one, else any.
fn free_port(asked: Option<u16>) -> Result<u16, SinkError> {
    let bind = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let listener = match asked {
        Some(port) => bind(port).map_err(|e| {
            SinkError::Other(format!(
                "port {port} cannot be listened on: {e}; use another, --viewer serve=PORT"
            ))
        })?,
        None => {
            let usual = bind(rerun::DEFAULT_SERVER_PORT).or_else(|_| bind(0));
            recording::os_error("a free port", usual)?
        }
    };
    Ok(recording::os_error("a free port", listener.local_addr())?.port())
}

/// Says how to look at what is served, and serves the page for browsers if this build has it.
fn announce(url: &str, tell: &dyn Fn(&str)) -> Option<Page> {
    #[cfg(feature = "web-viewer")]
    match Page::serve(url) {
        Ok(page) => {
            tell(&format!("viewer: open {} in a browser, or run: rerun {url}", page.address()));
            return Some(page);
        }
        Err(error) => tell(&format!("viewer: no page for browsers: {error}")),
    }
    tell(&format!("viewer: serving; to look, run: rerun {url}    (in a browser: rerun --web-viewer {url})"));
    None
}
