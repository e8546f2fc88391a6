//! The envelope that the three requests share: resources, their scopes, and the records of each;
//! and the streams that come of it.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_array::types::Int32Type;
use model::schema;
use xxhash_rust::xxh3::xxh3_128;

use super::{Stop, attribute};
use crate::canonical::Canonical;
use crate::columns::{self, Attributes, Id, Ids, NotUtf8, Rest, Text};
use crate::judge::{Judge, Reason};
use crate::proto::{Known, Malformed, Parts, Reader, Refused};

const RESOURCE: Known = Known::new("Resource", &[1, 2, 3]);
const ENTITY_REF: Known = Known::new("EntityRef", &[1, 2, 3, 4]);
const SCOPE: Known = Known::new("InstrumentationScope", &[1, 2, 3, 4]);

const SERVICE_NAME: &[u8] = b"service.name";
const UNKNOWN_SERVICE: &[u8] = b"unknown_service";

/// Most bytes that resources may have together, counted once for each of their scopes: they are
/// stored with each, and a large resource with very many scopes must not fill the memory.
const STREAM_BYTES_MAX: usize = 64 << 20;
/// Most records for which room is made on a guess.
const GUESS_MAX: usize = 1 << 16;

/// What reads the records of a signal into columns.
pub(super) trait Records {
    /// Request, resource level, scope level.
    const ENVELOPE: [Known; 3];

    /// After so many records of a request it is guessed how much the rest has.
    const SAMPLE: usize = 16;

    /// Makes room for the parts that each of `records` has.
    fn expect(&mut self, records: usize, judge: &Judge<'_>) -> Result<(), Refused>;

    /// Makes room for the rest of the request if it is like what was read so far.
    fn expect_like(&mut self, rest: Rest);

    /// Reads a record, or several, of a stream.
    fn read(&mut self, stream: &Stream, record: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused>;

    /// Rows so far.
    fn rows(&self) -> usize;
}

/// What records are told of the stream that they belong to.
#[derive(Clone, Copy, Default)]
pub(super) struct Stream {
    /// Its row.
    pub(super) row: u32,
    /// Hash of what of it identifies a series: attributes of the resource, name and version of the
    /// scope.
    pub(super) identity: Id<16>,
}

/// Reads all records of a request.
pub(super) fn walk<R: Records>(
    body: &[u8],
    records: &mut R,
    judge: &mut Judge<'_>,
) -> Result<RecordBatch, Stop> {
    let mut walk = Walk { streams: Streams::default(), records, judge, sample: 0, sample_bytes: 0 };
    let mut fields = Reader::new(body);
    while fields.more()? {
        match fields.key() {
            0x0a => walk.resource(fields.field())?,
            key => fields.unknown(key, &R::ENVELOPE[0])?,
        }
    }
    Ok(walk.streams.finish()?)
}

/// What is at one level of the envelope: the shared part, its schema, how many are below.
struct Level<'a> {
    shared: Parts<'a>,
    schema_url: Reader<'a>,
    count: usize,
}

impl<'a> Level<'a> {
    fn read(message: Reader<'a>, known: &Known) -> Result<Self, Refused> {
        let mut level = Self { shared: Parts::None, schema_url: Reader::EMPTY, count: 0 };
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x12 => {
                    fields.field();
                    level.count += 1;
                }
                0x0a => level.shared.push(fields.field()),
                0x1a => level.schema_url = fields.field(),
                key => fields.unknown(key, known)?,
            }
        }
        Ok(level)
    }

    /// Hash of what is shared, as it was sent, below what is above.
    fn id(&self, above: &[u8]) -> Id<16> {
        let shared = self.shared.concat();
        let length = (shared.len() as u64).to_le_bytes();
        xxh3_128(&[above, &length, &shared, self.schema_url.bytes()].concat()).to_be_bytes()
    }
}

struct Walk<'w, 'j, R> {
    streams: Streams,
    records: &'w mut R,
    judge: &'w mut Judge<'j>,
    /// Records so far, at most [`Records::SAMPLE`], and their bytes.
    sample: usize,
    sample_bytes: usize,
}

impl<R: Records> Walk<'_, '_, R> {
    fn resource(&mut self, message: Reader<'_>) -> Result<(), Refused> {
        let known = &R::ENVELOPE[1];
        let resource = Level::read(message, known)?;
        let id = resource.id(&[]);
        let mut checked = false;
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x12 => checked |= self.scope(&resource, &id, fields.field())?,
                0x0a | 0x1a => drop(fields.field()),
                key => fields.unknown(key, known)?,
            }
        }
        if !checked {
            read_resource(&mut Attributes::default(), &resource.shared, self.judge)?;
        }
        Ok(())
    }

    /// Reads the records of a scope; says whether there were any.
    fn scope(&mut self, resource: &Level<'_>, above: &[u8], message: Reader<'_>) -> Result<bool, Refused> {
        let known = &R::ENVELOPE[2];
        let scope = Level::read(message, known)?;
        if scope.count == 0 {
            read_scope(&mut Attributes::default(), &scope.shared, self.judge)?;
            return Ok(false);
        }
        let id = scope.id(above);
        let streams = &mut self.streams;
        let (stream, before) = self.judge.share(|judge| streams.open(id, resource, &scope, judge))?;
        let rows = self.records.rows();
        self.records.expect(scope.count, self.judge)?;
        let mut fields = message;
        let mut left = scope.count;
        while fields.more()? {
            match fields.key() {
                0x12 => {
                    let record = fields.field();
                    self.records.read(&stream, record, self.judge)?;
                    left -= 1;
                    if self.sample < R::SAMPLE {
                        self.sample(record.len(), left, &fields);
                    }
                }
                0x0a | 0x1a => drop(fields.field()),
                key => fields.unknown(key, known)?,
            }
        }
        self.judge.unshare(before);
        if self.records.rows() == rows {
            self.streams.close_unused();
        }
        Ok(true)
    }

    /// A record of the sample was read, after which its scope has so many and this. Columns get room
    /// for all the rest of the request, so that they hardly grow any more.
    #[inline(never)]
    fn sample(&mut self, bytes: usize, left: usize, scope: &Reader<'_>) {
        self.sample += 1;
        self.sample_bytes += bytes + 2;
        let sample = self.sample;
        if sample == R::SAMPLE {
            let bytes = scope.behind();
            let others = (bytes - scope.len()).saturating_mul(sample) / self.sample_bytes;
            self.records.expect_like(Rest { sample, records: left + others.min(GUESS_MAX), bytes });
        }
    }
}

/// Columns of [`schema::streams`].
#[derive(Default)]
struct Streams {
    service_name: Text,
    resource_attributes: Attributes,
    resource_dropped: Vec<i32>,
    resource_schema_url: Text,
    scope_name: Text,
    scope_version: Text,
    scope_attributes: Attributes,
    scope_dropped: Vec<i32>,
    scope_schema_url: Text,
    stream_id: Ids<16>,
    known: HashMap<Id<16>, Stream>,
    /// Id of the last row if it has no records yet.
    fresh: Option<Id<16>>,
    bytes_read: usize,
}

impl Streams {
    /// The row of a stream, a new one if the request had none of it so far. What is wrong with it is
    /// told to the judge; there is no row then.
    fn open(
        &mut self,
        id: Id<16>,
        resource: &Level<'_>,
        scope: &Level<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<Stream, Refused> {
        self.fresh = None;
        if let Some(stream) = self.known.get(&id) {
            return Ok(*stream);
        }
        self.bytes_read +=
            resource.shared.each().iter().chain(scope.shared.each()).map(Reader::len).sum::<usize>();
        if self.bytes_read > STREAM_BYTES_MAX {
            return Err(Malformed::TooLarge { bytes: self.bytes_read, limit: STREAM_BYTES_MAX }.into());
        }
        let rows = self.resource_dropped.len();
        self.read(resource, scope, judge)?;
        if self.check_tail().is_err() {
            judge.reject(Reason::InvalidUtf8, 0);
        }
        if judge.is_rejected() {
            self.truncate(rows);
            return Ok(Stream::default());
        }
        self.stream_id.push(&id);
        let stream = Stream { row: u32::try_from(rows).unwrap_or(u32::MAX), identity: self.identity(rows) };
        self.known.insert(id, stream);
        self.fresh = Some(id);
        Ok(stream)
    }

    fn read(
        &mut self,
        resource: &Level<'_>,
        scope: &Level<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        let row = self.resource_attributes.rows();
        self.resource_dropped.push(read_resource(&mut self.resource_attributes, &resource.shared, judge)?);
        self.resource_attributes.settle();
        let mut attributes = self.resource_attributes.row(row);
        let service_name = attributes.find(|(key, _)| *key == SERVICE_NAME).and_then(|(_, value)| value);
        self.service_name.push_bytes(service_name.filter(|name| !name.is_empty()).unwrap_or(UNKNOWN_SERVICE));
        self.resource_schema_url.push(resource.schema_url);
        let scope_head = read_scope(&mut self.scope_attributes, &scope.shared, judge)?;
        self.scope_name.push(scope_head.name);
        self.scope_version.push(scope_head.version);
        self.scope_dropped.push(scope_head.dropped);
        self.scope_schema_url.push(scope.schema_url);
        Ok(())
    }

    fn identity(&self, row: usize) -> Id<16> {
        let mut canonical = Canonical::default();
        canonical.attributes(self.resource_attributes.row(row));
        canonical.text(self.scope_name.row(row));
        canonical.text(self.scope_version.row(row));
        canonical.id()
    }

    /// Takes back the last row opened: it has no records.
    fn close_unused(&mut self) {
        if let Some(id) = self.fresh.take() {
            self.known.remove(&id);
            self.truncate(self.resource_dropped.len() - 1);
        }
    }

    fn check_tail(&mut self) -> Result<(), NotUtf8> {
        let texts = [
            &mut self.service_name,
            &mut self.resource_schema_url,
            &mut self.scope_name,
            &mut self.scope_version,
            &mut self.scope_schema_url,
        ];
        let texts = texts.map(Text::check_tail).into_iter().collect::<Result<Vec<()>, _>>();
        let attributes =
            [&mut self.resource_attributes, &mut self.scope_attributes].map(Attributes::check_tail);
        attributes.into_iter().collect::<Result<Vec<()>, _>>().and(texts).map(drop)
    }

    fn truncate(&mut self, rows: usize) {
        self.service_name.truncate(rows);
        self.resource_attributes.truncate(rows);
        self.resource_dropped.truncate(rows);
        self.resource_schema_url.truncate(rows);
        self.scope_name.truncate(rows);
        self.scope_version.truncate(rows);
        self.scope_attributes.truncate(rows);
        self.scope_dropped.truncate(rows);
        self.scope_schema_url.truncate(rows);
        self.stream_id.truncate(rows);
    }

    fn finish(self) -> Result<RecordBatch, NotUtf8> {
        let columns = vec![
            self.service_name.finish()?,
            self.resource_attributes.finish()?,
            columns::numbers::<Int32Type>(self.resource_dropped),
            self.resource_schema_url.finish()?,
            self.scope_name.finish()?,
            self.scope_version.finish()?,
            self.scope_attributes.finish()?,
            columns::numbers::<Int32Type>(self.scope_dropped),
            self.scope_schema_url.finish()?,
            self.stream_id.finish(),
        ];
        Ok(columns::batch(schema::streams(), columns))
    }
}

/// A count as columns have it.
pub(super) fn count(dropped: u32) -> i32 {
    i32::try_from(dropped).unwrap_or(i32::MAX)
}

/// Ends a row of attributes; too many of them are rejected.
#[inline(always)]
pub(super) fn end_attributes(out: &mut Attributes, judge: &mut Judge<'_>) {
    let sent = out.end_row();
    if sent > judge.limits.attributes_max {
        judge.reject(Reason::TooManyAttributes, sent as u64);
    }
}

/// Reads a `Resource` into a row; returns how many attributes were dropped.
fn read_resource(out: &mut Attributes, parts: &Parts<'_>, judge: &mut Judge<'_>) -> Result<i32, Refused> {
    let mut dropped = 0;
    for part in parts.each() {
        let mut fields = *part;
        while fields.more()? {
            match fields.key() {
                0x0a => attribute::read(out, 0x0a, &mut fields, judge)?,
                0x10 => dropped = fields.varint32(),
                0x1a => check_entity_ref(fields.field())?,
                key => fields.unknown(key, &RESOURCE)?,
            }
        }
    }
    end_attributes(out, judge);
    Ok(count(dropped))
}

/// An `EntityRef` names attributes of its resource; nothing of it is stored yet.
fn check_entity_ref(message: Reader<'_>) -> Result<(), Refused> {
    let mut fields = message;
    while fields.more()? {
        match fields.key() {
            0x0a | 0x12 | 0x1a | 0x22 => drop(fields.field()),
            key => fields.unknown(key, &ENTITY_REF)?,
        }
    }
    Ok(())
}

struct ScopeHead<'a> {
    name: Reader<'a>,
    version: Reader<'a>,
    dropped: i32,
}

/// Reads an `InstrumentationScope`, its attributes into a row.
fn read_scope<'a>(
    out: &mut Attributes,
    parts: &Parts<'a>,
    judge: &mut Judge<'_>,
) -> Result<ScopeHead<'a>, Refused> {
    let mut head = ScopeHead { name: Reader::EMPTY, version: Reader::EMPTY, dropped: 0 };
    for part in parts.each() {
        let mut fields = *part;
        while fields.more()? {
            match fields.key() {
                0x0a => head.name = fields.field(),
                0x12 => head.version = fields.field(),
                0x1a => attribute::read(out, 0x1a, &mut fields, judge)?,
                0x20 => head.dropped = count(fields.varint32()),
                key => fields.unknown(key, &SCOPE)?,
            }
        }
    }
    end_attributes(out, judge);
    Ok(head)
}
