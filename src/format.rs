//! Numbers as people read them.

use std::time::Duration;

/// Three significant digits with k, M or G: `84.2k`, `1.31M`.
pub fn count(value: f64) -> String {
    let (scaled, unit) = match value {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let digits = match scaled {
        s if unit.is_empty() && s.fract() == 0.0 => 0,
        s if s < 10.0 => 2,
        s if s < 100.0 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$}{unit}")
}

/// All digits, in groups of three: `11,487,072`.
pub fn whole(value: usize) -> String {
    let digits = value.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let rest = digits.as_bytes()[first..].chunks(3).map(|c| format!(",{}", String::from_utf8_lossy(c)));
    std::iter::once(digits[..first].to_owned()).chain(rest).collect()
}

/// `1 picture`, `24 pictures`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", whole(count), if count == 1 { "" } else { "s" })
}

/// Bytes in decimal megabytes, or in kilobytes where there are few.
pub fn bytes(bytes: u64) -> String {
    if bytes < 999_500 { format!("{:.0} kB", bytes as f64 / 1e3) } else { megabytes(bytes) }
}

/// Bytes in decimal megabytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// `12 s`, `4:05 min`, `1:04:05 h`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (h, m) {
        (0, 0) if time.as_secs_f64() < 9.95 => format!("{:.1} s", time.as_secs_f64()),
        (0, 0) => format!("{s} s"),
        (0, _) => format!("{m}:{s:02} min"),
        _ => format!("{h}:{m:02}:{s:02} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_many() {
        assert_eq!(counted(1, "view"), "1 view");
        assert_eq!(counted(11_200, "picture"), "11,200 pictures");
    }

    #[test]
    fn counts() {
        let texts = [0.0, 7.0, 0.5, 999.0, 1e3, 84_200.0, 1.31e6, 2.5e11].map(count);
        assert_eq!(texts, ["0", "7", "0.50", "999", "1.00k", "84.2k", "1.31M", "250G"]);
    }

    #[test]
    fn wholes() {
        let texts = [0, 12, 123, 1234, 123_456, 11_487_072].map(whole);
        assert_eq!(texts, ["0", "12", "123", "1,234", "123,456", "11,487,072"]);
    }

    #[test]
    fn few_bytes_are_kilobytes() {
        assert_eq!(
            [0, 1499, 262_144, 999_499, 999_500, 48_830_016].map(bytes),
            ["0 kB", "1 kB", "262 kB", "999 kB", "1.0 MB", "48.8 MB"]
        );
    }

    #[test]
    fn times() {
        let texts = [0.25, 12.3, 59.9, 245.0, 3845.0].map(|s| time(Duration::from_secs_f64(s)));
        assert_eq!(texts, ["0.2 s", "12 s", "1:00 min", "4:05 min", "1:04:05 h"]);
    }
}
