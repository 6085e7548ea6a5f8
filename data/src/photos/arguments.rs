//! The commands and arguments that COLMAP is given for each step.

use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Photos;
use super::program::OptionalArgument;
use super::step::ColmapStep;

/// The largest number of photos of which each is compared with every other.
const EXHAUSTIVE: usize = 150;
/// How many following photos each is compared with, in sequential matching.
pub(super) const OVERLAP: usize = 20;
/// Longest side in pixels at which features are extracted, and the largest number kept per photo: COLMAP's own medium
/// quality. Without a GPU, matching takes most of the time, and more with more features.
const FEATURE_SIDE: usize = 1600;
const FEATURES: usize = 4096;

/// Which photos are compared with which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// In order where there are more than 150 and their names are numbered, else all.
    #[default]
    Auto,
    /// Each with every other: the surest, and quadratic in their number.
    Exhaustive,
    /// Each with the next ones, as for the frames of a video.
    Sequential,
}

/// How COLMAP is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColmapSettings {
    /// Which photos are compared with which.
    pub matching: Matching,
    /// Worker threads.
    pub threads: usize,
}

impl ColmapSettings {
    /// The matching that is used, never [`Matching::Auto`].
    pub fn matching(&self, photos: &Photos) -> Matching {
        match self.matching {
            Matching::Auto if photos.files.len() > EXHAUSTIVE && photos.numbered() => Matching::Sequential,
            Matching::Auto => Matching::Exhaustive,
            given => given,
        }
    }
}

impl ColmapStep {
    /// COLMAP's command.
    pub(super) fn command(self, photos: &Photos, settings: &ColmapSettings) -> &'static str {
        match (self, settings.matching(photos)) {
            (Self::Features, _) => "feature_extractor",
            (Self::Matching, Matching::Sequential) => "sequential_matcher",
            (Self::Matching, _) => "exhaustive_matcher",
            (Self::Mapping, _) => "mapper",
        }
    }

    /// The arguments that every version knows; `masks` is a folder of masks with the names that COLMAP expects.
    pub(super) fn portable_arguments(
        self,
        photos: &Photos,
        work: &Path,
        masks: Option<&Path>,
        settings: &ColmapSettings,
    ) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--database_path".into(), work.join("database.db").into()];
        let mut add = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        match self {
            Self::Features => {
                add("--image_path", photos.folder.clone().into());
                if let Some(masks) = masks {
                    add("--ImageReader.mask_path", masks.into());
                }
                if photos.one_size() {
                    // One camera for all: fewer unknowns, so that distortion can be estimated.
                    add("--ImageReader.single_camera", "1".into());
                    add("--ImageReader.camera_model", "OPENCV".into());
                }
            }
            Self::Matching if settings.matching(photos) == Matching::Sequential => {
                add("--SequentialMatching.overlap", OVERLAP.to_string().into());
            }
            Self::Matching => {}
            Self::Mapping => {
                add("--image_path", photos.folder.clone().into());
                add("--output_path", work.join("sparse").into());
            }
        }
        arguments
    }

    /// Further arguments, for versions of COLMAP that know them.
    pub(super) fn optional_arguments(
        self,
        photos: &Photos,
        list: &Path,
        settings: &ColmapSettings,
    ) -> Vec<OptionalArgument> {
        let number = |n: usize| OsString::from(n.to_string());
        let threads = number(settings.threads);
        match self {
            Self::Features => vec![
                (&["image_list_path"], list.into()),
                (&["SiftExtraction.use_gpu", "FeatureExtraction.use_gpu"], "0".into()),
                (&["SiftExtraction.num_threads", "FeatureExtraction.num_threads"], threads),
                (
                    &["SiftExtraction.max_image_size", "FeatureExtraction.max_image_size"],
                    number(FEATURE_SIDE),
                ),
                (
                    &["SiftExtraction.max_num_features", "FeatureExtraction.max_num_features"],
                    number(FEATURES),
                ),
            ],
            Self::Matching => vec![
                (&["SiftMatching.use_gpu", "FeatureMatching.use_gpu"], "0".into()),
                (&["SiftMatching.num_threads", "FeatureMatching.num_threads"], threads),
                // Progress is reported per block.
                (&["ExhaustiveMatching.block_size"], number(photos.files.len().div_ceil(8).clamp(8, 50))),
            ],
            Self::Mapping => vec![
                (&["Mapper.num_threads"], threads),
                // The default tolerance takes longer than it improves.
                (&["Mapper.ba_global_function_tolerance"], "1e-6".into()),
            ],
        }
    }
}
