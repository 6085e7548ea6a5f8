//! Configurations as files hold them, those of earlier versions included.

use super::{
    CameraConfig, ClassicConfig, DataConfig, FieldConfig, HashGridConfig, LayersConfig, MarchConfig, Method,
    NerfConfig, Schedule, TrainConfig,
};
use crate::hollow::HollowConfig;
use serde::Deserialize;

/// A [`NerfConfig`] in a file of any version.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Saved {
    data: DataConfig,
    grid: HashGridConfig,
    field: FieldConfig,
    hollow: SavedHollow,
    classic: ClassicConfig,
    layers: LayersConfig,
    march: MarchConfig,
    train: TrainConfig,
    cameras: CameraConfig,
    schedule: Schedule,
}

/// HollowNeRF's settings, and the method, which stood among them once.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SavedHollow {
    method: Option<Method>,
    #[serde(flatten)]
    settings: HollowConfig,
}

impl TryFrom<Saved> for NerfConfig {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Self, String> {
        let Saved { data, grid, mut field, hollow, classic, layers, march, train, cameras, schedule } = saved;
        let SavedHollow { method, settings: hollow } = hollow;
        if let Some(method) = method {
            if ![Method::default(), method].contains(&field.method) {
                return Err(format!(
                    "`method` stands in [field] and in [hollow], as {} and as {}: remove it from [hollow]",
                    field.method.name(),
                    method.name()
                ));
            }
            field.method = method;
        }
        Ok(Self { data, grid, field, hollow, classic, layers, march, train, cameras, schedule })
    }
}
