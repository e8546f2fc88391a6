//! `ExportTraceServiceRequest` into spans.
//!
//! A span without a start begins at its end, or when it was received; one without an end ends when
//! it begins. Ids of links that are not there are stored as zeros.

mod events;
mod links;

use arrow_array::RecordBatch;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use model::{Batch, Table, schema};

use super::stream::{self, Records, Stream, count, end_attributes};
use super::{Stop, attribute};
use crate::columns::{self, Attributes, Ids, NotUtf8, OptionalIds, Rest, Text};
use crate::judge::{Context, Decoded, Judge, Reason};
use crate::proto::{Known, Malformed, Reader, Refused, Slot};
use events::Events;
use links::Links;

const SPAN: Known = Known::new("Span", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const STATUS: Known = Known::new("Status", &[2, 3]);

/// Decodes a request.
///
/// # Errors
/// [`Malformed`] when it is not such a request; nothing of it is accepted.
pub fn decode(body: &[u8], context: &Context<'_>) -> Result<Decoded, Malformed> {
    super::run(body, context, decode_once)
}

fn decode_once(body: &[u8], mut judge: Judge<'_>) -> Result<Decoded, Stop> {
    let mut spans = Spans::default();
    let streams = stream::walk(body, &mut spans, &mut judge)?;
    let (received, rejected) = judge.finish();
    let batch = Batch::Spans(model::Spans { streams, records: spans.finish()? });
    Ok(Decoded { batch, received, rejected })
}

/// Columns of [`Table::Spans`].
#[derive(Default)]
struct Spans {
    stream: Vec<u32>,
    start_time: Vec<i64>,
    end_time: Vec<i64>,
    duration: Vec<i64>,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    parent_span_id: OptionalIds<8>,
    trace_state: Text,
    flags: Vec<i32>,
    name: Text,
    kind: Vec<i32>,
    status_code: Vec<i32>,
    status_message: Text,
    attributes: Attributes,
    events: Events,
    links: Links,
    dropped_attributes: Vec<i32>,
    dropped_events: Vec<i32>,
    dropped_links: Vec<i32>,
}

/// The fields of a `Span` that are not read straight into a column.
#[derive(Default)]
struct Fields {
    trace_id: Slot,
    span_id: Slot,
    trace_state: Slot,
    parent_span_id: Slot,
    flags: u32,
    name: Slot,
    kind: u32,
    start_time: u64,
    end_time: u64,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
    status_message: Slot,
    status_code: u32,
}

impl Records for Spans {
    const ENVELOPE: [Known; 3] = [
        Known::new("ExportTraceServiceRequest", &[1]),
        Known::new("ResourceSpans", &[1, 2, 3]),
        Known::new("ScopeSpans", &[1, 2, 3]),
    ];

    fn expect(&mut self, records: usize, judge: &Judge<'_>) -> Result<(), Refused> {
        judge.expect(records)?;
        self.reserve(records);
        Ok(())
    }

    fn expect_like(&mut self, rest: Rest) {
        let rows = self.stream.len();
        self.reserve(rest.records);
        self.trace_state.reserve_like(rows, rest);
        self.name.reserve_like(rows, rest);
        self.status_message.reserve_like(rows, rest);
        self.attributes.reserve_like(rows, rest);
        self.events.reserve_like(rows, rest);
        self.links.reserve_like(rows, rest);
    }

    fn read(&mut self, stream: &Stream, record: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        if !judge.begin() {
            return Ok(());
        }
        let rows = self.stream.len();
        let mut fields = Fields::default();
        self.read_fields(record, &mut fields, judge)?;
        self.push(stream.row, record, &fields, judge);
        if !judge.accept(|| self.check_tail()) {
            self.truncate(rows);
        }
        Ok(())
    }

    fn rows(&self) -> usize {
        self.stream.len()
    }
}

impl Spans {
    /// Makes room for the parts that every record has.
    fn reserve(&mut self, records: usize) {
        self.stream.reserve(records);
        self.start_time.reserve(records);
        self.end_time.reserve(records);
        self.duration.reserve(records);
        self.trace_id.reserve(records);
        self.span_id.reserve(records);
        self.parent_span_id.reserve(records);
        self.flags.reserve(records);
        self.kind.reserve(records);
        self.status_code.reserve(records);
        self.dropped_attributes.reserve(records);
        self.dropped_events.reserve(records);
        self.dropped_links.reserve(records);
    }

    #[inline(always)]
    fn read_fields(
        &mut self,
        record: Reader<'_>,
        to: &mut Fields,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        let mut fields = record;
        while fields.more()? {
            match fields.key() {
                0x4a => attribute::read(&mut self.attributes, 0x4a, &mut fields, judge)?,
                0x0a => to.trace_id = fields.slot(),
                0x12 => to.span_id = fields.slot(),
                0x1a => to.trace_state = fields.slot(),
                0x22 => to.parent_span_id = fields.slot(),
                0x2a => to.name = fields.slot(),
                0x30 => to.kind = fields.varint32(),
                0x39 => to.start_time = fields.fixed64(),
                0x41 => to.end_time = fields.fixed64(),
                0x50 => to.dropped_attributes = fields.varint32(),
                0x5a => self.events.read(fields.field(), judge)?,
                0x60 => to.dropped_events = fields.varint32(),
                0x6a => self.links.read(fields.field(), judge)?,
                0x70 => to.dropped_links = fields.varint32(),
                // Parts of a status are merged: read into the same place.
                0x7a => read_status(to, fields.field())?,
                0x85 => to.flags = fields.fixed32(),
                key => fields.unknown(key, &SPAN)?,
            }
        }
        end_attributes(&mut self.attributes, judge);
        self.events.end_row(judge);
        self.links.end_row(judge);
        Ok(())
    }

    #[inline(always)]
    fn push(&mut self, stream: u32, record: Reader<'_>, from: &Fields, judge: &mut Judge<'_>) {
        let (start, end) = match (judge.time(from.start_time), judge.time(from.end_time)) {
            (0, 0) => (judge.received_unix_nano, judge.received_unix_nano),
            (0, end) => (end, end),
            (start, 0) => (start, start),
            times => times,
        };
        self.stream.push(stream);
        self.start_time.push(start);
        self.end_time.push(end);
        self.duration.push(end.saturating_sub(start));
        self.trace_id.push(judge.required_id(record.at(from.trace_id), Reason::InvalidTraceId));
        self.span_id.push(judge.required_id(record.at(from.span_id), Reason::InvalidSpanId));
        self.parent_span_id.push(judge.id(record.at(from.parent_span_id), Reason::InvalidParentSpanId));
        self.trace_state.push(record.at(from.trace_state));
        self.flags.push(from.flags.cast_signed());
        self.name.push(record.at(from.name));
        self.kind.push(from.kind.cast_signed());
        self.status_code.push(from.status_code.cast_signed());
        self.status_message.push(record.at(from.status_message));
        self.dropped_attributes.push(count(from.dropped_attributes));
        self.dropped_events.push(count(from.dropped_events));
        self.dropped_links.push(count(from.dropped_links));
    }

    fn check_tail(&mut self) -> Result<(), NotUtf8> {
        let checked = [
            self.trace_state.check_tail(),
            self.name.check_tail(),
            self.status_message.check_tail(),
            self.attributes.check_tail(),
            self.events.check_tail(),
            self.links.check_tail(),
        ];
        checked.into_iter().collect()
    }

    #[cold]
    fn truncate(&mut self, rows: usize) {
        self.stream.truncate(rows);
        self.start_time.truncate(rows);
        self.end_time.truncate(rows);
        self.duration.truncate(rows);
        self.trace_id.truncate(rows);
        self.span_id.truncate(rows);
        self.parent_span_id.truncate(rows);
        self.trace_state.truncate(rows);
        self.flags.truncate(rows);
        self.name.truncate(rows);
        self.kind.truncate(rows);
        self.status_code.truncate(rows);
        self.status_message.truncate(rows);
        self.attributes.truncate(rows);
        self.events.truncate(rows);
        self.links.truncate(rows);
        self.dropped_attributes.truncate(rows);
        self.dropped_events.truncate(rows);
        self.dropped_links.truncate(rows);
    }

    fn finish(self) -> Result<RecordBatch, NotUtf8> {
        let columns = vec![
            columns::numbers::<UInt32Type>(self.stream),
            columns::numbers::<Int64Type>(self.start_time),
            columns::numbers::<Int64Type>(self.end_time),
            columns::numbers::<Int64Type>(self.duration),
            self.trace_id.finish(),
            self.span_id.finish(),
            self.parent_span_id.finish(),
            self.trace_state.finish()?,
            columns::numbers::<Int32Type>(self.flags),
            self.name.finish()?,
            columns::numbers::<Int32Type>(self.kind),
            columns::numbers::<Int32Type>(self.status_code),
            self.status_message.finish()?,
            self.attributes.finish()?,
            self.events.finish()?,
            self.links.finish()?,
            columns::numbers::<Int32Type>(self.dropped_attributes),
            columns::numbers::<Int32Type>(self.dropped_events),
            columns::numbers::<Int32Type>(self.dropped_links),
        ];
        Ok(columns::batch(schema::rows(Table::Spans), columns))
    }
}

fn read_status(to: &mut Fields, message: Reader<'_>) -> Result<(), Refused> {
    let mut fields = message;
    while fields.more()? {
        match fields.key() {
            0x12 => to.status_message = fields.slot(),
            0x18 => to.status_code = fields.varint32(),
            key => fields.unknown(key, &STATUS)?,
        }
    }
    Ok(())
}
