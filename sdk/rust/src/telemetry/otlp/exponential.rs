use std::sync::Arc;

use super::value::KeyValue;
use super::writer::Writer;

/// One distribution of one series over buckets that grow by a constant factor.
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialPoint {
    /// The series' labels.
    pub attributes: Arc<[KeyValue]>,
    /// Since when it adds up.
    pub start_time_unix_nano: u64,
    /// When.
    pub time_unix_nano: u64,
    /// How many values there are.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The factor is `2^(2^-scale)`.
    pub scale: i32,
    /// How many are zero.
    pub zero_count: u64,
    /// Those above zero.
    pub positive: ExponentialBuckets,
    /// Those below zero, by their distance from it.
    pub negative: ExponentialBuckets,
    /// The smallest value.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
}

/// Counts of consecutive buckets: bucket `i` holds what is above `factor^i`, up to `factor^(i + 1)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExponentialBuckets {
    /// The index of the first.
    pub offset: i32,
    /// How many values are in each.
    pub counts: Vec<u64>,
}

impl ExponentialPoint {
    /// The value below which this share (0 to 1) of all lies, by the middle of its bucket; none
    /// without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let (min, max) = (self.min?, self.max?);
        let rank = (share.clamp(0.0, 1.0) * self.count.saturating_sub(1) as f64).round() as u64;
        // The ends are known exactly.
        if rank == 0 || rank + 1 >= self.count {
            return Some(if rank == 0 { min } else { max });
        }
        let middle = |index: i32| ((f64::from(index) + 0.5) * f64::from(-self.scale).exp2()).exp2();
        let indexed = |side: &ExponentialBuckets| -> Vec<(i32, u64)> {
            (side.offset..).zip(side.counts.iter().copied()).collect()
        };
        let below = indexed(&self.negative).into_iter().rev().map(|(index, count)| (-middle(index), count));
        let above = indexed(&self.positive).into_iter().map(|(index, count)| (middle(index), count));
        let mut seen = 0;
        for (value, count) in below.chain([(0.0, self.zero_count)]).chain(above) {
            seen += count;
            if seen > rank {
                return Some(value.clamp(min, max));
            }
        }
        Some(max)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.attributes.iter().for_each(|attribute| writer.message(1, |writer| attribute.write(writer)));
        writer.fixed64(2, self.start_time_unix_nano);
        writer.fixed64(3, self.time_unix_nano);
        writer.fixed64(4, self.count);
        writer.always_fixed64(5, self.sum.to_bits());
        writer.signed(6, self.scale);
        writer.fixed64(7, self.zero_count);
        for (field, side) in [(8, &self.positive), (9, &self.negative)] {
            if !side.counts.is_empty() {
                writer.message(field, |writer| {
                    writer.signed(1, side.offset);
                    writer.packed_integers(2, side.counts.iter().copied());
                });
            }
        }
        self.min.iter().for_each(|min| writer.always_fixed64(12, min.to_bits()));
        self.max.iter().for_each(|max| writer.always_fixed64(13, max.to_bits()));
    }
}
