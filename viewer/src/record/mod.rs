//! Writes a run's events to a recording stream, as the entities that the crate's documentation lists.
mod cells;
mod labels;
mod numbers;
mod pictures;
mod space;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use nerve_core::run::{Class, Event, ImageRole, LabelRole, MapRole, View};
use rerun::{EntityPath, RecordingStream, RecordingStreamResult};

use crate::blueprint;
use crate::paths::{STEP, TRAINING_TIME, entity, flat};
use crate::start_camera::StartCamera;
use labels::{Known, Labelled};

/// Writes events to one recording stream.
pub(crate) struct Recorder {
    stream: RecordingStream,
    /// Longest side of a picture.
    side: usize,
    /// Training time so far, for events that only know their step.
    elapsed: Duration,
    /// Where the pictures of held-out views go, by the views' names.
    views: HashMap<String, EntityPath>,
    /// Photographs that were written.
    photos: HashSet<EntityPath>,
    labels: Known,
    classes: Arc<[Class]>,
    /// Numbers that each class has.
    bars: Vec<String>,
    /// How many pictures, and of those numbers, the blueprint of labels shows.
    laid_out: [usize; 2],
}

impl Recorder {
    pub(crate) fn new(stream: RecordingStream, side: usize) -> Self {
        Self {
            stream,
            side,
            elapsed: Duration::ZERO,
            views: HashMap::new(),
            photos: HashSet::new(),
            labels: Known::default(),
            classes: Arc::new([]),
            bars: Vec::new(),
            laid_out: [0; 2],
        }
    }

    pub(crate) fn stream(&self) -> &RecordingStream {
        &self.stream
    }

    /// Hands the stream over; it is the caller's to flush, drop or leak.
    pub(crate) fn into_stream(self) -> RecordingStream {
        self.stream
    }

    /// Writes one event. Blocks for as long as the stream does.
    pub(crate) fn record(&mut self, event: &Event) -> RecordingStreamResult<()> {
        match event {
            Event::Scalars { step, elapsed, values } => {
                self.elapsed = *elapsed;
                self.at(*step);
                numbers::scalars(&self.stream, values)
            }
            Event::Histogram { step, elapsed, name, range, counts } => {
                self.elapsed = *elapsed;
                self.at(*step);
                numbers::histogram(&self.stream, name, *range, counts)
            }
            Event::PerClass { step, name, values } => {
                self.at(*step);
                if !self.bars.iter().any(|bars| bars == name) {
                    self.bars.push(name.to_string());
                }
                self.lay_out_labels()?;
                numbers::per_class(&self.stream, name, &self.classes, values)
            }
            Event::Confusion { step, classes, counts } => {
                self.at(*step);
                numbers::confusion(&self.stream, *classes, counts)
            }
            Event::Text { level, message } => numbers::text(&self.stream, *level, message),
            Event::Image { step, name, role, width, height, channels, data } => {
                let path = self.base(name).join(&image_leaf(*role).into());
                // A photograph is the same every time.
                if *role == ImageRole::GroundTruth && !self.photos.insert(path.clone()) {
                    return Ok(());
                }
                self.at(*step);
                let picture = pictures::Pixels { width: *width, height: *height, channels: *channels, data };
                let Some(picture) = pictures::encode(&picture, self.side) else { return Ok(()) };
                let fixed = matches!(role, ImageRole::GroundTruth | ImageRole::Input);
                self.stream.log_with_static(path, fixed, &picture)
            }
            Event::Map { step, name, role, width, height, values } => {
                self.at(*step);
                let Some(map) = pictures::map(*role, [*width, *height], values, self.side) else {
                    return Ok(());
                };
                self.stream.log(self.base(name).join(&map_leaf(*role).into()), &*map)
            }
            Event::Classes { classes } => {
                self.labels.classes = classes.len();
                self.classes = classes.clone();
                labels::classes(&self.stream, classes)
            }
            Event::Labels { step, name, role, width, height, labels } => {
                self.at(*step);
                let labelled = Labelled { width: *width, height: *height, labels: labels.clone() };
                self.labels(name, *role, labelled)
            }
            Event::Cameras { views } => self.cameras(views),
            Event::Path { name, points } => space::path(&self.stream, name, points),
            Event::Points { step, name, positions, colors, radius } => {
                self.at(step.unwrap_or(0));
                space::points(&self.stream, name, step.is_none(), positions, colors, *radius)
            }
            Event::Mesh { step, name, positions, triangles, colors } => {
                self.at(*step);
                space::mesh(&self.stream, name, positions, triangles, colors)
            }
            Event::Voxels { step, name, cells, frame, values } => {
                self.at(*step);
                cells::cells(&self.stream, name, *cells, *frame, values)
            }
            // Their numbers are scalars too, and the end of the stream says that it ends.
            Event::Progress { .. } | Event::Scores { .. } | Event::Done { .. } => Ok(()),
        }
    }

    fn at(&self, step: u64) {
        self.stream.set_time_sequence(STEP, i64::try_from(step).unwrap_or(i64::MAX));
        self.stream.set_duration_secs(TRAINING_TIME, self.elapsed.as_secs_f64());
    }

    /// Where the pictures of a view, or of anything else, go.
    fn base(&self, name: &str) -> EntityPath {
        let other = || entity("pictures", &flat(name));
        self.views.get(name).cloned().unwrap_or_else(other)
    }

    fn cameras(&mut self, views: &Arc<[View]>) -> RecordingStreamResult<()> {
        let names = short_names(views);
        self.views = (views.iter().zip(&names))
            .filter(|(view, _)| view.held_out)
            .map(|(view, short)| (view.name.clone(), entity("views", short)))
            .collect();
        let shown = views.iter().filter(|view| view.held_out && view.photo.is_some());
        self.photos.extend(shown.filter_map(|view| Some(self.views.get(&view.name)?.join(&"photo".into()))));
        let held_out: Vec<&str> =
            views.iter().zip(&names).filter(|(v, _)| v.held_out).map(|(_, n)| n.as_str()).collect();
        blueprint::scene(&held_out, StartCamera::of(views)).send(&self.stream)?;
        space::cameras(&self.stream, views, &names, self.side)
    }

    fn labels(&mut self, name: &str, role: LabelRole, labelled: Labelled) -> RecordingStreamResult<()> {
        let base = self.base(name);
        labels::labels(&self.stream, &base, role, &labelled, self.labels.classes, self.side)?;
        if let Some(error) = self.labels.compare(name, role, labelled) {
            labels::error(&self.stream, &base, &error, self.side)?;
        }
        if self.laid_out[0] == 0 { self.lay_out_labels() } else { Ok(()) }
    }

    /// Lays out labels when the first are there, and again when more pictures have them.
    fn lay_out_labels(&mut self) -> RecordingStreamResult<()> {
        let names = self.labels.names();
        let known = [names.len(), self.bars.len()];
        if known == self.laid_out {
            return Ok(());
        }
        self.laid_out = known;
        let names: Vec<String> = names.iter().map(|name| flat(name).into_owned()).collect();
        blueprint::labels(&names, &self.bars).send(&self.stream)
    }
}

/// What an image is called below its view.
fn image_leaf(role: ImageRole) -> &'static str {
    match role {
        ImageRole::Input => "input",
        ImageRole::Prediction => "rendering",
        ImageRole::GroundTruth => "photo",
        ImageRole::Error => "error",
        ImageRole::Depth => "depth_picture",
        ImageRole::Normals => "normals",
    }
}

fn map_leaf(role: MapRole) -> &'static str {
    match role {
        MapRole::Depth => "depth",
        MapRole::Score => "score",
        MapRole::Saliency => "saliency",
    }
}

/// The views' names without their folders, where they can still be told apart.
fn short_names(views: &[View]) -> Vec<String> {
    let last = |view: &View| view.name.rsplit('/').next().unwrap_or_default().to_owned();
    let mut seen: HashMap<(bool, String), usize> = HashMap::new();
    views.iter().for_each(|view| *seen.entry((view.held_out, last(view))).or_default() += 1);
    let short = |view: &View| match seen.get(&(view.held_out, last(view))) {
        Some(1) => last(view),
        _ => flat(&view.name).into_owned(),
    };
    views.iter().map(short).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
