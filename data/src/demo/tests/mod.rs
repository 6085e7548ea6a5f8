#![allow(clippy::unwrap_used)]

mod distance;
mod files;
mod memory;
mod solids;
mod views;

use std::sync::OnceLock;

use super::{DemoConfig, DemoScene, render};

/// The default scene, rendered once for all tests.
fn default_scene() -> &'static DemoScene {
    static SCENE: OnceLock<DemoScene> = OnceLock::new();
    SCENE.get_or_init(|| render(&DemoConfig::default()).unwrap())
}

/// A scene small enough to render several times.
fn small() -> DemoConfig {
    DemoConfig { resolution: 24, train: 3, test: 2, ..DemoConfig::default() }
}
