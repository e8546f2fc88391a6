use arrow_array::RecordBatch;

use super::Version;
use crate::judge::{Judge, Reason};
use crate::points::{self, Buckets, CUSTOM_BOUNDS, Span};
use crate::proto::{Known, Reader, Refused};

const HISTOGRAM_V1: Known = Known::new("Histogram", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const HISTOGRAM_V2: Known =
    Known::new("Histogram", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
const BUCKET_SPAN: Known = Known::new("BucketSpan", &[1, 2]);

/// Resolutions that Prometheus knows or has reserved.
const SCHEMAS: std::ops::RangeInclusive<i32> = -9..=52;

/// Native histograms and what they are read with.
#[derive(Default)]
pub(super) struct Histograms {
    pub(super) rows: points::Histograms,
    /// Of the histogram being read.
    positive: Side,
    negative: Side,
    bounds: Vec<f64>,
}

/// What is single of a histogram.
#[derive(Clone, Copy, Default)]
pub(super) struct Head {
    pub(super) time_ms: i64,
    pub(super) start_ms: i64,
    pub(super) sum: f64,
    count: Count,
    zero_count: Count,
    schema: i32,
    zero_threshold: f64,
    reset_hint: i32,
}

/// A count as it is sent.
#[derive(Clone, Copy, Default, PartialEq)]
enum Count {
    #[default]
    None,
    Int(u64),
    Float(f64),
}

/// The buckets of one side as they are sent.
#[derive(Default)]
struct Side {
    spans: Vec<(i32, u32)>,
    /// Of integers, each but the first less the one before.
    deltas: Vec<i64>,
    /// Not of integers.
    counts: Vec<f64>,
}

impl Histograms {
    /// Reads a `Histogram`; nothing of it is in the columns before [`Histograms::push`].
    pub(super) fn read(&mut self, version: Version, message: Reader<'_>) -> Result<Head, Refused> {
        self.positive.clear();
        self.negative.clear();
        self.bounds.clear();
        let mut head = Head::default();
        let mut fields = message;
        while fields.more()? {
            match (fields.key(), version) {
                (0x08, _) => head.count = Count::Int(fields.varint()),
                (0x11, _) => head.count = Count::Float(fields.double()),
                (0x19, _) => head.sum = fields.double(),
                (0x20, _) => head.schema = fields.sint32(),
                (0x29, _) => head.zero_threshold = fields.double(),
                (0x30, _) => head.zero_count = Count::Int(fields.varint()),
                (0x39, _) => head.zero_count = Count::Float(fields.double()),
                (0x42, _) => self.negative.read_span(fields.field())?,
                (0x48, _) => self.negative.deltas.push(fields.sint64()),
                (0x4a, _) => read_deltas(&mut self.negative.deltas, fields.field())?,
                (0x51, _) => self.negative.counts.push(fields.double()),
                (0x52, _) => read_doubles(&mut self.negative.counts, fields.field())?,
                (0x5a, _) => self.positive.read_span(fields.field())?,
                (0x60, _) => self.positive.deltas.push(fields.sint64()),
                (0x62, _) => read_deltas(&mut self.positive.deltas, fields.field())?,
                (0x69, _) => self.positive.counts.push(fields.double()),
                (0x6a, _) => read_doubles(&mut self.positive.counts, fields.field())?,
                (0x70, _) => head.reset_hint = fields.varint32().cast_signed(),
                (0x78, _) => head.time_ms = fields.varint().cast_signed(),
                (0x81, _) => self.bounds.push(fields.double()),
                (0x82, _) => read_doubles(&mut self.bounds, fields.field())?,
                (0x88, Version::V2) => head.start_ms = fields.varint().cast_signed(),
                (key, Version::V1) => fields.unknown(key, &HISTOGRAM_V1)?,
                (key, Version::V2) => fields.unknown(key, &HISTOGRAM_V2)?,
            }
        }
        Ok(head)
    }

    /// Judges the histogram that was read.
    pub(super) fn judge(&self, head: &Head, judge: &mut Judge<'_>) {
        let custom = head.schema == CUSTOM_BOUNDS;
        if !custom && !SCHEMAS.contains(&head.schema) {
            judge.reject(Reason::ScaleOutOfRange, i64::from(head.schema).cast_unsigned());
        }
        head.judge_counts(judge);
        for side in [&self.positive, &self.negative] {
            side.judge(head, judge);
        }
        if custom {
            self.judge_custom(judge);
        }
        if self.bounds.len() > judge.limits.buckets_max {
            judge.reject(Reason::TooManyBuckets, self.bounds.len() as u64);
        }
    }

    fn judge_custom(&self, judge: &mut Judge<'_>) {
        let wrong = |pair: &[f64]| pair.first() >= pair.last();
        let wrong = self.bounds.windows(2).position(wrong).map(|index| index + 1);
        let wrong = wrong.or_else(|| self.bounds.iter().position(|bound| bound.is_nan()));
        if let Some(index) = wrong {
            judge.reject(Reason::BoundsNotIncreasing, index as u64);
        }
        let negative = self.negative.len();
        if negative > 0 {
            judge.reject(Reason::CustomBucketsNegative, negative as u64);
        }
        let outside = |(offset, length): (i64, u32)| {
            offset < 0 || offset + i64::from(length) > self.bounds.len() as i64 + 1
        };
        if self.positive.runs(0).filter(|(_, length)| *length > 0).any(outside) {
            judge.reject(Reason::BucketIndexOutOfRange, self.positive.len() as u64);
        }
    }

    /// Appends the row of the histogram that was read and accepted, but for the columns of every point.
    pub(super) fn push(&mut self, head: &Head) {
        let rows = &mut self.rows;
        let row = rows.count.len();
        rows.count.push(head.count.rounded());
        rows.zero_count.push(head.zero_count.rounded());
        rows.sum.push(Some(head.sum));
        rows.min.push(None);
        rows.max.push(None);
        rows.schema.push(Some(head.schema));
        rows.zero_threshold.push(head.zero_threshold);
        self.positive.push(head, row, &mut rows.positive);
        self.negative.push(head, row, &mut rows.negative);
        rows.custom_bounds.values.extend_from_slice(&self.bounds);
        rows.custom_bounds.end_row();
        rows.quantiles.end_row();
        rows.quantile_values.end_row();
        rows.reset_hint.set(row, Some(head.reset_hint));
        if let Count::Float(count) = head.count {
            rows.count_double.set(row, Some(count));
            rows.zero_count_double.set(row, Some(head.zero_count.double()));
        }
    }

    pub(super) fn finish(self) -> RecordBatch {
        self.rows.finish()
    }
}

impl Head {
    fn is_float(&self) -> bool {
        matches!(self.count, Count::Float(_))
    }

    /// By how much OTLP's index of a bucket is less.
    fn shift(&self) -> i64 {
        i64::from(self.schema != CUSTOM_BOUNDS)
    }

    fn judge_counts(&self, judge: &mut Judge<'_>) {
        let mixed = match self.zero_count {
            Count::None | Count::Int(0) => false,
            Count::Int(_) => self.is_float(),
            Count::Float(count) => !self.is_float() && count != 0.0,
        };
        if mixed {
            judge.reject(Reason::MixedCounts, 0);
        }
        for count in [self.count, self.zero_count] {
            match count {
                Count::Int(count) => drop(judge.count(count)),
                Count::Float(count) if count < 0.0 => judge.reject(Reason::NegativeCount, 0),
                Count::Float(_) | Count::None => {}
            }
        }
    }
}

impl Count {
    /// What the column of integers has.
    fn rounded(self) -> i64 {
        match self {
            Self::None => 0,
            // It fits, or it would not have been accepted.
            Self::Int(count) => count.cast_signed(),
            Self::Float(count) => rounded(count),
        }
    }

    fn double(self) -> f64 {
        match self {
            Self::Float(count) => count,
            // None but zero is with doubles.
            Self::None | Self::Int(_) => 0.0,
        }
    }
}

/// A count as an integer: NaN is none.
#[expect(clippy::cast_possible_truncation, reason = "the nearest there is is meant")]
fn rounded(count: f64) -> i64 {
    count.round() as i64
}

impl Side {
    fn clear(&mut self) {
        self.spans.clear();
        self.deltas.clear();
        self.counts.clear();
    }

    fn read_span(&mut self, message: Reader<'_>) -> Result<(), Refused> {
        let (mut offset, mut length) = (0, 0);
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x08 => offset = fields.sint32(),
                0x10 => length = fields.varint32(),
                key => fields.unknown(key, &BUCKET_SPAN)?,
            }
        }
        self.spans.push((offset, length));
        Ok(())
    }

    /// How many buckets, of whichever kind.
    fn len(&self) -> usize {
        self.deltas.len() + self.counts.len()
    }

    /// The index of each span's first bucket, all of them less by `shift`, and how many it has.
    fn runs(&self, shift: i64) -> impl Iterator<Item = (i64, u32)> {
        let mut end = -shift;
        self.spans.iter().map(move |(offset, length)| {
            // There are fewer spans than bytes: this stays far from the bounds.
            let start = end + i64::from(*offset);
            end = start + i64::from(*length);
            (start, *length)
        })
    }

    fn judge(&self, head: &Head, judge: &mut Judge<'_>) {
        let (own, others) = match head.is_float() {
            true => (self.counts.len(), self.deltas.len()),
            false => (self.deltas.len(), self.counts.len()),
        };
        if others > 0 {
            judge.reject(Reason::MixedCounts, 0);
        }
        if own > judge.limits.buckets_max {
            judge.reject(Reason::TooManyBuckets, own as u64);
        }
        let buckets: u64 = self.spans.iter().map(|(_, length)| u64::from(*length)).sum();
        if buckets != own as u64 {
            judge.reject(Reason::SpanLengthsMismatch, own as u64);
        }
        if self.spans.iter().skip(1).any(|(offset, _)| *offset < 0) {
            judge.reject(Reason::SpansOverlap, 0);
        }
        self.judge_indices(head, judge);
        self.judge_counts(judge);
    }

    /// A bucket's index fits, and so does what the columns have of it: the gap before it, and the
    /// index after it.
    fn judge_indices(&self, head: &Head, judge: &mut Judge<'_>) {
        let (min, max) = (i64::from(i32::MIN), i64::from(i32::MAX));
        let (mut first, mut last) = (None, 0);
        for (start, length) in self.runs(head.shift()).filter(|(_, length)| *length > 0) {
            first.get_or_insert(start);
            last = start + i64::from(length);
        }
        let Some(first) = first else { return };
        if first < min || last > max || last - first > max {
            judge.reject(Reason::BucketIndexOutOfRange, self.len() as u64);
        }
    }

    fn judge_counts(&self, judge: &mut Judge<'_>) {
        let mut count: i64 = 0;
        for delta in &self.deltas {
            match count.checked_add(*delta) {
                Some(sum @ 0..) => count = sum,
                Some(_) => return judge.reject(Reason::NegativeCount, 0),
                None => return judge.reject(Reason::CountOutOfRange, delta.cast_unsigned()),
            }
        }
        if self.counts.iter().any(|count| *count < 0.0) {
            judge.reject(Reason::NegativeCount, 0);
        }
    }

    /// Appends the row of buckets that were accepted.
    fn push(&self, head: &Head, row: usize, to: &mut Buckets) {
        let mut span = Span::default();
        let indices = self.runs(head.shift()).flat_map(|(start, length)| (start..).take(length as usize));
        // They fit, or the histogram would not have been accepted.
        let indices = indices.map(|index| i32::try_from(index).unwrap_or_default());
        if head.is_float() {
            let buckets = || indices.zip(&self.counts).filter(|(_, count)| **count != 0.0);
            for (index, count) in buckets() {
                to.add(&mut span, index, rounded(*count));
            }
            to.floats.set(row, self.counts.iter().copied().filter(|count| *count != 0.0));
        } else {
            let mut count = 0;
            for (index, delta) in indices.zip(&self.deltas) {
                count += delta;
                if count != 0 {
                    to.add(&mut span, index, count);
                }
            }
        }
        to.end_row();
    }
}

/// Reads packed zigzag varints.
fn read_deltas(to: &mut Vec<i64>, packed: Reader<'_>) -> Result<(), Refused> {
    let mut numbers = packed;
    while numbers.more()? {
        to.push(numbers.sint64());
    }
    Ok(())
}

fn read_doubles(to: &mut Vec<f64>, packed: Reader<'_>) -> Result<(), Refused> {
    to.extend(packed.words()?.iter().map(|word| f64::from_le_bytes(*word)));
    Ok(())
}
