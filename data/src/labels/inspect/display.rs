//! A label set's report as text.

use std::fmt;

use super::{LabelReport, SplitReport};

/// How many entries of a list are shown.
const SHOWN: usize = 5;
/// How many of a set's classes are shown: all of the usual sets but ADE20K.
const CLASSES_SHOWN: usize = 40;

impl fmt::Display for LabelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.name, self.source.display())?;
        writeln!(f, "format       {}", self.format)?;
        writeln!(f, "classes      {}", self.classes.len())?;
        for split in &self.splits {
            write_split(f, split)?;
        }
        self.histogram(f)?;
        for warning in &self.warnings {
            writeln!(f, "remark       {warning}")?;
        }
        if self.problems.is_empty() {
            writeln!(f, "no problems found")?;
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "{problem}"))
    }
}

fn write_split(f: &mut fmt::Formatter<'_>, split: &SplitReport) -> fmt::Result {
    let ignored = if split.pixels == 0 { 0.0 } else { split.ignored as f64 / split.pixels as f64 };
    writeln!(f, "{:<12} {} images, {:.1}% of the pixels ignored", split.name, split.pairs, 100.0 * ignored)?;
    for size in split.sizes.iter().take(SHOWN) {
        writeln!(f, "             {} of {}x{}", size.count, size.width, size.height)?;
    }
    match split.sizes.len() {
        more if more > SHOWN => writeln!(f, "             and {} more sizes", more - SHOWN),
        _ => Ok(()),
    }
}

impl LabelReport {
    /// Each class's part of the pixels, and in how many images it is, a column a split.
    fn histogram(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.classes.len().min(CLASSES_SHOWN);
        let width = self.classes[..shown].iter().map(|name| name.chars().count()).max().unwrap_or(0);
        write!(f, "labels       {:<width$}", "")?;
        for split in &self.splits {
            write!(f, "  {:>16}", split.name)?;
        }
        writeln!(f)?;
        for (i, name) in self.classes[..shown].iter().enumerate() {
            write!(f, "       {i:>5} {name:<width$}")?;
            for split in &self.splits {
                match split.classes.get(i) {
                    Some(class) if class.pixels > 0 => {
                        write!(f, "  {:>7.3}% in {:>5}", 100.0 * class.share, class.images)?;
                    }
                    _ => write!(f, "  {:>16}", "-")?,
                }
            }
            writeln!(f)?;
        }
        match self.classes.len() - shown {
            0 => Ok(()),
            more => writeln!(f, "             and {more} more classes"),
        }
    }
}
