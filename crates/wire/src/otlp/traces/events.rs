use arrow_array::ArrayRef;
use arrow_array::types::{Int32Type, Int64Type};
use model::schema;

use super::super::attribute;
use super::super::stream::{count, end_attributes};
use crate::columns::{self, Attributes, NotUtf8, Offsets, Rest, Text};
use crate::judge::{Judge, Reason};
use crate::proto::{Known, Reader, Refused};

const EVENT: Known = Known::new("Span.Event", &[1, 2, 3, 4]);

/// The column [`schema::events_type`].
#[derive(Default)]
pub(super) struct Events {
    ends: Offsets,
    time: Vec<i64>,
    name: Text,
    attributes: Attributes,
    dropped: Vec<i32>,
}

impl Events {
    pub(super) fn reserve_like(&mut self, spans: usize, rest: Rest) {
        self.ends.reserve(rest.records);
        self.name.reserve_like(spans, rest);
        self.attributes.reserve_like(spans, rest);
    }

    /// Reads an event into the open row.
    pub(super) fn read(&mut self, message: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        let mut time = 0;
        let mut name = Reader::EMPTY;
        let mut dropped = 0;
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x09 => time = fields.fixed64(),
                0x12 => name = fields.field(),
                0x1a => attribute::read(&mut self.attributes, 0x1a, &mut fields, judge)?,
                0x20 => dropped = fields.varint32(),
                key => fields.unknown(key, &EVENT)?,
            }
        }
        end_attributes(&mut self.attributes, judge);
        self.time.push(judge.time(time));
        self.name.push(name);
        self.dropped.push(count(dropped));
        Ok(())
    }

    #[inline(always)]
    pub(super) fn end_row(&mut self, judge: &mut Judge<'_>) {
        let events = self.time.len() - self.ends.end_of(self.ends.len());
        if events > judge.limits.events_max {
            judge.reject(Reason::TooManyEvents, events as u64);
        }
        self.ends.push(self.time.len());
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        let events = self.ends.end_of(rows);
        self.time.truncate(events);
        self.name.truncate(events);
        self.attributes.truncate(events);
        self.dropped.truncate(events);
    }

    pub(super) fn check_tail(&mut self) -> Result<(), NotUtf8> {
        let name = self.name.check_tail();
        self.attributes.check_tail().and(name)
    }

    pub(super) fn finish(self) -> Result<ArrayRef, NotUtf8> {
        let columns = vec![
            columns::numbers::<Int64Type>(self.time),
            self.name.finish()?,
            self.attributes.finish()?,
            columns::numbers::<Int32Type>(self.dropped),
        ];
        Ok(columns::list_of_structs(&schema::events_type(), self.ends, columns))
    }
}
