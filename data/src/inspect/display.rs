//! A report for people.

use std::fmt;

use super::geometry::Extent;
use super::{Report, Severity};

/// How many entries of a list are shown.
const SHOWN: usize = 5;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.name, self.source.display())?;
        writeln!(f, "format       {}", self.format)?;
        let v = &self.views;
        writeln!(f, "views        {} train, {} val, {} test", v.train, v.val, v.test)?;
        for r in self.resolutions.iter().take(SHOWN) {
            writeln!(f, "images       {} of {}x{}", r.count, r.width, r.height)?;
        }
        rest(f, self.resolutions.len(), "resolutions")?;
        writeln!(f, "alpha        {} images", self.images_with_alpha)?;
        for c in self.intrinsics.iter().take(SHOWN) {
            let k = &c.intrinsics;
            writeln!(
                f,
                "lens         {} views {}x{}: focal {:.2} {:.2}, centre {:.2} {:.2}, {}",
                c.count, k.width, k.height, k.fx, k.fy, k.cx, k.cy, k.distortion
            )?;
        }
        rest(f, self.intrinsics.len(), "lenses")?;
        writeln!(f, "cameras      {} in the world", self.cameras_world)?;
        writeln!(f, "             {} in the unit frame", self.cameras_unit)?;
        write!(f, "unit frame   world * {} + {}", self.scale, point(&self.offset))?;
        if self.rotation != [0.0; 3] {
            write!(f, ", turned by {}", point(&self.rotation))?;
        }
        writeln!(f, ", aabb_scale {}", self.aabb_scale)?;
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
            let severity = match problem.severity {
                Severity::Error => "ERROR",
                Severity::Warning => "WARNING",
                Severity::Note => "note",
            };
            writeln!(f, "{severity:<12} {}\n             -> {}", problem.what, problem.remedy)?;
        }
        Ok(())
    }
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
