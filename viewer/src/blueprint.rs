//! Layouts: what a person wants to see first, the rest a click away.
use re_sdk::EntityPath;
use re_sdk::blueprint::{BarChartView, TensorView};
use re_sdk::blueprint::{
    Blueprint, BlueprintActivation, BlueprintPanel, ContainerLike, Grid, Horizontal, SelectionPanel,
    Spatial2DView, Spatial3DView, Tabs, TextLogView, TimePanel, TimeSeriesView, Vertical,
};
use re_sdk_types::blueprint::components::{PanelState, PlayState};

use crate::record::{STEP, entity};

/// A run's layout is shown at once, and is what the viewer goes back to.
pub(crate) const ACTIVATION: BlueprintActivation =
    BlueprintActivation { make_active: true, make_default: true };

/// Held-out views, or labelled pictures, that have a place of their own.
const MOST: usize = 12;

/// Of a scene: the world beside a held-out view, and how well it goes.
pub(crate) fn scene(held_out: &[&str]) -> Blueprint {
    let space = |name: &str, contents: &[&str]| -> ContainerLike {
        let view = Spatial3DView::new(name).with_origin("world");
        view.with_contents(contents.iter().copied()).into()
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
    framed(Tabs::new(pages))
}

/// Of labels: a picture with its labels, and how well each class is found.
pub(crate) fn labels(pictures: &[String]) -> Blueprint {
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
        let more = Horizontal::new(grid(more));
        Vertical::new([top.into(), more.into()]).with_row_shares(vec![4.0, 1.3]).with_name(name).into()
    });
    let bars: ContainerLike = BarChartView::new("Classes").with_origin("classes").into();
    let confusion: ContainerLike = TensorView::new("Confusion").with_origin("classes/confusion").into();
    let numbers = Tabs::new([plot("All numbers", &["+ numbers/**"]), log()]);
    let side = Vertical::new([bars, confusion, numbers.into()]).with_row_shares(vec![1.0, 1.4, 1.0]);
    let pictures = Tabs::new(pages);
    framed(Horizontal::new([pictures.into(), side.into()]).with_column_shares(vec![2.0, 1.0]))
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
