use super::{Context, Decide, Limits, Rejection};
use crate::columns::{Id, NotUtf8};
use crate::proto::{Malformed, Reader, Refused};

/// Why a record is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    BoundsNotIncreasing,
    BucketCountsMismatch,
    BucketIndexOutOfRange,
    CountOutOfRange,
    EmptyMetricName,
    InvalidParentSpanId,
    InvalidSpanId,
    InvalidTraceId,
    InvalidUtf8,
    MissingValue,
    NestedTooDeep,
    QuantileOutOfRange,
    ScaleOutOfRange,
    TimeOutOfRange,
    TooManyAttributes,
    TooManyBuckets,
    TooManyEvents,
    TooManyExemplars,
    TooManyLinks,
    UnknownMetricKind,
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
            Self::EmptyMetricName => ("empty_metric_name", "the metric has no name".into()),
            Self::InvalidParentSpanId => {
                ("invalid_parent_span_id", format!("parent_span_id of {found} bytes, must be none or 8"))
            }
            Self::InvalidSpanId => ("invalid_span_id", id(found, "span_id", 8)),
            Self::InvalidTraceId => ("invalid_trace_id", id(found, "trace_id", 16)),
            Self::InvalidUtf8 => ("invalid_utf8", "a text is not UTF-8".into()),
            Self::MissingValue => ("missing_value", "the point has neither as_double nor as_int".into()),
            Self::NestedTooDeep => {
                ("nested_too_deep", format!("a value is nested more than {} deep", super::value::DEPTH_MAX))
            }
            Self::QuantileOutOfRange => ("quantile_out_of_range", "a quantile is not within 0 and 1".into()),
            Self::ScaleOutOfRange => (
                "scale_out_of_range",
                format!("scale {} is not a scale that senders use", found.cast_signed()),
            ),
            Self::TimeOutOfRange => {
                ("time_out_of_range", format!("time {found} is after the year 2262, the last in nanoseconds"))
            }
            Self::TooManyAttributes => {
                ("too_many_attributes", over(found, "attributes", limits.attributes_max))
            }
            Self::TooManyBuckets => ("too_many_buckets", over(found, "buckets", limits.buckets_max)),
            Self::TooManyEvents => ("too_many_events", over(found, "events", limits.events_max)),
            Self::TooManyExemplars => ("too_many_exemplars", over(found, "exemplars", limits.exemplars_max)),
            Self::TooManyLinks => ("too_many_links", over(found, "links", limits.links_max)),
            Self::UnknownMetricKind => {
                ("unknown_metric_kind", format!("the metric's data is field {found}, of no known kind"))
            }
            Self::UnspecifiedTemporality => (
                "unspecified_temporality",
                format!("aggregation temporality {found}, must be delta or cumulative"),
            ),
            Self::ValueTooLong => ("value_too_long", over(found, "bytes in a value", limits.value_bytes_max)),
        }
    }
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
pub(super) struct Judge<'a> {
    pub(super) limits: Limits,
    pub(super) received_unix_nano: i64,
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
    pub(super) fn new(context: &Context<'a>, careful: bool) -> Self {
        let (limits, recorded) = match context.decide {
            Decide::Apply(limits) => (*limits, &[][..]),
            Decide::Recorded(recorded) => (Limits::NONE, recorded),
        };
        Self {
            limits,
            received_unix_nano: context.received_unix_nano,
            recorded,
            careful,
            next: 0,
            wrong: None,
            inherited: None,
            rejected: Vec::new(),
        }
    }

    /// Whether `more` records may follow.
    pub(super) fn expect(&self, more: usize) -> Result<(), Refused> {
        let limit = self.limits.records_max;
        if self.next as usize + more > limit {
            Err(Malformed::TooManyRecords { limit }.into())
        } else {
            Ok(())
        }
    }

    /// Begins the next record; false where it is recorded that it was rejected.
    #[inline(always)]
    pub(super) fn begin(&mut self) -> bool {
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
    pub(super) fn is_lenient(&self) -> bool {
        self.recorded.is_empty() && self.inherited.is_none() && !self.careful
    }

    /// Accepts a record that has nothing wrong, if [`Judge::is_lenient`].
    #[inline(always)]
    pub(super) fn accept_plain(&mut self) {
        self.next += 1;
    }

    /// Notes that the record cannot be accepted; the first reason counts. The record is read on,
    /// because a request that is malformed further on must be refused.
    #[cold]
    pub(super) fn reject(&mut self, reason: Reason, found: u64) {
        self.wrong.get_or_insert((reason, found));
    }

    /// Whether something is wrong so far.
    pub(super) fn is_rejected(&self) -> bool {
        self.wrong.is_some()
    }

    /// Ends the record; `check` checks its text if that is not done for all records at once.
    #[inline(always)]
    pub(super) fn accept(&mut self, check: impl FnOnce() -> Result<(), NotUtf8>) -> bool {
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
    pub(super) fn share<T>(
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
    pub(super) fn unshare(&mut self, before: Inherited) {
        self.inherited = before.0;
    }

    /// A count as columns have it.
    #[inline(always)]
    pub(super) fn count(&mut self, count: u64) -> i64 {
        i64::try_from(count).unwrap_or_else(|_| {
            self.reject(Reason::CountOutOfRange, count);
            0
        })
    }

    /// A time as columns have it.
    #[inline(always)]
    pub(super) fn time(&mut self, unix_nano: u64) -> i64 {
        i64::try_from(unix_nano).unwrap_or_else(|_| {
            self.reject(Reason::TimeOutOfRange, unix_nano);
            0
        })
    }

    /// A trace id where there need not be one: none of no bytes and of zeros.
    #[inline(always)]
    pub(super) fn trace_id<'b>(&mut self, id: Reader<'b>) -> Option<&'b Id<16>> {
        self.id(id, Reason::InvalidTraceId)
    }

    /// A span id where there need not be one.
    #[inline(always)]
    pub(super) fn span_id<'b>(&mut self, id: Reader<'b>) -> Option<&'b Id<8>> {
        self.id(id, Reason::InvalidSpanId)
    }

    /// An id where there need not be one; another length than its own has `reason`.
    #[inline(always)]
    pub(super) fn id<'b, const N: usize>(&mut self, id: Reader<'b>, reason: Reason) -> Option<&'b Id<N>> {
        let array = id.array::<N>();
        if array.is_none() && !id.is_empty() {
            self.reject(reason, id.len() as u64);
        }
        array.filter(|id| **id != [0; N])
    }

    /// An id that must be there.
    #[inline(always)]
    pub(super) fn required_id<'b, const N: usize>(&mut self, id: Reader<'b>, reason: Reason) -> &'b Id<N> {
        match id.array::<N>() {
            Some(id) if *id != [0; N] => id,
            _ => {
                self.reject(reason, id.len() as u64);
                &[0; N]
            }
        }
    }

    /// How many records there were, and the rejected ones.
    pub(super) fn finish(self) -> (u32, Vec<Rejection>) {
        (self.next, self.rejected)
    }
}

/// What was wrong before [`Judge::share`].
pub(super) struct Inherited(Option<(Reason, u64)>);
