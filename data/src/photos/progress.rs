//! Progress of COLMAP's steps, parsed from its output. Versions differ in the text around the numbers only.

use super::step::ColmapStep;

/// Progress `(done, total)` by one line of output, if it contains any.
///
/// | step | lines |
/// |---|---|
/// | features | `Processed file [3/50]` |
/// | matching | `Matching block [2/7, 3/7] in 1.2s`, `Processing block [..]`, `Matching image [3/50]` |
/// | mapping | `Registering image #12 (34)`, `Registering image #12 (num_reg_frames=34)` |
pub(super) fn progress(step: ColmapStep, line: &str, photos: usize) -> Option<(usize, usize)> {
    match step {
        ColmapStep::Features => fraction(bracket(line.split_once("Processed file")?.1)?),
        ColmapStep::Matching => {
            let bracket = bracket(line)?;
            match bracket.split_once(',') {
                // Announced before they are done.
                Some((rows, columns)) => {
                    let ((row, rows), (column, columns)) = (fraction(rows)?, fraction(columns)?);
                    let before =
                        row.checked_sub(1)?.checked_mul(columns)?.checked_add(column.checked_sub(1)?)?;
                    Some((before, rows.checked_mul(columns)?))
                }
                None => fraction(bracket).map(|(image, of)| (image.saturating_sub(1), of)),
            }
        }
        ColmapStep::Mapping => {
            let (_, rest) = line.split_once("Registering image #")?;
            let (_, count) = rest.split_once('(')?;
            let digits = count.split_once(')')?.0.rsplit('=').next()?;
            Some((digits.trim().parse::<usize>().ok()?.min(photos), photos))
        }
    }
}

/// The text between the first brackets that contain a slash; loggers write others before them.
fn bracket(line: &str) -> Option<&str> {
    let inner = line.split('[').skip(1).filter_map(|part| part.split_once(']'));
    inner.map(|(inner, _)| inner).find(|inner| inner.contains('/'))
}

fn fraction(text: &str) -> Option<(usize, usize)> {
    let (part, whole) = text.split_once('/')?;
    let (part, whole) = (part.trim().parse().ok()?, whole.trim().parse().ok()?);
    (part <= whole).then_some((part, whole))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_all_versions() {
        for (step, line, wanted) in [
            (ColmapStep::Features, "Processed file [3/50]", Some((3, 50))),
            (
                ColmapStep::Features,
                "I20250101 10:00:00.1 7 feature_extraction.cc:258] Processed file [3/50]",
                Some((3, 50)),
            ),
            (ColmapStep::Features, "  Features:        7684", None),
            (ColmapStep::Matching, "Matching block [1/7, 1/7] in 1.2s", Some((0, 49))),
            (ColmapStep::Matching, "Matching block [2/7, 3/7]", Some((9, 49))),
            (ColmapStep::Matching, "I2025 7 pairing.cc:168] Processing block [7/7, 7/7]", Some((48, 49))),
            (ColmapStep::Matching, "Matching image [3/50] in 0.100s", Some((2, 50))),
            (ColmapStep::Matching, "Matching block [0/7, 3/7]", None),
            (ColmapStep::Mapping, "Registering image #12 (34)", Some((34, 50))),
            (
                ColmapStep::Mapping,
                "I2025 7 x.cc:4] Registering image #12 (num_reg_frames=34)",
                Some((34, 50)),
            ),
            (ColmapStep::Mapping, "Registering image #12 (340)", Some((50, 50))),
            (ColmapStep::Mapping, "  => Image sees 213 / 1022 points", None),
        ] {
            assert_eq!(progress(step, line, 50), wanted, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in "[\\PC\\[\\]/,#()=0-9]{0,60}") {
            for step in ColmapStep::ALL {
                if let Some((done, total)) = progress(step, &format!("Registering image #{line} Processed file {line}"), 9) {
                    prop_assert!(done <= total);
                }
            }
        }
    }
}
