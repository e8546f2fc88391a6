//! What a request's records are judged by, and what becomes of them: the same for every protocol.
//!
//! Enters: limits, or the decision that was recorded; record by record what is wrong with it.
//! Leaves: which records are accepted, and of every other one which it was and why it was rejected.

use model::Batch;

use crate::columns::{Id, NotUtf8};
use crate::prometheus::exposition::Wrong;
use crate::proto::{Malformed, Reader, Refused};

/// The largest request there can be, uncompressed, whatever limits are set. A byte becomes at most
/// six in a column (a control character in JSON), and a column has at most 2 GiB.
pub const BODY_BYTES_MAX: usize = 256 << 20;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// What a decoder has to know besides the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// When the request was received: the time of records that have none.
    pub received_unix_nano: i64,
    /// How records are judged.
    pub decide: Decide<'a>,
}

/// How it is decided which records are accepted.
#[derive(Clone, Copy, Debug)]
pub enum Decide<'a> {
    /// By these limits and by the rules of the format.
    Apply(&'a Limits),
    /// As it was decided when the request was received: the records with these indices (sorted) are
    /// rejected and no limit is applied. Only what cannot be stored at all is rejected besides.
    Recorded(&'a [u32]),
}

/// What a sender may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most records in a request; one with more is refused.
    pub records_max: usize,
    /// Most attributes of a record, event, link, exemplar, resource or scope.
    pub attributes_max: usize,
    /// Longest attribute value or body, in bytes of its text.
    pub value_bytes_max: usize,
    /// Most events of a span.
    pub events_max: usize,
    /// Most links of a span.
    pub links_max: usize,
    /// Most buckets of a histogram point, or quantiles of a summary point.
    pub buckets_max: usize,
    /// Most exemplars of a point.
    pub exemplars_max: usize,
    /// How long before the request a point of a metric may have been measured, in nanoseconds.
    pub age_max_nanos: i64,
    /// How long after the request a point of a metric may say that it was measured, in nanoseconds.
    pub ahead_max_nanos: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            records_max: 1 << 20,
            attributes_max: 1024,
            value_bytes_max: 1 << 20,
            events_max: 8192,
            links_max: 8192,
            buckets_max: 8192,
            exemplars_max: 1024,
            age_max_nanos: i64::MAX,
            ahead_max_nanos: i64::MAX,
        }
    }
}

impl Limits {
    /// None.
    const NONE: Self = Self {
        records_max: usize::MAX,
        attributes_max: usize::MAX,
        value_bytes_max: usize::MAX,
        events_max: usize::MAX,
        links_max: usize::MAX,
        buckets_max: usize::MAX,
        exemplars_max: usize::MAX,
        age_max_nanos: i64::MAX,
        ahead_max_nanos: i64::MAX,
    };
}

/// A request's records, judged.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The accepted ones.
    pub batch: Batch,
    /// How many there were, the rejected ones included.
    pub received: u32,
    /// The others, by reason, except those that [`Decide::Recorded`] named.
    pub rejected: Vec<Rejection>,
}

/// Records that were rejected for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Stable name of the reason, such as `invalid_trace_id`.
    pub reason: &'static str,
    /// Which records, in ascending order.
    pub indices: Vec<u32>,
    /// What is wrong with the first of them, for the sender.
    pub example: String,
}

/// Why a record is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    BoundsNotIncreasing,
    BucketCountsMismatch,
    BucketIndexOutOfRange,
    CountOutOfRange,
    CustomBucketsNegative,
    DuplicateLabel,
    EmptyLabelName,
    EmptyMetricName,
    InvalidParentSpanId,
    InvalidSpanId,
    InvalidTraceId,
    InvalidUtf8,
    MalformedLine(Wrong),
    MillisecondsOutOfRange,
    MissingValue,
    MixedCounts,
    NegativeCount,
    NestedTooDeep,
    OddLabelReferences,
    QuantileOutOfRange,
    ScaleOutOfRange,
    SpanLengthsMismatch,
    SpansOverlap,
    TimeOutOfRange,
    TooFarAhead,
    TooManyAttributes,
    TooManyBuckets,
    TooManyEvents,
    TooManyExemplars,
    TooManyLinks,
    TooOld,
    UnknownMetricKind,
    UnknownSymbol,
    UnspecifiedTemporality,
    ValueTooLong,
}

impl Reason {
    /// The stable name, and what it means for a record where `found` is the number that is wrong.
    fn describe(self, found: u64, limits: &Limits) -> (&'static str, String) {
        match self {
            Self::BoundsNotIncreasing => {
                ("bounds_not_increasing", format!("explicit bound {found} is not above the one before it"))
            }
            Self::BucketCountsMismatch => (
                "bucket_counts_mismatch",
                format!("{found} bucket counts, must be one more than explicit bounds"),
            ),
            Self::BucketIndexOutOfRange => {
                ("bucket_index_out_of_range", format!("{found} buckets go on past index {}", i32::MAX))
            }
            Self::CountOutOfRange => ("count_out_of_range", format!("count {found} does not fit 63 bits")),
            Self::CustomBucketsNegative => (
                "custom_buckets_negative",
                format!("a histogram with custom bounds has {found} negative buckets, must be none"),
            ),
            Self::DuplicateLabel => ("duplicate_label", "two labels of the series have the same name".into()),
            Self::EmptyLabelName => ("empty_label_name", "a label has no name".into()),
            Self::EmptyMetricName => ("empty_metric_name", "the metric has no name".into()),
            Self::InvalidParentSpanId => {
                ("invalid_parent_span_id", format!("parent_span_id of {found} bytes, must be none or 8"))
            }
            Self::InvalidSpanId => ("invalid_span_id", id(found, "span_id", 8)),
            Self::InvalidTraceId => ("invalid_trace_id", id(found, "trace_id", 16)),
            Self::InvalidUtf8 => ("invalid_utf8", "a text is not UTF-8".into()),
            Self::MalformedLine(wrong) => ("malformed_line", format!("line {found}: {wrong}")),
            Self::MillisecondsOutOfRange => (
                "time_out_of_range",
                format!(
                    "{} ms since 1970 are not within 1677 and 2262, as nanoseconds are",
                    found.cast_signed()
                ),
            ),
            Self::MissingValue => ("missing_value", "the point has neither as_double nor as_int".into()),
            Self::MixedCounts => {
                ("mixed_counts", "the counts of a histogram are neither all integers nor all doubles".into())
            }
            Self::NegativeCount => ("negative_count", "a count of the histogram is negative".into()),
            Self::NestedTooDeep => {
                ("nested_too_deep", format!("a value is nested more than {} deep", crate::otlp::DEPTH_MAX))
            }
            Self::OddLabelReferences => (
                "odd_label_references",
                format!("{found} references to labels, must be a name and a value for each"),
            ),
            Self::QuantileOutOfRange => ("quantile_out_of_range", "a quantile is not within 0 and 1".into()),
            Self::ScaleOutOfRange => (
                "scale_out_of_range",
                format!("scale {} is not a scale that senders use", found.cast_signed()),
            ),
            Self::SpanLengthsMismatch => (
                "bucket_counts_mismatch",
                format!("{found} bucket counts, must be as many as the spans have together"),
            ),
            Self::SpansOverlap => ("spans_overlap", "a span of buckets begins before the last ends".into()),
            Self::TimeOutOfRange => {
                ("time_out_of_range", format!("time {found} is after the year 2262, the last in nanoseconds"))
            }
            Self::TooFarAhead => {
                ("too_far_ahead", over(found, "s in the future", seconds(limits.ahead_max_nanos)))
            }
            Self::TooManyAttributes => {
                ("too_many_attributes", over(found, "attributes", limits.attributes_max))
            }
            Self::TooManyBuckets => ("too_many_buckets", over(found, "buckets", limits.buckets_max)),
            Self::TooManyEvents => ("too_many_events", over(found, "events", limits.events_max)),
            Self::TooManyExemplars => ("too_many_exemplars", over(found, "exemplars", limits.exemplars_max)),
            Self::TooManyLinks => ("too_many_links", over(found, "links", limits.links_max)),
            Self::TooOld => ("too_old", over(found, "s old", seconds(limits.age_max_nanos))),
            Self::UnknownMetricKind => {
                ("unknown_metric_kind", format!("the metric's data is field {found}, of no known kind"))
            }
            Self::UnknownSymbol => ("unknown_symbol", format!("the request has no symbol {found}")),
            Self::UnspecifiedTemporality => (
                "unspecified_temporality",
                format!("aggregation temporality {found}, must be delta or cumulative"),
            ),
            Self::ValueTooLong => ("value_too_long", over(found, "bytes in a value", limits.value_bytes_max)),
        }
    }
}

fn seconds(nanos: i64) -> usize {
    usize::try_from(nanos / NANOS_PER_SECOND).unwrap_or(usize::MAX)
}

fn over(found: u64, what: &str, limit: usize) -> String {
    format!("{found} {what}, at most {limit}")
}

fn id(found: u64, what: &str, length: usize) -> String {
    if found == length as u64 {
        format!("{what} is all zeros")
    } else {
        format!("{what} of {found} bytes, must be {length}")
    }
}

/// Decides for each record in turn whether it is accepted.
pub(crate) struct Judge<'a> {
    pub(crate) limits: Limits,
    pub(crate) received_unix_nano: i64,
    /// Between which times points of metrics are accepted, both included.
    earliest: i64,
    latest: i64,
    recorded: &'a [u32],
    /// Texts of every record are checked as it ends, to find those that are not UTF-8.
    careful: bool,
    next: u32,
    wrong: Option<(Reason, u64)>,
    /// What is wrong with the resource, scope or metric of the records to come.
    inherited: Option<(Reason, u64)>,
    rejected: Vec<Rejection>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(context: &Context<'a>, careful: bool) -> Self {
        let (limits, recorded) = match context.decide {
            Decide::Apply(limits) => (*limits, &[][..]),
            Decide::Recorded(recorded) => (Limits::NONE, recorded),
        };
        Self {
            limits,
            received_unix_nano: context.received_unix_nano,
            earliest: context.received_unix_nano.saturating_sub(limits.age_max_nanos),
            latest: context.received_unix_nano.saturating_add(limits.ahead_max_nanos),
            recorded,
            careful,
            next: 0,
            wrong: None,
            inherited: None,
            rejected: Vec::new(),
        }
    }

    /// Whether `more` records may follow.
    pub(crate) fn expect(&self, more: usize) -> Result<(), Refused> {
        let limit = self.limits.records_max;
        if self.next as usize + more > limit {
            Err(Malformed::TooManyRecords { limit }.into())
        } else {
            Ok(())
        }
    }

    /// Begins the next record; false where it is recorded that it was rejected.
    #[inline(always)]
    pub(crate) fn begin(&mut self) -> bool {
        self.next += 1;
        self.wrong = self.inherited;
        let ordinal = self.next - 1;
        while let [index, rest @ ..] = self.recorded
            && *index <= ordinal
        {
            self.recorded = rest;
            if *index == ordinal {
                return false;
            }
        }
        true
    }

    /// Whether records that have nothing wrong of their own are accepted as they are read.
    pub(crate) fn is_lenient(&self) -> bool {
        self.recorded.is_empty() && self.inherited.is_none() && !self.careful
    }

    /// Accepts a record that has nothing wrong, if [`Judge::is_lenient`].
    #[inline(always)]
    pub(crate) fn accept_plain(&mut self) {
        self.next += 1;
    }

    /// Notes that the record cannot be accepted; the first reason counts. The record is read on,
    /// because a request that is malformed further on must be refused.
    #[cold]
    pub(crate) fn reject(&mut self, reason: Reason, found: u64) {
        self.wrong.get_or_insert((reason, found));
    }

    /// Whether something is wrong so far.
    pub(crate) fn is_rejected(&self) -> bool {
        self.wrong.is_some()
    }

    /// Ends the record; `check` checks its text if that is not done for all records at once.
    #[inline(always)]
    pub(crate) fn accept(&mut self, check: impl FnOnce() -> Result<(), NotUtf8>) -> bool {
        if self.careful && check().is_err() {
            self.reject(Reason::InvalidUtf8, 0);
        }
        self.wrong.is_none() || self.note_rejected()
    }

    #[cold]
    fn note_rejected(&mut self) -> bool {
        let Some((reason, found)) = self.wrong else { return true };
        let (reason, example) = reason.describe(found, &self.limits);
        let index = self.next - 1;
        match self.rejected.iter_mut().find(|rejection| rejection.reason == reason) {
            Some(rejection) => rejection.indices.push(index),
            None => self.rejected.push(Rejection { reason, indices: vec![index], example }),
        }
        false
    }

    /// Judges what the records to come share; `read` reads it. What is wrong with it is wrong with
    /// each of them, besides what already was; returns that.
    pub(crate) fn share<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Refused>,
    ) -> Result<(T, Inherited), Refused> {
        let before = self.inherited;
        self.wrong = before;
        let shared = read(self)?;
        self.inherited = self.wrong;
        Ok((shared, Inherited(before)))
    }

    /// Ends what [`Judge::share`] began.
    pub(crate) fn unshare(&mut self, before: Inherited) {
        self.inherited = before.0;
    }

    /// A count as columns have it.
    #[inline(always)]
    pub(crate) fn count(&mut self, count: u64) -> i64 {
        i64::try_from(count).unwrap_or_else(|_| {
            self.reject(Reason::CountOutOfRange, count);
            0
        })
    }

    /// A time as columns have it.
    #[inline(always)]
    pub(crate) fn time(&mut self, unix_nano: u64) -> i64 {
        i64::try_from(unix_nano).unwrap_or_else(|_| {
            self.reject(Reason::TimeOutOfRange, unix_nano);
            0
        })
    }

    /// A time in milliseconds as columns have it.
    #[inline(always)]
    pub(crate) fn milliseconds(&mut self, unix_ms: i64) -> i64 {
        unix_ms.checked_mul(1_000_000).unwrap_or_else(|| {
            self.reject(Reason::MillisecondsOutOfRange, unix_ms.cast_unsigned());
            0
        })
    }

    /// Whether a point of a metric may be of this time.
    #[inline(always)]
    pub(crate) fn is_timely(&self, unix_nano: i64) -> bool {
        self.earliest <= unix_nano && unix_nano <= self.latest
    }

    /// Rejects a point of a metric that is too old, or of a time that is too far away.
    #[inline(always)]
    pub(crate) fn check_timely(&mut self, unix_nano: i64) {
        if !self.is_timely(unix_nano) {
            self.reject_untimely(unix_nano);
        }
    }

    #[cold]
    fn reject_untimely(&mut self, unix_nano: i64) {
        let reason = if unix_nano < self.earliest { Reason::TooOld } else { Reason::TooFarAhead };
        self.reject(reason, unix_nano.abs_diff(self.received_unix_nano) / NANOS_PER_SECOND.cast_unsigned());
    }

    /// A trace id where there need not be one: none of no bytes and of zeros.
    #[inline(always)]
    pub(crate) fn trace_id<'b>(&mut self, id: Reader<'b>) -> Option<&'b Id<16>> {
        self.id(id, Reason::InvalidTraceId)
    }

    /// A span id where there need not be one.
    #[inline(always)]
    pub(crate) fn span_id<'b>(&mut self, id: Reader<'b>) -> Option<&'b Id<8>> {
        self.id(id, Reason::InvalidSpanId)
    }

    /// An id where there need not be one; another length than its own has `reason`.
    #[inline(always)]
    pub(crate) fn id<'b, const N: usize>(&mut self, id: Reader<'b>, reason: Reason) -> Option<&'b Id<N>> {
        let array = id.array::<N>();
        if array.is_none() && !id.is_empty() {
            self.reject(reason, id.len() as u64);
        }
        array.filter(|id| **id != [0; N])
    }

    /// An id that must be there.
    #[inline(always)]
    pub(crate) fn required_id<'b, const N: usize>(&mut self, id: Reader<'b>, reason: Reason) -> &'b Id<N> {
        match id.array::<N>() {
            Some(id) if *id != [0; N] => id,
            _ => {
                self.reject(reason, id.len() as u64);
                &[0; N]
            }
        }
    }

    /// How many records there were, and the rejected ones.
    pub(crate) fn finish(self) -> (u32, Vec<Rejection>) {
        (self.next, self.rejected)
    }
}

/// What was wrong before [`Judge::share`].
pub(crate) struct Inherited(Option<(Reason, u64)>);
