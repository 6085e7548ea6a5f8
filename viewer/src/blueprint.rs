//! Rerun blueprints of scenes and of labels: what a person sees first, and the rest a click away.
use rerun::archetypes::TransformAxes3D;
use rerun::blueprint::{BarChartView, TensorView};
use rerun::blueprint::{
    Blueprint, BlueprintActivation, BlueprintPanel, ContainerLike, Grid, Horizontal, SelectionPanel,
    Spatial2DView, Spatial3DView, Tabs, TextLogView, TimePanel, TimeSeriesView, Vertical,
};
use rerun::components::{Color, Colormap};
use rerun::external::re_log_types::BlueprintActivationCommand;
use rerun::external::re_sdk_types::blueprint::archetypes::{
    Background, EyeControls3D, LineGrid3D, PlotLegend, TensorScalarMapping,
};
use rerun::external::re_sdk_types::blueprint::components::{BackgroundKind, PanelState, PlayState};
use rerun::log::LogMsg;
use rerun::{EntityPath, RecordingStream, RecordingStreamBuilder, RecordingStreamResult, StoreKind};

use crate::paths::{STEP, below, entity};
use crate::start_camera::StartCamera;

/// Behind scenes, and the ground's lines.
const BACKGROUND: [u8; 3] = [20, 23, 29];
const GROUND: [u8; 4] = [255, 255, 255, 24];

/// A blueprint, and what its views of space are like: Rerun's builder has no words for that.
pub(crate) struct Layout {
    blueprint: Blueprint,
    /// Paths of the views of space, within the blueprint.
    spaces: Vec<EntityPath>,
    start: Option<StartCamera>,
    /// Paths of the classes' bars.
    charts: Vec<EntityPath>,
    /// Path of the confusion matrix.
    matrix: Option<EntityPath>,
}

impl Layout {
    /// Shows it at once, and whenever the viewer goes back to its default.
    pub(crate) fn send(&self, stream: &RecordingStream) -> RecordingStreamResult<()> {
        let Some(application) = stream.store_info().map(|info| info.application_id().clone()) else {
            return Ok(());
        };
        // Rerun's builder heeds RERUN=off, unlike a stream that was asked for by a flag, and would panic.
        if !rerun::decide_logging_enabled(true) {
            return Ok(());
        }
        let (draft, written) = RecordingStreamBuilder::new(application.clone()).memory()?;
        self.blueprint.send(&draft, BlueprintActivation { make_active: true, make_default: true })?;
        let of_blueprint = |message: &LogMsg| {
            message.store_id().kind() == StoreKind::Blueprint
                && !matches!(message, LogMsg::BlueprintActivationCommand(_))
        };
        let mut messages: Vec<LogMsg> = written.take().into_iter().filter(of_blueprint).collect();
        let Some(blueprint_id) = messages.first().map(|message| message.store_id().clone()) else {
            return Ok(());
        };
        let more = RecordingStreamBuilder::new(application).recording_id(blueprint_id.recording_id().clone());
        let (draft, written) = more.blueprint().memory()?;
        draft.set_time_sequence("blueprint", 0);
        self.log_properties(&draft)?;
        messages.extend(written.take().into_iter().filter(|m| matches!(m, LogMsg::ArrowMsg(..))));
        let activation = BlueprintActivationCommand { blueprint_id, make_active: true, make_default: true };
        stream.send_blueprint(messages, activation);
        Ok(())
    }

    fn log_properties(&self, draft: &RecordingStream) -> RecordingStreamResult<()> {
        let background = Background::new(BackgroundKind::SolidColor).with_color(Color::from(BACKGROUND));
        let ground = LineGrid3D::new().with_color(Color::from(GROUND));
        for space in &self.spaces {
            let property = |name: &str| space.join(&name.into());
            draft.log(property("Background"), &background)?;
            draft.log(property("LineGrid3D"), &ground)?;
            if let Some(StartCamera { position, target, up }) = self.start {
                let single = |v: [f64; 3]| v.map(|x| x as f32);
                let eye = EyeControls3D::new().with_position(single(position));
                let eye = eye.with_look_target(single(target)).with_eye_up(single(up));
                draft.log(property("EyeControls3D"), &eye)?;
            }
        }
        // A legend would lie on the bars; their names appear under the pointer.
        let legend = PlotLegend::new().with_visible(false);
        for chart in &self.charts {
            draft.log(chart.join(&"PlotLegend".into()), &legend)?;
        }
        if let Some(matrix) = &self.matrix {
            let colors = TensorScalarMapping::new().with_colormap(Colormap::Viridis);
            draft.log(matrix.join(&"TensorScalarMapping".into()), &colors)?;
        }
        Ok(())
    }
}

/// Held-out views, or labeled pictures, that have a place of their own.
const MOST: usize = 12;

/// Of a scene: the world beside a held-out view, and how well it goes.
pub(crate) fn scene(held_out: &[&str], start: Option<StartCamera>) -> Layout {
    let mut spaces = Vec::new();
    let mut space = |name: &str, contents: &[&str]| -> ContainerLike {
        let view = Spatial3DView::new(name).with_origin("world");
        // Cameras have frustums; the axes of each would only hide them.
        let view = view.with_defaults(&TransformAxes3D::new(0.0));
        let view = view.with_contents(contents.iter().copied()).into();
        if let ContainerLike::View(view) = &view {
            spaces.push(view.blueprint_path());
        }
        view
    };
    let all = ["+ world/**"];
    let bare = ["+ world/points/**", "+ world/mesh/**"];
    let cells = ["+ world/cells/**", "+ world/cameras/**"];
    let world = Tabs::new([
        space("Scene", &["+ world/**", "- world/cells/**"]),
        space("Points", &bare),
        space("Cells", &cells),
        space("All", &all),
    ]);
    let mut right: Vec<ContainerLike> = Vec::new();
    let mut tabs: Vec<ContainerLike> = Vec::new();
    if let Some(first) = held_out.first() {
        let pictures =
            [("Rendering", "rendering"), ("Photograph", "photo"), ("Error", "error"), ("Depth", "depth")];
        let pictures = pictures.map(|(title, leaf)| picture(title, &entity("views", first), leaf));
        right.push(Grid::new(pictures).with_grid_columns(2).with_name(*first).into());
        let each = held_out.iter().take(MOST).map(|name| picture(name, &entity("views", name), "rendering"));
        tabs.push(Grid::new(each).with_name("Held-out views").into());
    }
    let plots = [
        plot("PSNR, dB", &["+ numbers/psnr", "+ numbers/eval/psnr"]),
        plot("Loss", &["+ numbers/loss"]),
        plot("Samples per second", &["+ numbers/samples_per_s"]),
        plot("Learning rate", &["+ numbers/lr"]),
        plot("Saliency", &["+ numbers/saliency/**"]),
        plot(
            "Occupied and live",
            &["+ numbers/occupied_share", "+ numbers/kept_share", "+ numbers/saliency/live_share"],
        ),
        plot("Time of a step, ms", &["+ numbers/ms/**"]),
        plot("All numbers", &["+ numbers/**"]),
        BarChartView::new("Histograms").with_origin("histograms").into(),
    ];
    let front =
        [plot("PSNR, dB", &["+ numbers/psnr", "+ numbers/eval/psnr"]), plot("Loss", &["+ numbers/loss"])];
    right.push(Horizontal::new(front).into());
    right.push(Tabs::new([log(), plot("Samples per second", &["+ numbers/samples_per_s"])]).into());
    let shares = if right.len() == 3 { vec![5.0, 2.5, 1.0] } else { vec![3.0, 1.0] };
    let side = Vertical::new(right).with_row_shares(shares);
    let overview = Horizontal::new([world.into(), side.into()]).with_column_shares(vec![3.0, 2.0]);
    let mut pages: Vec<ContainerLike> = vec![overview.with_name("Overview").into()];
    pages.extend(tabs);
    pages.push(Grid::new(plots).with_name("Numbers").into());
    pages.push(log());
    Layout { blueprint: framed(Tabs::new(pages)), spaces, start, charts: Vec::new(), matrix: None }
}

/// Of labels: a picture with its labels, and how well each class is found.
pub(crate) fn labels(pictures: &[String], bars: &[String]) -> Layout {
    let pages = pictures.iter().take(MOST).map(|name| -> ContainerLike {
        let base = entity("pictures", name);
        let top = [
            ("Picture", "input"),
            ("Ground truth", "ground_truth"),
            ("Prediction", "prediction"),
            ("Error", "error"),
        ];
        let more = [("Score", "score"), ("Saliency", "saliency"), ("Depth", "depth"), ("Normals", "normals")];
        let grid = |rows: [(&str, &str); 4]| rows.map(|(title, leaf)| picture(title, &base, leaf));
        let top = Grid::new(grid(top)).with_grid_columns(2);
        // What a model may put out beside labels: most put out a score alone.
        let below = Horizontal::new([
            Tabs::new(grid(more)).into(),
            plot("Held-out scores", &["+ numbers/eval/**"]),
            plot("Loss", &["+ numbers/loss"]),
        ]);
        Vertical::new([top.into(), below.into()]).with_row_shares(vec![3.0, 1.3]).with_name(name).into()
    });
    let mut charts = Vec::new();
    let mut chart = |name: &String| -> ContainerLike {
        let view = BarChartView::new(format!("Classes: {name}")).with_origin(below("classes", name)).into();
        if let ContainerLike::View(view) = &view {
            charts.push(view.blueprint_path());
        }
        view
    };
    let bars: Vec<ContainerLike> = bars.iter().map(&mut chart).collect();
    let confusion: ContainerLike = TensorView::new("Confusion").with_origin("classes/confusion").into();
    let matrix = match &confusion {
        ContainerLike::View(view) => Some(view.blueprint_path()),
        _ => None,
    };
    let speed = plot("Pictures per second", &["+ numbers/images_per_s"]);
    let numbers = Tabs::new([speed, plot("All numbers", &["+ numbers/**"]), log()]);
    let mut side = vec![confusion, numbers.into()];
    let mut shares = vec![1.4, 0.7];
    if !bars.is_empty() {
        side.insert(0, Tabs::new(bars).into());
        shares.insert(0, 1.0);
    }
    let side = Vertical::new(side).with_row_shares(shares);
    let pictures = Tabs::new(pages);
    let root = Horizontal::new([pictures.into(), side.into()]).with_column_shares(vec![2.0, 1.0]);
    Layout { blueprint: framed(root), spaces: Vec::new(), start: None, charts, matrix }
}

fn picture(title: &str, base: &EntityPath, leaf: &str) -> ContainerLike {
    Spatial2DView::new(title).with_origin(base.join(&leaf.into())).into()
}

fn plot(title: &str, contents: &[&str]) -> ContainerLike {
    TimeSeriesView::new(title).with_origin("numbers").with_contents(contents.iter().copied()).into()
}

fn log() -> ContainerLike {
    TextLogView::new("Messages").with_origin("log").into()
}

/// Room for the content; time follows the training.
fn framed(root: impl Into<ContainerLike>) -> Blueprint {
    Blueprint::new(root)
        .with_auto_views(false)
        .with_auto_layout(false)
        .with_blueprint_panel(BlueprintPanel::from_state(PanelState::Collapsed))
        .with_selection_panel(SelectionPanel::from_state(PanelState::Collapsed))
        .with_time_panel(
            TimePanel::new()
                .with_state(PanelState::Collapsed)
                .with_timeline(STEP)
                .with_play_state(PlayState::Following),
        )
}
