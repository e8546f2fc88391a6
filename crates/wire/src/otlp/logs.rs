//! `ExportLogsServiceRequest` into log records.

use arrow_array::RecordBatch;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use model::{Batch, Table, schema};

use super::stream::{self, Records, Stream, count, end_attributes};
use super::{Stop, attribute, severity, value};
use crate::columns::{self, Attributes, NotUtf8, OptionalIds, OptionalText, Rest, Text};
use crate::judge::{Context, Decoded, Judge};
use crate::proto::{Known, Malformed, Reader, Refused, Slot};

const LOG_RECORD: Known = Known::new("LogRecord", &[1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]);

/// Decodes a request.
///
/// # Errors
/// [`Malformed`] when it is not such a request; nothing of it is accepted.
pub fn decode(body: &[u8], context: &Context<'_>) -> Result<Decoded, Malformed> {
    super::run(body, context, decode_once)
}

fn decode_once(body: &[u8], mut judge: Judge<'_>) -> Result<Decoded, Stop> {
    let mut logs = Logs::default();
    let streams = stream::walk(body, &mut logs, &mut judge)?;
    let (received, rejected) = judge.finish();
    let batch = Batch::Logs(model::Logs { streams, records: logs.finish()? });
    Ok(Decoded { batch, received, rejected })
}

/// Columns of [`Table::Logs`].
#[derive(Default)]
struct Logs {
    stream: Vec<u32>,
    time: Vec<i64>,
    observed_time: Vec<i64>,
    severity_number: Vec<i32>,
    severity_text: Text,
    body: OptionalText,
    event_name: Text,
    trace_id: OptionalIds<16>,
    span_id: OptionalIds<8>,
    flags: Vec<i32>,
    attributes: Attributes,
    dropped: Vec<i32>,
}

/// The fields of a `LogRecord` that are not read straight into a column.
#[derive(Default)]
struct Fields {
    time: u64,
    observed_time: u64,
    severity_number: u32,
    severity_text: Slot,
    body: Slot,
    bodies: usize,
    event_name: Slot,
    trace_id: Slot,
    span_id: Slot,
    flags: u32,
    dropped: u32,
}

impl Records for Logs {
    const ENVELOPE: [Known; 3] = [
        Known::new("ExportLogsServiceRequest", &[1]),
        Known::new("ResourceLogs", &[1, 2, 3]),
        Known::new("ScopeLogs", &[1, 2, 3]),
    ];

    fn expect(&mut self, records: usize, judge: &Judge<'_>) -> Result<(), Refused> {
        judge.expect(records)?;
        self.reserve(records);
        Ok(())
    }

    fn expect_like(&mut self, rest: Rest) {
        let rows = self.stream.len();
        self.reserve(rest.records);
        self.severity_text.reserve_like(rows, rest);
        self.body.text.reserve_like(rows, rest);
        self.event_name.reserve_like(rows, rest);
        self.attributes.reserve_like(rows, rest);
    }

    fn read(&mut self, stream: &Stream, record: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        if !judge.begin() {
            return Ok(());
        }
        let rows = self.stream.len();
        let mut fields = Fields::default();
        self.read_fields(record, &mut fields, judge)?;
        self.push(stream.row, record, &fields, judge)?;
        if !judge.accept(|| self.check_tail()) {
            self.truncate(rows);
        }
        Ok(())
    }

    fn rows(&self) -> usize {
        self.stream.len()
    }
}

impl Logs {
    /// Makes room for the parts that every record has.
    fn reserve(&mut self, records: usize) {
        self.stream.reserve(records);
        self.time.reserve(records);
        self.observed_time.reserve(records);
        self.severity_number.reserve(records);
        self.trace_id.reserve(records);
        self.span_id.reserve(records);
        self.flags.reserve(records);
        self.dropped.reserve(records);
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
                0x32 => attribute::read(&mut self.attributes, 0x32, &mut fields, judge)?,
                0x09 => to.time = fields.fixed64(),
                0x10 => to.severity_number = fields.varint32(),
                0x1a => to.severity_text = fields.slot(),
                0x2a => {
                    to.body = fields.slot();
                    to.bodies += 1;
                }
                0x38 => to.dropped = fields.varint32(),
                0x45 => to.flags = fields.fixed32(),
                0x4a => to.trace_id = fields.slot(),
                0x52 => to.span_id = fields.slot(),
                0x59 => to.observed_time = fields.fixed64(),
                0x62 => to.event_name = fields.slot(),
                key => fields.unknown(key, &LOG_RECORD)?,
            }
        }
        end_attributes(&mut self.attributes, judge);
        Ok(())
    }

    #[inline(always)]
    fn push(
        &mut self,
        stream: u32,
        record: Reader<'_>,
        from: &Fields,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        let observed_time = judge.time(from.observed_time);
        let time = match judge.time(from.time) {
            0 if observed_time == 0 => judge.received_unix_nano,
            0 => observed_time,
            time => time,
        };
        self.stream.push(stream);
        self.time.push(time);
        self.observed_time.push(observed_time);
        let severity_text = record.at(from.severity_text);
        self.severity_number.push(match from.severity_number.cast_signed() {
            0 if !severity_text.is_empty() => severity::number(severity_text.bytes()),
            number => number,
        });
        self.severity_text.push(severity_text);
        match from.bodies {
            0 => self.body.push_null(),
            1 => match record.at(from.body).only_text() {
                Some(text) => self.body.push_text(|to| value::write_text(to, text, judge)),
                None => self.body.push_with(|to| value::write(to, record.at(from.body), judge))?,
            },
            _ => self.push_parted_body(record, judge)?,
        }
        self.event_name.push(record.at(from.event_name));
        self.trace_id.push(judge.trace_id(record.at(from.trace_id)));
        self.span_id.push(judge.span_id(record.at(from.span_id)));
        self.flags.push(from.flags.cast_signed());
        self.dropped.push(count(from.dropped));
        Ok(())
    }

    /// A body that came in several parts counts as one.
    #[cold]
    fn push_parted_body(&mut self, record: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        let mut parts = Vec::new();
        let mut fields = record;
        while fields.more()? {
            match fields.key() {
                0x2a => parts.push(fields.field()),
                // Any other field: none is refused that was read before.
                key => fields.unknown(key, &Known::new("LogRecord", &[]))?,
            }
        }
        self.body.push_with(|to| value::write_parts(to, &parts, judge))
    }

    fn check_tail(&mut self) -> Result<(), NotUtf8> {
        let checked = [
            self.severity_text.check_tail(),
            self.body.text.check_tail(),
            self.event_name.check_tail(),
            self.attributes.check_tail(),
        ];
        checked.into_iter().collect()
    }

    #[cold]
    fn truncate(&mut self, rows: usize) {
        self.stream.truncate(rows);
        self.time.truncate(rows);
        self.observed_time.truncate(rows);
        self.severity_number.truncate(rows);
        self.severity_text.truncate(rows);
        self.body.truncate(rows);
        self.event_name.truncate(rows);
        self.trace_id.truncate(rows);
        self.span_id.truncate(rows);
        self.flags.truncate(rows);
        self.attributes.truncate(rows);
        self.dropped.truncate(rows);
    }

    fn finish(self) -> Result<RecordBatch, NotUtf8> {
        let columns = vec![
            columns::numbers::<UInt32Type>(self.stream),
            columns::numbers::<Int64Type>(self.time),
            columns::numbers::<Int64Type>(self.observed_time),
            columns::numbers::<Int32Type>(self.severity_number),
            self.severity_text.finish()?,
            self.body.finish()?,
            self.event_name.finish()?,
            self.trace_id.finish(),
            self.span_id.finish(),
            columns::numbers::<Int32Type>(self.flags),
            self.attributes.finish()?,
            columns::numbers::<Int32Type>(self.dropped),
        ];
        Ok(columns::batch(schema::rows(Table::Logs), columns))
    }
}
