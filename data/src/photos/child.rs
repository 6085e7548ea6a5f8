//! Running a program whose output is read line by line, and which can be stopped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

/// How often `stop` is asked.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a program to its end, writing its output to `log` and passing each line to `listen`. `None` if `stop` returned
/// true and the program was ended, with all processes that it had started.
pub(super) fn run(
    mut command: Command,
    mut log: File,
    listen: &mut dyn FnMut(&str),
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<ExitStatus>> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: a terminal's Ctrl-C comes to nerve alone, and all of it can be ended at once.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut running = Running(command.spawn()?);
    let (send, lines) = mpsc::channel();
    if let Some(out) = running.0.stdout.take() {
        forward(out, send.clone());
    }
    if let Some(err) = running.0.stderr.take() {
        forward(err, send);
    }
    loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) => {
                log.write_all(&line)?;
                listen(String::from_utf8_lossy(&line).trim_end());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if stop() {
            return Ok(None);
        }
    }
    // Both streams are closed, so it is ending; it may still be asked to stop.
    loop {
        if let Some(status) = running.0.try_wait()? {
            return Ok(Some(status));
        }
        if stop() {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

fn forward(stream: impl Read + Send + 'static, lines: Sender<Vec<u8>>) {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match stream.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                // Nobody listens any more.
                Ok(_) if lines.send(line).is_err() => return,
                Ok(_) => {}
            }
        }
    });
}

/// A child process that is ended on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        #[cfg(unix)]
        if let Ok(id) = i32::try_from(self.0.id()) {
            // The group has the child's number. Its database recovers from any end.
            let _ =
                nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
