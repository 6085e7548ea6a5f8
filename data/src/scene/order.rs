//! Natural order of file names: numbers in them count as numbers.

use std::cmp::Ordering;

/// Compares names so that runs of digits count as numbers: `img_2` comes before `img_10`. Numbers that are equal
/// but for leading zeros are ordered by their text, so that this is a total order in which only equal names are
/// equal.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    loop {
        let (x, y) = match (left.first(), right.first()) {
            (Some(x), Some(y)) => (*x, *y),
            (None, None) => return a.cmp(b),
            (none, _) => return if none.is_none() { Ordering::Less } else { Ordering::Greater },
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (x, rest_left) = number(left);
            let (y, rest_right) = number(right);
            match x.len().cmp(&y.len()).then_with(|| x.cmp(y)) {
                Ordering::Equal => (left, right) = (rest_left, rest_right),
                unequal => return unequal,
            }
        } else if x == y {
            (left, right) = (&left[1..], &right[1..]);
        } else {
            return x.cmp(&y);
        }
    }
}

/// The digits that a text starts with, without leading zeros, and what follows them.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let start = text[..end].iter().position(|&byte| byte != b'0').unwrap_or(end);
    (&text[start..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_count() {
        let sorted = [
            "",
            "a/9.png",
            "a/10.png",
            "b",
            "img_2.png",
            "img_02.png",
            "img_10.png",
            "img_18446744073709551617.png",
            "img_a.png",
            "x1y2",
            "x1y10",
            "x2",
        ];
        let mut names: Vec<&str> = sorted.iter().rev().copied().collect();
        names.sort_by(|a, b| natural(a, b));
        let wanted: Vec<&str> = {
            let mut wanted = sorted.to_vec();
            // The text decides between 2 and 02: '0' is before '2'.
            wanted.swap(4, 5);
            wanted
        };
        assert_eq!(names, wanted);
    }

    proptest! {
        #[test]
        fn is_a_total_order(a in "[a1-20.é]{0,6}", b in "[a1-20.é]{0,6}", c in "[a1-20.é]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}
