use std::cell::RefCell;

use xxhash_rust::xxh3::xxh3_64;

use super::super::Limits;
use super::super::attribute;
use super::super::judge::{Judge, Reason};
use crate::canonical::Canonical;
use crate::columns::{Attributes, Id, Text};
use crate::proto::{Reader, Refused};

/// The attributes of the point being read, as fields of its message.
#[derive(Default)]
pub(super) struct Run<'a> {
    /// Fields that follow each other, as they nearly always do.
    first: Option<Reader<'a>>,
    others: Vec<Reader<'a>>,
}

impl<'a> Run<'a> {
    /// Takes the fields that have `tag` and follow each other; the first one's key was read.
    #[inline(always)]
    pub(super) fn take(&mut self, tag: u8, fields: &mut Reader<'a>) {
        let start = *fields;
        loop {
            fields.field();
            if !fields.take_key(tag) {
                break;
            }
        }
        let run = start.until(fields);
        match self.first {
            None => self.first = Some(run),
            Some(_) => self.others.push(run),
        }
    }
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
    ids: Vec<Id<16>>,
    /// The row after the last one found.
    next: usize,
    limits: Option<Limits>,
    canonical: Canonical,
}

impl Sets {
    const SLOTS: usize = 8192;
    const ROWS_MAX: usize = 4096;
    const BYTES_MAX: usize = 1 << 20;
    /// Larger sets are read each time.
    const SET_BYTES_MAX: usize = 1 << 10;

    /// Calls `work` with the sets of this thread that were read under these limits.
    pub(super) fn with<T>(limits: &Limits, work: impl FnOnce(&mut Self) -> T) -> T {
        thread_local!(static SETS: RefCell<Sets> = RefCell::default());
        SETS.with_borrow_mut(|sets| {
            if sets.limits.as_ref() != Some(limits) {
                *sets = Self { limits: Some(*limits), ..Self::default() };
            }
            work(sets)
        })
    }

    /// Appends the row of a run of attributes to `out`, sorted; returns the hash of its canonical
    /// form.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        out: &mut Attributes,
        tag: u8,
        run: &Run<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<Id<16>, Refused> {
        let raw = run.first.map_or(&[][..], |run| run.bytes());
        if !run.others.is_empty() || raw.len() > Self::SET_BYTES_MAX {
            return self.read_new(out, tag, run, judge);
        }
        // A metric's points come in the same order each time.
        if let Some(id) = self.copy(self.next, raw, out) {
            return Ok(id);
        }
        let slot = low_bits(xxh3_64(raw));
        if let Some(row) = self.slots.get(slot).and_then(|row| usize::from(*row).checked_sub(1))
            && let Some(id) = self.copy(row, raw, out)
        {
            return Ok(id);
        }
        let id = self.read_new(out, tag, run, judge)?;
        if !judge.is_rejected() {
            self.insert(slot, raw, out, id);
        }
        Ok(id)
    }

    /// Copies the set in a row if it is the one that came in these bytes.
    #[inline(always)]
    fn copy(&mut self, row: usize, raw: &[u8], out: &mut Attributes) -> Option<Id<16>> {
        let id = *self.ids.get(row)?;
        if self.raw.row(row) != raw {
            return None;
        }
        out.copy_row(&self.attributes, row);
        self.next = row + 1;
        Some(id)
    }

    #[inline(never)]
    fn read_new(
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
        Ok(self.canonical.id())
    }

    #[inline(never)]
    fn insert(&mut self, slot: usize, raw: &[u8], out: &Attributes, id: Id<16>) {
        if self.ids.len() >= Self::ROWS_MAX || self.raw.bytes() + self.attributes.bytes() > Self::BYTES_MAX {
            *self = Self { limits: self.limits, ..Self::default() };
        }
        self.slots.resize(Self::SLOTS, 0);
        self.raw.push_bytes(raw);
        self.attributes.copy_row(out, out.rows() - 1);
        self.ids.push(id);
        self.next = self.ids.len();
        if let (Some(slot), Ok(row)) = (self.slots.get_mut(slot), u16::try_from(self.ids.len())) {
            *slot = row;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
fn low_bits(hash: u64) -> usize {
    hash as usize % Sets::SLOTS
}
