//! Videos of rendered frames: GIF by ourselves, MP4 by ffmpeg.

use crate::context::Context;
use crate::frames::{Layer, Plan};
use crate::outcome::Outcome;
use crate::output::remark;
use crate::progress::Counter;
use anyhow::Context as _;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, ImageReader};
use nerve_core::run::AtomicFile;
use serde_json::json;
use std::fs;
use std::io::{BufWriter, ErrorKind};
use std::path::Path;
use std::process::{Command, Stdio};

/// How much the colors of a GIF's frame are looked at: 1 (all) to 30.
const GIF_SPEED: i32 = 10;

/// What the frames become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum VideoArg {
    /// H.264, by ffmpeg
    Mp4,
    /// An animated GIF of 256 colors a frame
    Gif,
    /// Frames only
    Off,
}

/// Makes a video of each layer, beside its folder.
pub fn make(context: &Context, out: &Path, plan: &Plan, kind: VideoArg) -> anyhow::Result<Outcome> {
    for layer in &plan.layers {
        let file = match kind {
            VideoArg::Off => return Ok(Outcome::Done),
            VideoArg::Gif => {
                if !gif(context, out, plan, *layer)? {
                    return Ok(Outcome::Interrupted);
                }
                out.join(layer.name()).with_extension("gif")
            }
            VideoArg::Mp4 => {
                let file = out.join(layer.name()).with_extension("mp4");
                if !mp4(out, plan, *layer, &file)? {
                    continue;
                }
                file
            }
        };
        context.output.say(format_args!("wrote {}", file.display()));
        context.output.line("video", &json!({"file": file}));
    }
    Ok(Outcome::Done)
}

/// False if it was interrupted.
fn gif(context: &Context, out: &Path, plan: &Plan, layer: Layer) -> anyhow::Result<bool> {
    let file = out.join(layer.name()).with_extension("gif");
    let failed = || format!("{}: cannot be written; make room and render again", file.display());
    let cancel = context.interrupt.clean();
    let counter = Counter::new("encoding frames");
    let mut out_file = BufWriter::new(AtomicFile::create(&file).with_context(failed)?);
    let mut encoder = GifEncoder::new_with_speed(&mut out_file, GIF_SPEED);
    encoder.set_repeat(Repeat::Infinite).with_context(failed)?;
    for frame in 0..plan.frames.len() {
        if cancel.is_cancelled() {
            return Ok(false);
        }
        let png = Plan::file(out, layer, frame);
        let picture = ImageReader::open(&png).with_context(|| png.display().to_string())?.decode();
        let picture =
            picture.with_context(|| format!("{}: remove it and render again", png.display()))?.into_rgba8();
        let delay = Delay::from_numer_denom_ms((1e6 / plan.fps).round() as u32, 1000);
        encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay)).with_context(failed)?;
        counter.set(frame + 1, plan.frames.len());
    }
    // Its end is written when it is dropped; what then fails is seen when the file is flushed.
    drop(encoder);
    out_file.into_inner().map_err(|e| e.into_error()).and_then(AtomicFile::commit).with_context(failed)?;
    Ok(true)
}

/// False if there is no ffmpeg, which is said with the command that it would have been given.
fn mp4(out: &Path, plan: &Plan, layer: Layer, file: &Path) -> anyhow::Result<bool> {
    let unfinished = file.with_file_name(format!(".{}.unfinished.mp4", layer.name()));
    let frames = out.join(layer.name()).join("%05d.png");
    let arguments = |to: &Path| -> Vec<String> {
        let (fps, frames, to) =
            (plan.fps.to_string(), frames.display().to_string(), to.display().to_string());
        // H.264 has even sides, and players want its usual colors.
        let even = "pad=ceil(iw/2)*2:ceil(ih/2)*2";
        let fixed = ["-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", "-movflags", "+faststart"];
        let given = ["-y", "-loglevel", "error", "-framerate", &fps, "-i", &frames, "-vf", even];
        given.into_iter().chain(fixed).chain([to.as_str()]).map(str::to_owned).collect()
    };
    let ran = Command::new("ffmpeg").args(arguments(&unfinished)).stdin(Stdio::null()).output();
    let ran = match ran {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let quoted = arguments(file).into_iter().map(|argument| {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:+%".contains(c);
                if argument.chars().all(plain) { argument } else { format!("'{argument}'") }
            });
            remark(format_args!(
                "ffmpeg, which makes mp4, is not on the PATH; the frames stay. Elsewhere this makes the video (or use --video \
                 gif):\n  ffmpeg {}",
                quoted.collect::<Vec<_>>().join(" ")
            ));
            return Ok(false);
        }
        ran => ran.context("ffmpeg cannot be started")?,
    };
    if !ran.status.success() {
        let _ = fs::remove_file(&unfinished);
        let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        anyhow::bail!("ffmpeg failed, the frames stay: {said}; --video gif needs no ffmpeg");
    }
    fs::rename(&unfinished, file).with_context(|| file.display().to_string())?;
    Ok(true)
}
