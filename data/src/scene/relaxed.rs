//! JSON as people edit it: with comments, which Instant-NGP's reader allows, and with commas behind the last element.

/// The text with `// ...`, `/* ... */` and trailing commas replaced by spaces, so that lines and columns stay what they
/// are. What is in quotes is left alone.
pub(super) fn plain(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut quoted = false;
    // The last comma behind which nothing but space came.
    let mut comma = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let mut next = at + 1;
        match (byte, bytes.get(next)) {
            (b'\\', _) if quoted => next += 1,
            (b'"', _) => (quoted, comma) = (!quoted, None),
            _ if quoted => {}
            (b'/', Some(b'/' | b'*')) => {
                next = end_of_comment(&bytes, at);
                for byte in &mut bytes[at..next] {
                    // Line ends are kept, they count the lines.
                    if !matches!(*byte, b'\n' | b'\r') {
                        *byte = b' ';
                    }
                }
            }
            (b',', _) => comma = Some(at),
            (b']' | b'}', _) => {
                if let Some(comma) = comma.take() {
                    bytes[comma] = b' ';
                }
            }
            (byte, _) if !byte.is_ascii_whitespace() => comma = None,
            _ => {}
        }
        at = next;
    }
    // Comments end at ASCII characters, so whole characters were replaced.
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Behind the comment that starts at `at`.
fn end_of_comment(bytes: &[u8], at: usize) -> usize {
    let block = bytes[at + 1] == b'*';
    let rest = &bytes[at + 2..];
    let length = if block {
        rest.windows(2).position(|pair| pair == b"*/").map(|i| i + 2)
    } else {
        rest.iter().position(|&byte| byte == b'\n')
    };
    length.map_or(bytes.len(), |length| at + 2 + length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_blank() {
        let text = "// who: me, él\n{\"a\": [1, 2, /* three, */ ],\n \"b//\": \"/* \\\", ]\", // end\n}\n";
        let plain = plain(text);
        assert_eq!(plain.len(), text.len());
        assert_eq!(plain.lines().count(), text.lines().count());
        let value: Value = serde_json::from_str(&plain).unwrap();
        assert_eq!(value, json!({"a": [1, 2], "b//": "/* \", ]"}));
        assert!(serde_json::from_str::<Value>(&super::plain("[1,, 2]")).is_err());
        assert!(serde_json::from_str::<Value>(&super::plain("{\"a\": 1 /* no end }")).is_err());
    }

    proptest! {
        #[test]
        fn what_is_json_stays_as_it_is(texts in prop::collection::vec(".*", 0..5), n in any::<f64>()) {
            let text = json!({"texts": texts, "n": n, "none": [], "at": {}}).to_string();
            prop_assert_eq!(plain(&text), text);
        }

        #[test]
        fn any_text_keeps_its_length(text in "[\\[\\]{},/*\"\\\\ a\n]{0,40}") {
            prop_assert_eq!(plain(&text).len(), text.len());
        }
    }
}
