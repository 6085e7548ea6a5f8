//! A scene's report as text.

use std::fmt;

use super::geometry::Extent;
use super::pixels::{PixelReport, quantile};
use super::report::{IntrinsicsCount, SceneReport};
use crate::camera::Intrinsics;
use crate::problem::{DataProblem, Severity};

/// How many entries of a list are shown.
const SHOWN: usize = 5;
/// How many of the blurriest images are named.
const BLURRIEST: usize = 3;

impl fmt::Display for SceneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.name, self.source.display())?;
        writeln!(f, "format       {}", self.format)?;
        let v = &self.views;
        writeln!(f, "views        {} train, {} val, {} test", v.train, v.val, v.test)?;
        if let Some(r) = &self.registered {
            writeln!(f, "placed       {} of {} photos", r.placed, r.photos)?;
        }
        for r in self.resolutions.iter().take(SHOWN) {
            writeln!(f, "images       {} of {}x{}", r.count, r.width, r.height)?;
        }
        rest(f, self.resolutions.len(), "resolutions")?;
        let with =
            [(self.images_with_alpha, "alpha"), (self.masks, "a mask"), (self.depth_maps, "a depth map")];
        let with: Vec<String> = with
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} with {what}"))
            .collect();
        if !with.is_empty() {
            writeln!(f, "             {}", with.join(", "))?;
        }
        lenses(f, &self.intrinsics)?;
        writeln!(f, "cameras      {} in the world", self.cameras_world)?;
        writeln!(f, "             {} in the unit frame", self.cameras_unit)?;
        write!(f, "unit frame   world * {} + {}", (self.scale * 1e6).round() / 1e6, point(&self.offset))?;
        if self.rotation != [0.0; 3] {
            write!(f, ", rotated by {}", point(&self.rotation))?;
        }
        write!(f, ", aabb_scale {}", self.aabb_scale)?;
        match self.near {
            Some(near) => writeln!(f, ", nothing nearer than {near:.3} to a camera")?,
            None => writeln!(f)?,
        }
        match &self.rig.up_axis {
            Some((axis, off)) if *off < 0.05 => write!(f, "up           {axis}")?,
            Some((axis, off)) => write!(f, "up           {axis}, {off:.1} degrees off")?,
            None => write!(f, "up           the cameras have no common direction")?,
        }
        writeln!(f, "; {:.3} world units from camera to camera", self.rig.spacing)?;
        if let Some(p) = &self.points {
            writeln!(f, "points       {}, most in {}", p.count, p.world)?;
            write!(f, "             {:.0}% in the render box", 100.0 * p.in_box)?;
            if p.error > 0.0 {
                write!(f, ", {:.2} pixels of median error", p.error)?;
            }
            writeln!(f)?;
        }
        match &self.attention {
            Some(a) => {
                writeln!(
                    f,
                    "looking at   {} in the world, {} in the unit frame",
                    point(&a.world),
                    point(&a.unit)
                )?;
                writeln!(f, "distance     {:.3} to {:.3} world units", a.nearest, a.farthest)?;
            }
            None => writeln!(f, "looking at   no common point")?,
        }
        let percent = |part: f64| 100.0 * part;
        writeln!(
            f,
            "unit cube    {:.0}% of cameras look at it, {:.0}% see it",
            percent(self.looking_at_cube),
            percent(self.seeing_cube)
        )?;
        let mb = |bytes: u64| bytes as f64 / 1e6;
        writeln!(
            f,
            "memory       {:.1} MB for images, {:.1} MB more while decoding",
            mb(self.memory.images),
            mb(self.memory.decoding)
        )?;
        if let Some(pixels) = &self.pixels {
            write!(f, "{pixels}")?;
        }
        if let Some(masks) = &self.decoded_masks {
            if self.masks > 0 {
                writeln!(f, "masks        leave {:.0}% of the pixels of their images", percent(masks.kept))?;
            }
            if self.depth_maps > 0 {
                writeln!(f, "depth maps   have a depth for {:.0}% of their pixels", percent(masks.known))?;
            }
        }
        for path in self.missing.iter().take(SHOWN) {
            writeln!(f, "missing      {}", path.display())?;
        }
        rest(f, self.missing.len(), "missing images")?;
        for warning in &self.warnings {
            writeln!(f, "remark       {warning}")?;
        }
        if self.problems.is_empty() {
            writeln!(f, "no problems found")?;
        }
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for DataProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
            Severity::Note => "note",
        };
        write!(f, "{severity:<12} {}\n             -> {}", self.what, self.remedy)
    }
}

impl fmt::Display for PixelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blurriest = self.images.iter().take(BLURRIEST);
        let blurriest: Vec<String> =
            blurriest.map(|image| format!("{} {:.2}", image.name, image.relative_sharpness)).collect();
        writeln!(f, "sharpness    least {} of the median", blurriest.join(", "))?;
        let exposures = || self.images.iter().map(|image| image.exposure);
        let (low, high) = (exposures().fold(0.0, f64::min), exposures().fold(0.0, f64::max));
        writeln!(
            f,
            "exposure     {low:+.1} to {high:+.1} stops around the median, most within {:.1}",
            self.exposure_spread
        )?;
        if let Some(color) = self.background {
            let [r, g, b] = color;
            writeln!(
                f,
                "background   ({r}, {g}, {b}) around nearly all pictures: trained and measured on it, unless --background says \
                 otherwise"
            )?;
        }
        let pairs = |count: usize| match count {
            0 => "no pair".to_owned(),
            1 => "a pair".to_owned(),
            _ => format!("{count} pairs"),
        };
        match (self.duplicates.len(), self.alike.len()) {
            (0, 0) => writeln!(f, "duplicates   none"),
            (same, alike) => {
                writeln!(
                    f,
                    "duplicates   {} with the same pixels, {} more that look alike",
                    pairs(same),
                    pairs(alike)
                )
            }
        }
    }
}

/// Each lens, or the range of focal lengths where every view has its own.
fn lenses(f: &mut fmt::Formatter<'_>, lenses: &[IntrinsicsCount]) -> fmt::Result {
    if lenses.len() > SHOWN {
        let focal = |k: &Intrinsics| 0.5 * (k.fx + k.fy);
        let mut focals: Vec<f64> = lenses.iter().map(|c| focal(&c.intrinsics)).collect();
        focals.sort_unstable_by(f64::total_cmp);
        let (least, most) = (quantile(&focals, 0.0), quantile(&focals, 1.0));
        let median = quantile(&focals, 0.5);
        let count = lenses.len();
        return writeln!(
            f,
            "lens         {count} different ones: focal {least:.2} to {most:.2}, median {median:.2}"
        );
    }
    for c in lenses {
        let k = &c.intrinsics;
        writeln!(
            f,
            "lens         {} views {}x{}: focal {:.2} {:.2}, center {:.2} {:.2}, {}",
            c.count, k.width, k.height, k.fx, k.fy, k.cx, k.cy, k.distortion
        )?;
    }
    Ok(())
}

fn rest(f: &mut fmt::Formatter<'_>, count: usize, what: &str) -> fmt::Result {
    if count > SHOWN { writeln!(f, "             and {} more {what}", count - SHOWN) } else { Ok(()) }
}

fn point([x, y, z]: &[f64; 3]) -> String {
    format!("({x:.3}, {y:.3}, {z:.3})")
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", point(&self.min), point(&self.max))
    }
}
