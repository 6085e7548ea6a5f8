//! Format: CamVid's own labels (Brostow et al. 2009), colors of 32 classes, and sets of the same layout.
//!
//! ```text
//! train/0001TP_006690.png             train_labels/0001TP_006690_L.png   (val, test likewise), or
//! 701_StillsRaw_full/0001TP_006690.png    LabeledApproved_full/0001TP_006690_L.png
//! class_dict.csv or label_colors.txt      names and colors; may be missing
//! ```
//!
//! CamVid's 32 classes are grouped into the 11 that results are published for, as SegNet did; void is ignored. If the
//! file has a name that is not CamVid's, its classes are taken as they are, and one called void is ignored.

use std::path::Path;

use super::coding::Coding;
use super::files::{Named, held_out, images_in};
use super::{Contents, IGNORE, LabelError, LabelSplit, camvid, classes};

/// CamVid's classes: name, color, and the group by its place in [`camvid::CLASSES`].
const CLASSES: [(&str, [u8; 3], u8); 32] = [
    ("Sky", [128, 128, 128], 0),
    ("Building", [128, 0, 0], 1),
    ("Bridge", [0, 128, 64], 1),
    ("Wall", [64, 192, 0], 1),
    ("Tunnel", [64, 0, 64], 1),
    ("Archway", [192, 0, 128], 1),
    ("Column_Pole", [192, 192, 128], 2),
    ("TrafficCone", [0, 0, 64], 2),
    ("Road", [128, 64, 128], 3),
    ("LaneMkgsDriv", [128, 0, 192], 3),
    ("LaneMkgsNonDriv", [192, 0, 64], 3),
    ("Sidewalk", [0, 0, 192], 4),
    ("ParkingBlock", [64, 192, 128], 4),
    ("RoadShoulder", [128, 128, 192], 4),
    ("Tree", [128, 128, 0], 5),
    ("VegetationMisc", [192, 192, 0], 5),
    ("SignSymbol", [192, 128, 128], 6),
    ("Misc_Text", [128, 128, 64], 6),
    ("TrafficLight", [0, 64, 64], 6),
    ("Fence", [64, 64, 128], 7),
    ("Car", [64, 0, 128], 8),
    ("SUVPickupTruck", [64, 128, 192], 8),
    ("Truck_Bus", [192, 128, 192], 8),
    ("Train", [192, 64, 128], 8),
    ("OtherMoving", [128, 64, 64], 8),
    ("Pedestrian", [64, 64, 0], 9),
    ("Child", [192, 128, 64], 9),
    ("CartLuggagePram", [64, 0, 192], 9),
    ("Animal", [64, 128, 64], 9),
    ("Bicyclist", [0, 128, 192], 10),
    ("MotorcycleScooter", [192, 0, 192], 10),
    ("Void", [0, 0, 0], IGNORE),
];

pub(super) const RAW: &str = "701_StillsRaw_full";
pub(super) const APPROVED: &str = "LabeledApproved_full";

/// The name of a mask without the suffix that its image does not have.
fn mask_name(stem: &str) -> Option<String> {
    Some(stem.strip_suffix("_L").unwrap_or(stem).to_owned())
}

pub(super) fn read(root: &Path) -> Result<Contents, LabelError> {
    let grouped = || {
        let colors = CLASSES.iter().map(|&(_, color, group)| (color, group));
        (camvid::named(), Coding::default().with_colors(colors))
    };
    let file = ["class_dict.csv", "label_colors.txt"].iter().map(|name| root.join(name));
    let (classes, coding) = match file.into_iter().find(|path| path.is_file()) {
        None => grouped(),
        Some(file) => {
            let mut entries = classes::read(&file)?;
            let group = |name: &str| CLASSES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
            let groups: Option<Vec<_>> =
                entries.iter().map(|e| e.color.zip(group(&e.name).map(|class| class.2))).collect();
            match groups {
                // Copies differ in a color or two from the original, so the file's colors are used.
                Some(colors) => (camvid::named(), Coding::default().with_colors(colors)),
                None => {
                    for entry in &mut entries {
                        entry.ignore |= entry.name.eq_ignore_ascii_case("void");
                    }
                    classes::coded(&file, &entries)?
                }
            }
        }
    };
    let any = |name: &str| Some(name.to_owned());
    let (mut splits, mut warnings) = (Vec::new(), Vec::new());
    for name in camvid::SPLITS {
        let (images, masks) = (root.join(name), root.join(format!("{name}_labels")));
        if images.is_dir() && masks.is_dir() {
            let (images, masks) = (images_in(&images, any)?, images_in(&masks, mask_name)?);
            splits.push(LabelSplit::by_name(name, &images, &masks));
        }
    }
    if splits.is_empty() {
        let images = images_in(&root.join(RAW), any)?;
        let masks: Named = images_in(&root.join(APPROVED), mask_name)?;
        splits = held_out(LabelSplit::by_name("train", &images, &masks), &mut warnings);
    }
    Ok(Contents { classes, coding, splits, warnings })
}
