//! The order in which people count: `a2` before `a10`.

use std::cmp::Ordering;

/// Digits in a row are compared as a number, everything else as text.
pub(in crate::engine) fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let (first, second) = (chunk(left), chunk(right));
        match (first.is_empty(), second.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let order = match (number(first), number(second)) {
            (Some(first), Some(second)) => first.cmp(&second),
            _ => first.cmp(second),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (&left[first.len()..], &right[second.len()..]);
    }
}

/// The digits, or the rest up to digits, that a text begins with.
fn chunk(text: &str) -> &str {
    let digits = text.starts_with(|character: char| character.is_ascii_digit());
    let end = text.find(|character: char| character.is_ascii_digit() != digits);
    &text[..end.unwrap_or(text.len())]
}

/// None where it is no number or too long for one.
fn number(chunk: &str) -> Option<i64> {
    chunk.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn numbers_are_compared_as_numbers() {
        let mut labels = ["4m1000", "4m5", "4m600", "1.111.3", "1.2.3", "1.11.3", ""];
        labels.sort_by(|left, right| compare(left, right));
        assert_eq!(labels, ["", "1.2.3", "1.11.3", "1.111.3", "4m5", "4m600", "4m1000"]);
    }
}
