//! Lines for programs on stdout, by a thread of their own: a reader that stops reading, or goes away, holds up nothing.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that may wait.
const WAITING: usize = 1 << 14;
/// How long a reader may let the program wait without taking a line.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Stdout, one whole line a write.
///
/// A line waits in a queue. Where the queue is full, or at the end of the program, the reader has [`PATIENCE`] to take the
/// next line; one that does not is given up, and what follows is dropped.
pub struct Lines;

struct Queue {
    sender: SyncSender<Vec<u8>>,
    /// Lines that were put into the queue.
    sent: AtomicU64,
    /// Lines that are written, or never will be.
    done: AtomicU64,
    given_up: AtomicBool,
}

static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Writes until stdout fails.
fn serve(lines: &Receiver<Vec<u8>>) {
    let mut open = true;
    while let Ok(line) = lines.recv() {
        if open {
            let mut out = io::stdout();
            open = out.write_all(&line).and_then(|()| out.flush()).is_ok();
        }
        if let Some(queue) = QUEUE.get() {
            queue.done.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn queue() -> &'static Queue {
    QUEUE.get_or_init(|| {
        let (sender, lines) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("JSON lines".into());
        let given_up = thread.spawn(move || serve(&lines)).is_err();
        Queue { sender, sent: AtomicU64::new(0), done: AtomicU64::new(0), given_up: given_up.into() }
    })
}

impl Queue {
    /// Waits until `ready`, as long as lines are taken.
    fn wait(&self, mut ready: impl FnMut() -> bool) {
        let (mut seen, mut since) = (self.done.load(Ordering::Relaxed), Instant::now());
        while !ready() && !self.given_up.load(Ordering::Relaxed) {
            thread::sleep(PAUSE);
            let done = self.done.load(Ordering::Relaxed);
            if done != seen {
                (seen, since) = (done, Instant::now());
            } else if since.elapsed() >= PATIENCE {
                self.given_up.store(true, Ordering::Relaxed);
            }
        }
    }

    fn send(&self, line: Vec<u8>) {
        let mut line = Some(line);
        self.wait(|| {
            let Some(waiting) = line.take() else { return true };
            match self.sender.try_send(waiting) {
                Ok(()) => {
                    self.sent.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(TrySendError::Full(waiting)) => {
                    line = Some(waiting);
                    false
                }
                Err(TrySendError::Disconnected(_)) => true,
            }
        });
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        queue().send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Waits until all lines are written, or the reader is given up.
    pub fn finish() {
        if let Some(queue) = QUEUE.get() {
            queue.wait(|| queue.done.load(Ordering::Relaxed) >= queue.sent.load(Ordering::Relaxed));
        }
    }
}
