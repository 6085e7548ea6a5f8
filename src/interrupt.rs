//! Ctrl-C and SIGTERM.

use crate::output::remark;
use nerve_core::run::Cancel;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of an interrupted command, as shells report SIGINT.
pub const EXIT_CODE: u8 = 130;

/// The user's wish to stop. The first signal asks for a clean end where there is one to be had, and ends the
/// process at once elsewhere, such as while images are decoded; the second always ends it.
pub struct Interrupt {
    cancel: Cancel,
    clean: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP; call it once.
    pub fn install() -> Result<Self, ctrlc::Error> {
        let this = Self { cancel: Cancel::new(), clean: Arc::default() };
        let (cancel, clean) = (this.cancel.clone(), this.clean.clone());
        ctrlc::set_handler(move || {
            if cancel.is_cancelled() || !clean.load(Ordering::Relaxed) {
                remark("\ninterrupted");
                process::exit(EXIT_CODE.into());
            }
            cancel.cancel();
            remark("\nstopping; press Ctrl-C again to quit at once");
        })?;
        Ok(this)
    }

    /// That work is over: the first signal ends the process again, unless one has come already.
    pub fn at_once(&self) {
        self.clean.store(false, Ordering::Relaxed);
    }

    /// From now on the work watches the token, so that the first signal leaves time for a clean end.
    pub fn clean(&self) -> &Cancel {
        self.clean.store(true, Ordering::Relaxed);
        &self.cancel
    }
}
