//! Small parts on their own.

use proptest::prelude::*;

use crate::TimeRange;
use crate::read::pieces;
use crate::table::convert::{parse_hex, to_hex};

proptest! {
    #[test]
    fn hex_there_and_back(bytes: Vec<u8>) {
        let text = to_hex(&bytes);
        prop_assert_eq!(text.len(), bytes.len() * 2);
        prop_assert_eq!(parse_hex(&text), Some(bytes));
    }

    #[test]
    fn what_is_not_hex_of_ours_is_refused(text in "[0-9a-fA-F]{1,6}|.{1,6}") {
        if let Some(bytes) = parse_hex(&text) {
            prop_assert_eq!(to_hex(&bytes), text);
        }
    }

    #[test]
    fn pieces_cover_a_range_once_from_its_end(from in -1_000_000_000_000_000_000_i64..1_000_000_000_000_000_000, length in 0_i64..3_000_000_000_000_000_000) {
        let range = TimeRange { from, to: from + length };
        let mut end = range.to;
        let mut count = 0;
        for piece in pieces(range) {
            prop_assert_eq!(piece.to, end);
            prop_assert!(piece.from < piece.to);
            end = piece.from;
            count += 1;
        }
        prop_assert!(end == range.from && count <= 6);
    }
}
