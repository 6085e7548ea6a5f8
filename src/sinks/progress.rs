//! How training goes, on stderr.

use crate::format;
use crate::output::remark;
use crate::progress::{EVERY, bar};
use indicatif::ProgressBar;
use nerve_core::run::{Event, Level, Sink, SinkError};
use std::borrow::Cow;
use std::time::{Duration, Instant};

/// The bar's length: progress is a share of steps or of time.
const LENGTH: u64 = 1000;

/// A bar on a terminal, else a line every few seconds.
pub struct Progress {
    bar: ProgressBar,
    said: Option<Instant>,
}

impl Progress {
    /// The sink, and the bar to clear once training has ended.
    pub fn new() -> (Self, ProgressBar) {
        let bar = bar("{bar:24} {percent:>3}%  {msg}");
        bar.set_length(LENGTH);
        (Self { bar: bar.clone(), said: None }, bar)
    }

    fn say(&self, text: &str) {
        if self.bar.is_hidden() { remark(text) } else { self.bar.println(text) }
    }

    fn scalars(&mut self, step: u64, values: &[(Cow<'static, str>, f64)]) {
        let get = |name: &str| values.iter().find(|(n, _)| n == name).map(|(_, value)| *value);
        if let (Some(psnr), Some(ssim)) = (get("eval/psnr"), get("eval/ssim")) {
            self.say(&format!("step {step}: held-out PSNR {psnr:.2} dB, SSIM {ssim:.4}"));
        }
        if let (Some(iou), Some(accuracy)) = (get("eval/mIoU"), get("eval/aAcc")) {
            let (iou, accuracy) = (100.0 * iou, 100.0 * accuracy);
            self.say(&format!("step {step}: held-out mIoU {iou:.1} %, pixel accuracy {accuracy:.1} %"));
        }
        let Some(progress) = get("progress") else { return };
        if self.bar.is_finished() {
            return;
        }
        let message = message(step, get);
        if !self.bar.is_hidden() {
            self.bar.set_position((progress * LENGTH as f64) as u64);
            self.bar.set_message(message);
        } else if progress >= 1.0 || self.said.is_none_or(|said| said.elapsed() >= EVERY) {
            self.said = Some(Instant::now());
            remark(format_args!("{:>3.0}%  {message}", 100.0 * progress));
        }
    }
}

fn message(step: u64, get: impl Fn(&str) -> Option<f64>) -> String {
    let number = |name| get(name).unwrap_or(f64::NAN);
    let eta = Duration::try_from_secs_f64(number("eta_s")).unwrap_or_default();
    if let Some(rate) = get("images_per_s") {
        let (loss, left) = (number("loss"), format::time(eta));
        return format!("step {step}  loss {loss:.3}  {rate:.2} pictures/s  {left} left");
    }
    format!(
        "step {step}  loss {:.2e}  {:.2} dB  {} rays/s  {} samples/s  {} left",
        number("loss"),
        number("psnr"),
        format::count(number("rays_per_s")),
        format::count(number("samples_per_s")),
        format::time(eta),
    )
}

impl Sink for Progress {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        match event {
            Event::Scalars { step, values, .. } => self.scalars(*step, values),
            Event::Text { level, message } => self.say(&match level {
                Level::Info => message.clone(),
                Level::Warning => format!("warning: {message}"),
                Level::Error => format!("error: {message}"),
            }),
            Event::Done { .. } => self.bar.finish_and_clear(),
            // Nothing to read on a line.
            Event::Image { .. }
            | Event::Histogram { .. }
            | Event::Map { .. }
            | Event::Classes { .. }
            | Event::Labels { .. }
            | Event::PerClass { .. }
            | Event::Confusion { .. }
            | Event::Cameras { .. }
            | Event::Path { .. }
            | Event::Points { .. }
            | Event::Mesh { .. }
            | Event::Voxels { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_what_people_look_for() {
        let values = [
            ("loss", 0.001),
            ("psnr", 30.0),
            ("rays_per_s", 84_200.0),
            ("samples_per_s", 1.31e6),
            ("eta_s", 75.0),
        ];
        let get = |name: &str| values.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        let text = "step 40  loss 1.00e-3  30.00 dB  84.2k rays/s  1.31M samples/s  1:15 min left";
        assert_eq!(message(40, get), text);
    }
}
