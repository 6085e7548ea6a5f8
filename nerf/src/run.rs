//! A run of a field: what core's loop asks of it, and what it reports.

use crate::error::NerfError;
use crate::eval::{EvalOptions, evaluate};
use crate::live::sampled_share;
use crate::publish::publish_surface;
use crate::show::Show;
use crate::steering::{closed_share, open_saliencies};
use crate::structure::histogram;
use crate::trainer::Trainer;
use crate::watch::Watch;
use nerve_core::engine::{Phases, StepStats};
use nerve_core::metrics::psnr_from_mse;
use nerve_core::run::{
    Cancel, Clock, DoneReason, Event, Events, Level, Metric, Rate, ReportWindow, RunConfig, Trainee,
    TrainingReport, drive,
};
use nerve_data::inspect::SMALLEST_SIDE;
use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

/// Steps between two histograms of the saliency.
const HISTOGRAM_EVERY: u64 = 100;

/// Steps between two publications of the saliency grid.
const GRID_EVERY: u64 = 500;

/// What is said of steps that have trained nothing.
const NO_SAMPLE: &str = "no ray met anything: not one sample was taken, so nothing was learned; --near may lie behind the \
    scene, the poses may look past the render box (`nerve inspect SCENE` says), or all cells were closed";

type NamedValue = (Cow<'static, str>, f64);

impl Trainee for Trainer {
    type Error = NerfError;
    const REPORT_EVERY: u64 = 20;

    fn run_config(&self) -> &RunConfig {
        &self.config().train.run
    }

    fn step_count(&self) -> u64 {
        self.model.step_count()
    }

    fn clock(&self) -> &Clock {
        &self.model.clock
    }

    fn clock_mut(&mut self) -> &mut Clock {
        &mut self.model.clock
    }

    fn begin(&mut self, events: &Events) {
        let show = Show::new(self.model(), self.scene(), events);
        self.watch = Watch { show, ..Watch::default() };
    }

    fn step(&mut self) -> Result<f64, NerfError> {
        let stats = Self::step(self)?;
        if !stats.loss.is_finite() {
            let lr = self.config().train.lr;
            return Err(NerfError::Diverged { step: self.step_count(), lr });
        }
        let sum = &mut self.watch.sum;
        sum.rays += stats.rays;
        sum.samples += stats.samples;
        sum.kept += stats.kept;
        sum.phases += stats.phases;
        (0..2).for_each(|i| sum.spread[i] += stats.spread[i]);
        Ok(stats.loss)
    }

    fn has_diverged(error: &NerfError) -> bool {
        matches!(error, NerfError::Diverged { .. })
    }

    fn report(&mut self, window: &ReportWindow, events: &Events) -> Result<TrainingReport, NerfError> {
        let sum = std::mem::take(&mut self.watch.sum);
        self.watch.taken = (self.watch.taken.0 + window.steps, self.watch.taken.1 + sum.samples);
        let (rays, samples) = (sum.rays as f64 / window.seconds, sum.samples as f64 / window.seconds);
        let psnr = psnr_from_mse(window.loss);
        let mut values =
            vec![("psnr".into(), psnr), ("rays_per_s".into(), rays), ("samples_per_s".into(), samples)];
        values.extend(self.figures(window, &sum));
        values.extend(self.report_saliency(events)?);
        Ok(TrainingReport {
            rates: vec![Rate::new(rays, "rays"), Rate::new(samples, "samples")],
            metric: Some(Metric::decibels("PSNR", psnr)),
            values,
        })
    }

    fn evaluate(&mut self, events: &Events, cancel: &Cancel) -> Result<(), NerfError> {
        self.glance(events, cancel)
    }

    fn is_preview_due(&self) -> bool {
        self.watch.show.as_ref().is_some_and(Show::is_due)
    }

    fn preview(&mut self, events: &Events) -> Result<(), NerfError> {
        let Some(mut show) = self.watch.show.take() else { return Ok(()) };
        let shown = self.averaged(|model, _| {
            show.show(model, events);
            Ok(())
        });
        self.watch.show = Some(show);
        shown
    }

    fn save(&mut self, checkpoint: &Path) -> Result<(), NerfError> {
        Self::save(self, checkpoint)
    }

    fn end(&mut self, events: &Events) -> Result<(), NerfError> {
        if matches!(self.watch.taken, (1.., 0)) {
            let message = NO_SAMPLE.to_owned();
            events.publish(Event::Text { level: Level::Warning, message });
        }
        self.preview(events)?;
        if self.watch.show.is_some() {
            self.averaged(|model, _| {
                publish_surface(model, events);
                Ok::<_, NerfError>(())
            })?;
        }
        // As after loading: what is evaluated next is the field at this point of the run, not before its last step.
        self.tell_progress();
        Ok(())
    }
}

impl Trainer {
    /// Trains until the configured end or until `cancel`; see [`drive`], which leaves the end to the caller: to measure
    /// the finished field, to publish [`Event::Done`] and to close the stream.
    ///
    /// # Errors
    /// If the loss stops being finite, or a checkpoint cannot be written.
    pub fn run(
        &mut self,
        checkpoint: &Path,
        events: &Events,
        cancel: &Cancel,
    ) -> Result<DoneReason, NerfError> {
        drive(self, checkpoint, events, cancel)
    }

    /// Evaluates up to four held-out views on the way, unless cancelled.
    fn glance(&mut self, events: &Events, cancel: &Cancel) -> Result<(), NerfError> {
        let scene = self.scene();
        let is_whole = |view: &usize| {
            let image = &scene.views[*view].image;
            image.width().min(image.height()) >= SMALLEST_SIDE
        };
        let views: Vec<usize> = scene.splits.eval().iter().copied().filter(is_whole).collect();
        if views.is_empty() {
            return Ok(());
        }
        let views: Vec<usize> = views.iter().step_by(views.len().div_ceil(4)).copied().collect();
        let options = EvalOptions { renders: None, lpips: None, events, cancel };
        let report = self.averaged(|model, scene| evaluate(model, scene, &views, &options, &mut |_| {}))?;
        let Some(report) = report else { return Ok(()) };
        let (step, elapsed) = (self.step_count(), self.elapsed());
        let values = vec![("eval/psnr".into(), report.psnr), ("eval/ssim".into(), report.ssim)];
        events.publish(Event::Scalars { step, elapsed, values });
        let scores = vec![Metric::decibels("PSNR", report.psnr), Metric::number("SSIM", report.ssim)];
        events.publish(Event::Scores { step, scores });
        Ok(())
    }

    /// What is reported of a window beside its rates; `sum` is over its steps.
    fn figures(&self, window: &ReportWindow, sum: &StepStats) -> Vec<NamedValue> {
        let n = window.steps as f64;
        let ms = |d: Duration| d.as_secs_f64() * 1e3 / n;
        let Phases { draw, stages, dense, tables } = sum.phases;
        let (config, samples) = (self.config(), sum.samples as f64);
        let mut values: Vec<NamedValue> = vec![
            ("lr".into(), f64::from(config.train.lr) * config.schedule.factor(window.progress)),
            ("rays".into(), sum.rays as f64 / n),
            ("samples".into(), samples / n),
            ("kept_share".into(), sum.kept as f64 / samples.max(1.0)),
            ("occupied_share".into(), self.model.occupied()),
            ("ms/draw".into(), ms(draw)),
            ("ms/stages".into(), ms(stages)),
            ("ms/dense".into(), ms(dense)),
            ("ms/tables".into(), ms(tables)),
            ("ms/step".into(), window.seconds * 1e3 / n),
        ];
        let names = ["distortion", "depth_deviation"];
        let weights = [config.train.distortion, config.train.depth_weight()];
        for ((name, weight), sum) in names.into_iter().zip(weights).zip(sum.spread) {
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
        values
    }

    /// What is reported of the saliency grid, if there is one; its histogram and the grid itself are published now and
    /// then.
    fn report_saliency(&mut self, events: &Events) -> Result<Vec<NamedValue>, NerfError> {
        let saliency = self.model.saliency()?;
        let Some((grid, pruner)) = saliency.as_ref().zip(self.pruner()) else { return Ok(Vec::new()) };
        let mut values: Vec<NamedValue> = vec![
            ("saliency/mean".into(), pruner.mean),
            ("saliency/gamma".into(), pruner.gamma),
            ("saliency/closed_share".into(), closed_share(grid)),
        ];
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
        values.push(("saliency/live_share".into(), sampled_share(&mut self.model)?));
        Ok(values)
    }
}
