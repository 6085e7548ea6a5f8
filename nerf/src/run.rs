//! A whole run: steps, events, checkpoints, until the end or a cancellation.

use crate::error::NerfError;
use crate::eval::{EvalOptions, evaluate};
use crate::live::sampled_share;
use crate::publish::publish_surface;
use crate::show::Show;
use crate::steering::{closed_share, open_saliencies};
use crate::structure::histogram;
use crate::trainer::Trainer;
use nerve_core::engine::{Phases, StepStats};
use nerve_core::metrics::psnr_from_mse;
use nerve_core::run::{Cancel, DoneReason, Event, Events};
use std::path::Path;
use std::time::{Duration, Instant};

/// Steps between two reports.
pub const REPORT_EVERY: u64 = 20;

/// Steps between two histograms of the saliency.
const HISTOGRAM_EVERY: u64 = 100;

/// Steps between two publications of the saliency grid.
const GRID_EVERY: u64 = 500;

/// How long a checkpoint waits for the log to reach its step.
const FLUSH: Duration = Duration::from_secs(5);

/// What happened since the last report.
struct Window {
    since: Instant,
    steps: u64,
    sum: StepStats,
    loss: f64,
}

impl Window {
    fn new() -> Self {
        Self { since: Instant::now(), steps: 0, sum: StepStats::default(), loss: 0.0 }
    }

    fn add(&mut self, s: &StepStats) {
        self.steps += 1;
        self.loss += s.loss;
        self.sum.rays += s.rays;
        self.sum.samples += s.samples;
        self.sum.kept += s.kept;
        self.sum.phases += s.phases;
        (0..2).for_each(|i| self.sum.spread[i] += s.spread[i]);
    }
}

impl Trainer {
    /// Trains until the configured end or until `cancel`, publishing scalars every [`REPORT_EVERY`] steps and
    /// saving to `checkpoint` every `save_every` seconds and at the end.
    ///
    /// # Errors
    /// If the loss stops being finite, or a checkpoint cannot be written.
    pub fn run(
        &mut self,
        checkpoint: &Path,
        events: &Events,
        cancel: &Cancel,
    ) -> Result<DoneReason, NerfError> {
        let save_every = Duration::from_secs_f64(self.config().train.save_every);
        let eval_every = self.config().train.eval_every;
        let mut saved = Instant::now();
        let mut window = Window::new();
        let mut show = Show::new(&self.model, self.scene(), events);
        self.start_clock();
        while self.progress() < 1.0 && !cancel.is_cancelled() {
            let stats = self.step()?;
            if !stats.loss.is_finite() {
                return Err(NerfError::Diverged { step: self.step_count(), lr: self.config().train.lr });
            }
            window.add(&stats);
            if self.step_count().is_multiple_of(REPORT_EVERY) {
                self.report(&window, events)?;
                window = Window::new();
            }
            if eval_every.is_some_and(|every| self.step_count().is_multiple_of(every)) {
                self.stop_clock();
                self.glance(events, cancel)?;
                self.start_clock();
            }
            if show.is_due() {
                self.stop_clock();
                self.averaged(|model, _| {
                    show.show(model, events);
                    Ok::<_, NerfError>(())
                })?;
                self.start_clock();
            }
            if saved.elapsed() >= save_every {
                self.checkpoint(checkpoint, events)?;
                saved = Instant::now();
            }
        }
        if window.steps > 0 {
            self.report(&window, events)?;
        }
        self.checkpoint(checkpoint, events)?;
        self.stop_clock();
        if show.is_wanted() {
            self.averaged(|model, _| {
                show.show(model, events);
                publish_surface(model, events);
                Ok::<_, NerfError>(())
            })?;
        }
        // As after loading: what is evaluated next is the field at this point of the run, not before its last step.
        self.tell_progress();
        Ok(if self.progress() < 1.0 { DoneReason::Cancelled } else { DoneReason::Finished })
    }

    /// Saves with the clock stopped, after the log has caught up: it never ends before the checkpoint's step.
    fn checkpoint(&mut self, path: &Path, events: &Events) -> Result<(), NerfError> {
        self.stop_clock();
        events.flush(FLUSH);
        self.save(path)?;
        self.start_clock();
        Ok(())
    }

    /// Evaluates up to four held-out views on the way, unless cancelled.
    fn glance(&mut self, events: &Events, cancel: &Cancel) -> Result<(), NerfError> {
        let views = self.scene().splits.eval();
        if views.is_empty() {
            return Ok(());
        }
        let views: Vec<usize> = views.iter().step_by(views.len().div_ceil(4)).copied().collect();
        let options = EvalOptions { renders: None, lpips: None, events, cancel };
        let report = self.averaged(|model, scene| evaluate(model, scene, &views, &options, &mut |_| {}))?;
        let Some(report) = report else { return Ok(()) };
        let values = vec![("eval/psnr".into(), report.psnr), ("eval/ssim".into(), report.ssim)];
        events.publish(Event::Scalars { step: self.step_count(), elapsed: self.elapsed(), values });
        Ok(())
    }

    fn report(&mut self, window: &Window, events: &Events) -> Result<(), NerfError> {
        let (n, seconds) = (window.steps as f64, window.since.elapsed().as_secs_f64().max(1e-9));
        let loss = window.loss / n;
        let ms = |d: Duration| d.as_secs_f64() * 1e3 / n;
        let Phases { draw, stages, dense, tables } = window.sum.phases;
        let progress = self.progress();
        let eta = self.elapsed().as_secs_f64() * (1.0 - progress) / progress.max(1e-9);
        let samples = window.sum.samples as f64;
        let mut values = vec![
            ("loss".into(), loss),
            ("psnr".into(), psnr_from_mse(loss)),
            ("lr".into(), f64::from(self.config().train.lr) * self.config().schedule.factor(progress)),
            ("progress".into(), progress),
            ("eta_s".into(), eta),
            ("rays_per_s".into(), window.sum.rays as f64 / seconds),
            ("samples_per_s".into(), samples / seconds),
            ("rays".into(), window.sum.rays as f64 / n),
            ("samples".into(), samples / n),
            ("kept_share".into(), window.sum.kept as f64 / samples.max(1.0)),
            ("occupied_share".into(), self.model.occupied()),
            ("ms/draw".into(), ms(draw)),
            ("ms/stages".into(), ms(stages)),
            ("ms/dense".into(), ms(dense)),
            ("ms/tables".into(), ms(tables)),
            ("ms/step".into(), seconds * 1e3 / n),
        ];
        let names = ["distortion", "depth_deviation"];
        let weights = [self.config().train.distortion, self.config().train.depth_weight()];
        for ((name, weight), sum) in names.into_iter().zip(weights).zip(window.sum.spread) {
            if weight > 0.0 {
                values.push((name.into(), sum / n));
            }
        }
        if let Some(change) = self.model.pose_change() {
            values.push(("poses/mean_degrees".into(), change.mean_degrees));
            values.push(("poses/max_degrees".into(), change.max_degrees));
            values.push(("poses/mean_percent".into(), change.mean_percent));
            values.push(("poses/max_percent".into(), change.max_percent));
        }
        let saliency = self.model.saliency()?;
        if let Some((grid, pruner)) = saliency.as_ref().zip(self.pruner()) {
            values.push(("saliency/mean".into(), pruner.mean));
            values.push(("saliency/gamma".into(), pruner.gamma));
            values.push(("saliency/closed_share".into(), closed_share(grid)));
            values.push(("saliency/live_share".into(), sampled_share(&mut self.model)?));
        }
        events.publish(Event::Scalars { step: self.step_count(), elapsed: self.elapsed(), values });
        if let Some(grid) = &saliency {
            self.report_saliency(grid, events);
        }
        Ok(())
    }

    /// The saliency's histogram and the grid itself, now and then.
    fn report_saliency(&self, grid: &[f32], events: &Events) {
        let (step, elapsed) = (self.step_count(), self.elapsed());
        if step.is_multiple_of(HISTOGRAM_EVERY) {
            let counts = histogram(grid).to_vec().into();
            let (name, range) = ("saliency/p".into(), [0.0, 1.0]);
            events.publish(Event::Histogram { step, elapsed, name, range, counts });
        }
        if step.is_multiple_of(GRID_EVERY) {
            let cells = [self.config().hollow.saliency_side; 3];
            let frame = self.model.box_frame(f64::from(self.scene().aabb_scale));
            let values = open_saliencies(grid).into();
            events.publish(Event::Voxels { step, name: "saliency".into(), cells, frame, values });
        }
    }
}
