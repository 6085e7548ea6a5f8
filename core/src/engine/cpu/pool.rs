//! The workers: a rayon pool of a fixed size whose threads flush denormals.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Persistent workers.
#[derive(Clone, Debug)]
pub struct Pool {
    pool: Arc<ThreadPool>,
    threads: usize,
}

impl Pool {
    /// `threads` workers; 0 means one per core.
    ///
    /// # Errors
    /// If the system refuses to start a thread.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("nerve-{i}"))
            .start_handler(|_| crate::simd::flush_denormals())
            .build()?;
        let threads = pool.current_num_threads();
        Ok(Self { pool: Arc::new(pool), threads })
    }

    /// The number of workers.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `f` on a worker, with rayon's parallel iterators bound to the pool.
    pub fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        self.pool.install(f)
    }

    /// The current worker's index, below [`Self::threads`].
    pub fn worker() -> usize {
        rayon::current_thread_index().unwrap_or(0)
    }
}

/// Locks what only one worker uses at a time. A worker that panicked has ended the run.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
