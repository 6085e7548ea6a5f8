//! The other end of a connection: viewers that read, and peers that never do.
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use rerun::external::re_log_encoding::Encoder;
use rerun::external::{re_grpc_client, re_grpc_server};
use rerun::log::LogMsg;
use tokio::runtime::Runtime;

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

pub fn url(port: u16) -> String {
    format!("rerun+http://127.0.0.1:{port}/proxy")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A viewer: it listens, and keeps what it is told.
pub struct Listener {
    runtime: Runtime,
    messages: re_log_channel::LogReceiver,
    stop: re_grpc_server::shutdown::Signal,
}

impl Listener {
    pub fn new(port: u16) -> Self {
        let runtime = runtime();
        let (stop, stopped) = re_grpc_server::shutdown::shutdown();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (messages, _) = {
            let _inside = runtime.enter();
            re_grpc_server::spawn_with_recv(address, rerun::ServerOptions::default(), stopped)
        };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "the viewer does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { runtime, messages, stop }
    }

    /// All that was told, once nothing has come for a while, as a file.
    pub fn save(&self, path: &Path) {
        save(&self.messages, path);
    }

    /// As if the window were closed.
    pub fn close(self) {
        self.stop.stop();
        self.runtime.shutdown_timeout(Duration::from_secs(5));
    }
}

/// A viewer that connects to a server and keeps what it is told.
pub struct Reader {
    /// Dropped first: it ends a freeze, and the runtime's end waits for that.
    frozen: Option<Sender<()>>,
    runtime: Runtime,
    messages: re_log_channel::LogReceiver,
}

impl Reader {
    pub fn new(port: u16) -> Self {
        let runtime = runtime();
        let messages = {
            let _inside = runtime.enter();
            let handle = re_async::AsyncRuntimeHandle::from_current_tokio_runtime_or_wasmbindgen().unwrap();
            re_grpc_client::stream(&handle, url(port).parse().unwrap())
        };
        Self { frozen: None, runtime, messages }
    }

    /// Waits until something was told.
    pub fn wait(&self) {
        let start = Instant::now();
        while self.messages.try_recv().is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "nothing was told");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// From now on nothing more is read, as if the process were stopped: its only thread does something else.
    pub fn freeze(&mut self) {
        let (frozen, thaw) = channel();
        let (begin, begun) = channel();
        self.runtime.spawn(async move {
            let _ = begin.send(());
            let _ = thaw.recv();
        });
        begun.recv_timeout(Duration::from_secs(20)).unwrap();
        self.frozen = Some(frozen);
    }

    pub fn save(&self, path: &Path) {
        save(&self.messages, path);
    }
}

fn save(messages: &re_log_channel::LogReceiver, path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut encoder = Encoder::local().unwrap();
    let mut last = Instant::now();
    while last.elapsed() < Duration::from_millis(1500) {
        match messages.try_recv() {
            Ok(message) => {
                if let Some(re_log_channel::DataSourceMessage::LogMsg(message)) = message.into_data() {
                    let message: LogMsg = message;
                    encoder.append(&message).unwrap();
                    last = Instant::now();
                }
            }
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    encoder.finish().unwrap();
    std::io::Write::write_all(&mut file, &encoder.into_inner().unwrap()).unwrap();
}
