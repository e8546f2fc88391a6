use arrow_array::ArrayRef;
use arrow_array::types::{Int32Type, Int64Type};
use model::schema;

use super::super::judge::{Judge, Reason};
use crate::columns::{self, List, Offsets};
use crate::proto::{Known, Reader, Refused};

const BUCKETS: Known = Known::new("Buckets", &[1, 2]);

/// The buckets of one side of a point while it is read: how often each was hit, from `offset` on.
#[derive(Default)]
pub(super) struct Counts {
    offset: i32,
    counts: Vec<u64>,
    sent: usize,
}

impl Counts {
    pub(super) fn clear(&mut self) {
        self.offset = 0;
        self.counts.clear();
        self.sent = 0;
    }

    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    /// Adds a bucket; those over the limit are only counted.
    #[inline(always)]
    pub(super) fn push(&mut self, count: u64, judge: &Judge<'_>) {
        self.sent += 1;
        if self.sent <= judge.limits.buckets_max {
            self.counts.push(count);
        }
    }

    /// Packed fixed 64-bit counts.
    pub(super) fn read_fixed(&mut self, packed: Reader<'_>, judge: &Judge<'_>) -> Result<(), Refused> {
        let words = packed.words()?;
        let room = judge.limits.buckets_max.saturating_sub(self.sent);
        self.counts.extend(words.iter().take(room).map(|word| u64::from_le_bytes(*word)));
        self.sent += words.len();
        Ok(())
    }

    /// Reads, or merges, `ExponentialHistogramDataPoint.Buckets`.
    pub(super) fn read(&mut self, message: Reader<'_>, judge: &Judge<'_>) -> Result<(), Refused> {
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x08 => self.offset = fields.sint32(),
                0x10 => self.push(fields.varint(), judge),
                0x12 => {
                    let mut numbers = fields.field();
                    while numbers.more()? {
                        self.push(numbers.varint(), judge);
                    }
                }
                key => fields.unknown(key, &BUCKETS)?,
            }
        }
        Ok(())
    }
}

/// Two columns: the spans of non-empty buckets, and the counts in them.
#[derive(Default)]
pub(super) struct Buckets {
    offset: Vec<i32>,
    length: Vec<i32>,
    spans: Offsets,
    counts: List<Int64Type>,
}

impl Buckets {
    pub(super) fn expect(&mut self, records: usize) {
        self.spans.reserve(records);
        self.counts.reserve(records);
    }

    /// Appends a row.
    pub(super) fn push(&mut self, from: &Counts, judge: &mut Judge<'_>) {
        if from.sent > 0 {
            let buckets = i32::try_from(from.sent).ok();
            if buckets.and_then(|buckets| from.offset.checked_add(buckets)).is_none() {
                judge.reject(Reason::BucketIndexOutOfRange, from.sent as u64);
            } else if from.sent > judge.limits.buckets_max {
                judge.reject(Reason::TooManyBuckets, from.sent as u64);
            } else {
                self.push_spans(from, judge);
            }
        }
        self.spans.push(self.offset.len());
        self.counts.end_row();
    }

    fn push_spans(&mut self, from: &Counts, judge: &mut Judge<'_>) {
        // Where the last span ended, and so from where the next one's gap counts.
        let mut end = 0;
        let mut open = false;
        // In this order: the range must not be asked for an index after the last bucket's.
        for (count, index) in from.counts.iter().zip(from.offset..) {
            if *count > 0 {
                if !open {
                    self.offset.push(index - end);
                    self.length.push(0);
                }
                if let Some(length) = self.length.last_mut() {
                    *length += 1;
                }
                self.counts.values.push(judge.count(*count));
                end = index + 1;
            }
            open = *count > 0;
        }
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.spans.truncate(rows);
        let spans = self.spans.end_of(rows);
        self.offset.truncate(spans);
        self.length.truncate(spans);
        self.counts.truncate(rows);
    }

    /// The spans' column and the counts'.
    pub(super) fn finish(self) -> [ArrayRef; 2] {
        let columns =
            vec![columns::numbers::<Int32Type>(self.offset), columns::numbers::<Int32Type>(self.length)];
        let spans = columns::list_of_structs(&schema::bucket_spans_type(), self.spans, columns);
        [spans, self.counts.finish(&schema::list(arrow_schema::DataType::Int64))]
    }
}
