//! The clock of a run.
use std::time::{Duration, Instant};

/// Time spent in training: that of earlier sessions, and of this one while the clock runs. Evaluation, pictures and
/// saving do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Before `since`.
    before: Duration,
    /// When it was last started, if it runs.
    since: Option<Instant>,
}

impl Clock {
    /// A clock that stands at `elapsed`.
    #[must_use]
    pub fn at(elapsed: Duration) -> Self {
        Self { before: elapsed, since: None }
    }

    /// What it shows.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Starts it; one that runs goes on.
    pub fn start(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Stops it; one that stands stays as it is.
    pub fn stop(&mut self) {
        *self = Self::at(self.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn only_the_time_between_start_and_stop_counts() {
        const PAUSE: Duration = Duration::from_millis(5);
        let mut clock = Clock::at(Duration::from_secs(100));
        sleep(PAUSE);
        assert_eq!(clock.elapsed(), Duration::from_secs(100));
        clock.start();
        sleep(PAUSE);
        clock.start();
        let running = clock.elapsed();
        assert!(running >= Duration::from_secs(100) + PAUSE, "a second start does not begin anew");
        clock.stop();
        let stopped = clock.elapsed();
        assert!(stopped >= running);
        sleep(PAUSE);
        clock.stop();
        assert_eq!(clock.elapsed(), stopped);
    }
}
