//! Remedies in error messages: how to install COLMAP, take photos, extract frames.

use std::path::Path;

/// How to get COLMAP.
pub const INSTALL: &str = "install it with `apt install colmap` (Debian, Ubuntu), `brew install colmap` (macOS) or \
    `conda install -c conda-forge colmap`";

pub(super) const NO_MODEL: &str = "take more photos that overlap by two thirds or more, in even light, sharp, of \
    things with texture that do not move, walking around them rather than turning on the spot";

pub(super) fn more_photos(left_out: &[String]) -> String {
    match left_out.first() {
        None => "take 30 or more that overlap".to_owned(),
        Some(first) => format!(
            "{} other files are of kinds that cannot be read, such as {first}: convert HEIC to JPEG (`heif-convert IN \
             OUT.jpg`), and a video to frames (`ffmpeg -i IN -vf fps=2 FRAMES/%04d.jpg`)",
            left_out.len()
        ),
    }
}

/// Another process, by its id where that is known.
pub(super) fn process(id: Option<u32>) -> String {
    id.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}

/// The commands that extract frames from a video.
pub(super) fn frames(video: &Path) -> String {
    let folder = video.with_extension("");
    let [video, folder] = [video, &folder].map(|path| quote(&path.display().to_string()));
    format!(
        "mkdir -p {folder}\nffmpeg -i {video} -vf fps=2 -qscale:v 2 {folder}/%04d.jpg\nnerve train {folder}\n\
         # 100 to 200 sharp frames are good: a larger fps for a short video, a smaller one for a long video"
    )
}

/// A word quoted for a shell.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:+,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_must() {
        assert_eq!(quote("a/b-c.jpg"), "a/b-c.jpg");
        assert_eq!(quote("my photos"), "'my photos'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
