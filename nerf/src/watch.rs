//! What is remembered between the reports of a run.

use crate::show::Show;
use nerve_core::engine::StepStats;

/// What a run reports and shows on the way.
#[derive(Default)]
pub(crate) struct Watch {
    /// What is shown, once the run has begun.
    pub show: Option<Show>,
    /// Of the steps since the last report.
    pub sum: StepStats,
    /// Steps and samples of this session, up to the last report.
    pub taken: (u64, usize),
}
