//! The words that are in a column of every series, followed by zeros: so they can be copied as a block
//! like any short text.

use crate::proto::BLOCK;

/// A word and its length, followed by zeros.
pub(crate) type Word = ([u8; 2 * BLOCK], usize);

pub(super) const GAUGE: Word = word("gauge");
pub(super) const SUM: Word = word("sum");
pub(super) const HISTOGRAM: Word = word("histogram");
pub(super) const EXPONENTIAL_HISTOGRAM: Word = word("exponential_histogram");
pub(super) const SUMMARY: Word = word("summary");
pub(super) const DELTA: Word = word("delta");
pub(super) const CUMULATIVE: Word = word("cumulative");

const fn word(text: &str) -> Word {
    let mut padded = [0; 2 * BLOCK];
    let mut index = 0;
    while index < text.len() {
        padded[index] = text.as_bytes()[index];
        index += 1;
    }
    (padded, text.len())
}
