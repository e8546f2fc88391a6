use crate::judge::{Judge, Reason};
use crate::points::{Buckets, Span};
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

impl Buckets {
    /// Appends a row.
    pub(super) fn push(&mut self, from: &Counts, judge: &mut Judge<'_>) {
        if from.sent > 0 {
            let buckets = i32::try_from(from.sent).ok();
            if buckets.and_then(|buckets| from.offset.checked_add(buckets)).is_none() {
                judge.reject(Reason::BucketIndexOutOfRange, from.sent as u64);
            } else if from.sent > judge.limits.buckets_max {
                judge.reject(Reason::TooManyBuckets, from.sent as u64);
            } else {
                self.push_counts(from, judge);
            }
        }
        self.end_row();
    }

    fn push_counts(&mut self, from: &Counts, judge: &mut Judge<'_>) {
        let mut span = Span::default();
        // In this order: the range must not be asked for an index after the last bucket's.
        for (count, index) in from.counts.iter().zip(from.offset..) {
            if *count > 0 {
                // Indices follow each other from one that is an i32: every gap fits.
                self.add(&mut span, index, judge.count(*count));
            }
        }
    }
}
