use std::cell::Cell;

use xxhash_rust::xxh3::xxh3_64;

use super::super::attribute;
use crate::canonical::Canonical;
use crate::columns::{Attributes, Id, Ids, Text};
use crate::judge::{Judge, Limits, Reason};
use crate::points::Known;
use crate::proto::{Reader, Refused};

/// The attributes of the point being read, as fields of its message.
#[derive(Default)]
pub(super) struct Run<'a> {
    /// Fields that follow each other, as they nearly always do.
    first: Option<Reader<'a>>,
    others: Vec<Reader<'a>>,
    /// The row of the set if it is the one that was expected.
    row: Option<usize>,
}

impl<'a> Run<'a> {
    /// Takes the fields that have `tag` and follow each other; the first one's key was read.
    #[inline(always)]
    pub(super) fn take(&mut self, tag: u8, fields: &mut Reader<'a>, sets: &Sets) {
        let start = *fields;
        // A metric's points come in the same order each time.
        let row = fields.take_exactly(sets.raw.row(sets.next)) && !fields.take_key(tag);
        if !row {
            *fields = start;
            loop {
                fields.field();
                if !fields.take_key(tag) {
                    break;
                }
            }
        }
        let run = start.until(fields);
        match self.first {
            None => {
                self.first = Some(run);
                self.row = row.then_some(sets.next);
            }
            Some(_) => {
                self.others.push(run);
                self.row = None;
            }
        }
    }
}

impl Run<'_> {
    /// The bytes of the fields if they follow each other and are not too many to be kept.
    fn raw(&self) -> Option<&[u8]> {
        let raw = self.first.map_or(&[][..], |run| run.bytes());
        (self.others.is_empty() && raw.len() <= Sets::SET_BYTES_MAX).then_some(raw)
    }
}

thread_local! {
    static SETS: Cell<Sets> = Cell::default();
}

/// Sets of attributes that were read before, by the bytes that they came in.
///
/// The same series come again in every request, and the metrics of a sender share their sets of
/// attributes; what was read, sorted and hashed once need not be again. Nothing depends on what is
/// in it: the bytes themselves are compared, and other limits forget all.
#[derive(Default)]
pub(super) struct Sets {
    /// By the lowest bits of the bytes' hash: 1 + the row, or 0.
    slots: Vec<u16>,
    raw: Text,
    attributes: Attributes,
    /// Hash of the canonical form.
    ids: Ids<16>,
    by_id: Known,
    /// The first row that has the same id.
    first: Vec<u32>,
    /// Which series of the open metric has the attributes of a row that is the first of its id: number
    /// of the metric, and the series' row.
    series: Vec<(u64, u32)>,
    /// Number of the open metric, of all that there were; the first is 1.
    metric: u64,
    /// The row after the last one found; for a metric's first point that of the last metric's.
    next: usize,
    /// The first row that was found for the last metric.
    start: Option<usize>,
    limits: Option<Limits>,
    canonical: Canonical,
}

impl Sets {
    // With what is beside the texts up to some 8 MiB a thread: many more sets than a request has, so
    // that the sets of a fleet's senders stay known from one report to the next.
    const SLOTS: usize = 1 << 15;
    const ROWS_MAX: usize = 1 << 14;
    const BYTES_MAX: usize = 4 << 20;
    /// Larger sets are read each time.
    const SET_BYTES_MAX: usize = 1 << 10;

    /// Takes the sets of this thread, if they were read under these limits.
    pub(super) fn take(limits: &Limits) -> Self {
        let sets = SETS.take();
        if sets.limits.as_ref() == Some(limits) {
            sets
        } else {
            Self { limits: Some(*limits), ..Self::default() }
        }
    }

    /// Gives the sets back to this thread.
    pub(super) fn keep(self) {
        SETS.set(self);
    }

    /// Begins a metric: none of its series is known yet.
    pub(super) fn begin_metric(&mut self) {
        self.metric += 1;
        self.next = self.start.take().unwrap_or(self.next);
    }

    /// The series of the open metric that has the attributes of a set.
    #[inline(always)]
    pub(super) fn series(&self, row: usize) -> Option<u32> {
        let (metric, series) = *self.series.get(self.first(row))?;
        (metric == self.metric).then_some(series)
    }

    /// Notes which series of the open metric has the attributes of a set.
    #[inline(always)]
    pub(super) fn set_series(&mut self, row: usize, series: Option<u32>) {
        let first = self.first(row);
        if let Some(known) = self.series.get_mut(first) {
            *known = series.map_or((0, 0), |series| (self.metric, series));
        }
    }

    #[inline(always)]
    fn first(&self, row: usize) -> usize {
        self.first.get(row).map_or(row, |first| *first as usize)
    }

    /// The row of the set that is a run of attributes, if it was read before.
    #[inline(always)]
    pub(super) fn find(&mut self, run: &Run<'_>) -> Option<usize> {
        let row = match run.row {
            Some(row) => row,
            None => self.look_up(run)?,
        };
        self.next = row + 1;
        self.start.get_or_insert(row);
        Some(row)
    }

    /// The row of the set that is expected next, if it came in these bytes.
    #[inline(always)]
    pub(super) fn expected(&mut self, raw: &[u8]) -> Option<usize> {
        let row = self.next;
        if raw.is_empty() || self.raw.row(row) != raw {
            return None;
        }
        self.next = row + 1;
        self.start.get_or_insert(row);
        Some(row)
    }

    #[inline(never)]
    fn look_up(&self, run: &Run<'_>) -> Option<usize> {
        let raw = run.raw()?;
        let slot = low_bits(xxh3_64(raw));
        let row = usize::from(*self.slots.get(slot)?).checked_sub(1)?;
        (self.raw.row(row) == raw).then_some(row)
    }

    /// Hash of the canonical form of a set.
    #[inline(always)]
    pub(super) fn id(&self, row: usize) -> Id<16> {
        *self.ids.row(row)
    }

    /// The sets' attributes, sorted.
    pub(super) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Appends the row of a set that was not found to `out`, sorted; returns the hash of its
    /// canonical form. Rows that were found may be others from now on.
    #[inline(never)]
    pub(super) fn read(
        &mut self,
        out: &mut Attributes,
        tag: u8,
        run: &Run<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<Id<16>, Refused> {
        for run in run.first.iter().chain(&run.others) {
            let mut fields = *run;
            attribute::read(out, tag, &mut fields, judge)?;
            fields.more()?;
        }
        let sent = out.end_row_sorted();
        if sent > judge.limits.attributes_max {
            judge.reject(Reason::TooManyAttributes, sent as u64);
        }
        let row = out.rows() - 1;
        self.canonical.clear();
        self.canonical.sorted_attributes(out.row_len(row), out.row(row));
        let id = self.canonical.id();
        if !judge.is_rejected()
            && let Some(raw) = run.raw()
        {
            self.insert(raw, out, id);
        }
        Ok(id)
    }

    #[inline(never)]
    fn insert(&mut self, raw: &[u8], out: &Attributes, id: Id<16>) {
        if self.ids.len() >= Self::ROWS_MAX || self.raw.bytes() + self.attributes.bytes() > Self::BYTES_MAX {
            *self = Self { limits: self.limits, metric: self.metric, ..Self::default() };
        }
        self.slots.resize(Self::SLOTS, 0);
        self.raw.push_bytes(raw);
        self.attributes.copy_rows(out, out.rows() - 1..out.rows());
        let row = self.ids.len();
        let first = self.by_id.find_or_add(&id, &self.ids);
        self.first.push(first.unwrap_or(u32::try_from(row).unwrap_or(u32::MAX)));
        self.series.push((0, 0));
        self.ids.push(&id);
        self.next = self.ids.len();
        let slot = low_bits(xxh3_64(raw));
        if let (Some(slot), Ok(row)) = (self.slots.get_mut(slot), u16::try_from(self.ids.len())) {
            *slot = row;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
fn low_bits(hash: u64) -> usize {
    hash as usize % Sets::SLOTS
}
