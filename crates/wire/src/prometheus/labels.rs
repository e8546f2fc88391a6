//! Labels of series: read, judged, sorted and hashed once for each series that comes again.

use std::cell::Cell;

use xxhash_rust::xxh3::xxh3_64;

use super::Version;
use crate::canonical::{self, Canonical};
use crate::columns::{Attributes, Id, Ids, Text};
use crate::judge::{Judge, Limits, Reason};
use crate::points::words;
use crate::proto::{Known, Reader, Refused, put_varint};

const LABEL: Known = Known::new("Label", &[1, 2]);

const METRIC_NAME: &[u8] = b"__name__";
const JOB: &[u8] = b"job";
/// The service of what has no `job`.
pub(super) const UNKNOWN_SERVICE: &[u8] = b"unknown_service";

/// Key of a label in a series and in an exemplar.
pub(super) const LABEL_TAG: u8 = 0x0a;

thread_local! {
    static SETS: [Cell<Sets>; 2] = Default::default();
}

/// Sets of labels that were read before, by the bytes that they came in.
///
/// The same series come again in every request, and mostly in the same order. Nothing depends on what
/// is in it: the bytes themselves are compared, and other limits forget all. Every set in it is
/// acceptable.
#[derive(Default)]
pub(super) struct Sets {
    /// By the lowest bits of the bytes' hash: 1 + the row, or 0.
    slots: Vec<u16>,
    /// The fields as they came; empty where they did not follow each other.
    raw: Text,
    /// Sorted.
    labels: Attributes,
    ids: Ids<16>,
    names: Text,
    services: Text,
    /// The row after the last one found.
    next: usize,
    limits: Option<Limits>,
    canonical: Canonical,
}

impl Sets {
    // With what is beside the texts up to some 10 MiB a thread.
    const SLOTS: usize = 1 << 15;
    const ROWS_MAX: usize = 1 << 14;
    const BYTES_MAX: usize = 4 << 20;

    /// Takes the sets of this thread, if they were read under these limits.
    pub(super) fn take(version: Version, limits: &Limits) -> Self {
        let sets = SETS.with(|sets| sets[version as usize].take());
        if sets.limits.as_ref() == Some(limits) {
            sets
        } else {
            Self { limits: Some(*limits), ..Self::default() }
        }
    }

    /// Gives the sets back to this thread.
    pub(super) fn keep(self, version: Version) {
        if !self.is_full() {
            SETS.with(|sets| sets[version as usize].set(self));
        }
    }

    fn is_full(&self) -> bool {
        self.ids.len() >= Self::ROWS_MAX || self.raw.bytes() + self.labels.bytes() > Self::BYTES_MAX
    }

    /// The id of the series that has a set's labels.
    #[inline(always)]
    pub(super) fn id(&self, set: usize) -> &Id<16> {
        self.ids.row(set)
    }

    /// Its `__name__`.
    pub(super) fn name(&self, set: usize) -> &[u8] {
        self.names.row(set)
    }

    /// The service that it belongs to.
    pub(super) fn service(&self, set: usize) -> &[u8] {
        self.services.row(set)
    }

    /// Labels of all sets.
    pub(super) fn labels(&self) -> &Attributes {
        &self.labels
    }

    /// Takes the fields of the set that is expected next, if they come next and no other label does.
    #[inline(always)]
    pub(super) fn expected(&mut self, fields: &mut Reader<'_>) -> Option<usize> {
        let start = *fields;
        if fields.take_exactly(self.raw.row(self.next)) && !fields.is_key(LABEL_TAG) {
            self.next += 1;
            return Some(self.next - 1);
        }
        *fields = start;
        None
    }

    /// The set that came in these bytes before.
    pub(super) fn find(&mut self, raw: &[u8]) -> Option<usize> {
        let set = if !raw.is_empty() && self.raw.row(self.next) == raw {
            self.next
        } else {
            let set = usize::from(*self.slots.get(low_bits(xxh3_64(raw)))?).checked_sub(1)?;
            (self.raw.row(set) == raw).then_some(set)?
        };
        self.next = set + 1;
        Some(set)
    }

    /// Reads a set that was not found; none if it is not acceptable. Sets that were found may be
    /// others from now on.
    #[inline(never)]
    pub(super) fn read(
        &mut self,
        runs: &[Reader<'_>],
        judge: &mut Judge<'_>,
    ) -> Result<Option<usize>, Refused> {
        if self.is_full() {
            *self = Self { limits: self.limits, ..Self::default() };
        }
        let set = self.ids.len();
        let read = |run| read_labels(&mut self.labels, run, judge);
        let sent: Result<usize, Refused> = runs.iter().map(read).sum();
        // Nothing half read may stay: the sets outlive the request.
        let sent = sent.inspect_err(|_| self.labels.truncate(set))?;
        let kept = self.labels.end_row_sorted();
        if sent > judge.limits.attributes_max {
            judge.reject(Reason::TooManyAttributes, sent as u64);
        }
        if self.labels.row_len(set) < kept {
            judge.reject(Reason::DuplicateLabel, 0);
        }
        if self.labels.check_tail().is_err() {
            judge.reject(Reason::InvalidUtf8, 0);
        }
        let label = |wanted: &[u8]| {
            let mut labels = self.labels.row(set);
            labels.find(|(name, _)| *name == wanted).and_then(|(_, value)| value)
        };
        let name = label(METRIC_NAME).unwrap_or_default();
        if name.is_empty() {
            judge.reject(Reason::EmptyMetricName, 0);
        }
        if judge.is_rejected() {
            self.labels.truncate(set);
            return Ok(None);
        }
        self.names.push_bytes(name);
        self.services.push_bytes(label(JOB).unwrap_or(UNKNOWN_SERVICE));
        self.identify(set);
        self.insert(set, runs);
        Ok(Some(set))
    }

    /// The id, as for a series of OpenTelemetry without resource, scope and unit.
    fn identify(&mut self, set: usize) {
        let canonical = &mut self.canonical;
        canonical.clear();
        canonical.sorted_attributes(0, std::iter::empty());
        canonical.text(&[]);
        canonical.text(&[]);
        let stream = canonical.id();
        canonical.restart(&stream);
        canonical.text(self.names.row(set));
        canonical.text(&[]);
        let (unknown, length) = &words::UNKNOWN;
        canonical.text(unknown.get(..*length).unwrap_or_default());
        canonical.text(&[]);
        canonical.byte(0);
        let owner = canonical.id();
        canonical.clear();
        canonical.sorted_attributes(self.labels.row_len(set), self.labels.row(set));
        let labels = canonical.id();
        self.ids.push(&canonical::join(&owner, &labels));
    }

    fn insert(&mut self, set: usize, runs: &[Reader<'_>]) {
        self.next = set + 1;
        let [run] = runs else {
            self.raw.push_bytes(&[]);
            return;
        };
        self.raw.push_bytes(run.bytes());
        self.slots.resize(Self::SLOTS, 0);
        let slot = self.slots.get_mut(low_bits(xxh3_64(run.bytes())));
        if let (Some(slot), Ok(row)) = (slot, u16::try_from(set + 1)) {
            *slot = row;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
fn low_bits(hash: u64) -> usize {
    hash as usize % Sets::SLOTS
}

/// Appends the labels that are the fields of `run` to the open row, but for those without a value;
/// says how many there are.
pub(super) fn read_labels(
    out: &mut Attributes,
    run: &Reader<'_>,
    judge: &mut Judge<'_>,
) -> Result<usize, Refused> {
    let mut sent = 0;
    let mut fields = *run;
    while fields.more()? {
        // The run has no other fields.
        fields.key();
        let (name, value) = label(fields.field())?;
        sent += 1;
        if name.is_empty() {
            judge.reject(Reason::EmptyLabelName, 0);
        }
        if value.len() > judge.limits.value_bytes_max {
            judge.reject(Reason::ValueTooLong, value.len() as u64);
        }
        if !value.is_empty() {
            out.key(name);
            out.values.push_text(|to| value.copy_to(to));
        }
    }
    Ok(sent)
}

/// Appends a label as a field of a series.
pub(super) fn put_label(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(LABEL_TAG);
    put_varint(out, (2 + length_of(name.len()) + name.len() + length_of(value.len()) + value.len()) as u64);
    for (key, text) in [(0x0a, name), (0x12, value)] {
        out.push(key);
        put_varint(out, text.len() as u64);
        out.extend_from_slice(text);
    }
}

/// Bytes of a varint.
pub(super) fn length_of(value: usize) -> usize {
    (value | 1).ilog2() as usize / 7 + 1
}

/// Name and value of a `Label`.
#[inline(always)]
fn label(message: Reader<'_>) -> Result<(Reader<'_>, Reader<'_>), Refused> {
    let (mut name, mut value) = (Reader::EMPTY, Reader::EMPTY);
    let mut fields = message;
    while fields.more()? {
        match fields.key() {
            0x0a => name = fields.field(),
            0x12 => value = fields.field(),
            key => fields.unknown(key, &LABEL)?,
        }
    }
    Ok((name, value))
}
