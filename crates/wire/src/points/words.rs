//! The words that are in a column of every series, followed by zeros: so they can be copied as a block
//! like any short text.

use crate::proto::BLOCK;

/// A word and its length, followed by zeros.
pub(crate) type Word = ([u8; 2 * BLOCK], usize);

pub(crate) const GAUGE: Word = word("gauge");
pub(crate) const SUM: Word = word("sum");
pub(crate) const HISTOGRAM: Word = word("histogram");
pub(crate) const EXPONENTIAL_HISTOGRAM: Word = word("exponential_histogram");
pub(crate) const SUMMARY: Word = word("summary");
/// The kinds that only Prometheus has, in its words.
pub(crate) const GAUGE_HISTOGRAM: Word = word("gaugehistogram");
pub(crate) const INFO: Word = word("info");
pub(crate) const STATE_SET: Word = word("stateset");
pub(crate) const UNKNOWN: Word = word("unknown");
/// No kind of a series, but what was told of a metric apart from its series.
pub(crate) const METADATA: Word = word("metadata");
pub(crate) const DELTA: Word = word("delta");
pub(crate) const CUMULATIVE: Word = word("cumulative");

const fn word(text: &str) -> Word {
    let mut padded = [0; 2 * BLOCK];
    let mut index = 0;
    while index < text.len() {
        padded[index] = text.as_bytes()[index];
        index += 1;
    }
    (padded, text.len())
}
