use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use model::schema;

use super::super::attribute;
use super::super::stream::{count, end_attributes};
use crate::columns::{self, Attributes, Ids, NotUtf8, Offsets, Rest, Text};
use crate::judge::{Judge, Reason};
use crate::proto::{Known, Reader, Refused};

const LINK: Known = Known::new("Span.Link", &[1, 2, 3, 4, 5, 6]);

/// The column [`schema::links_type`].
#[derive(Default)]
pub(super) struct Links {
    ends: Offsets,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    trace_state: Text,
    flags: Vec<i32>,
    attributes: Attributes,
    dropped: Vec<i32>,
}

impl Links {
    pub(super) fn reserve_like(&mut self, spans: usize, rest: Rest) {
        self.ends.reserve(rest.records);
        self.trace_state.reserve_like(spans, rest);
        self.attributes.reserve_like(spans, rest);
    }

    /// Reads a link into the open row.
    pub(super) fn read(&mut self, message: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        let (mut trace_id, mut span_id, mut trace_state) = (Reader::EMPTY, Reader::EMPTY, Reader::EMPTY);
        let (mut dropped, mut flags) = (0, 0_u32);
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x0a => trace_id = fields.field(),
                0x12 => span_id = fields.field(),
                0x1a => trace_state = fields.field(),
                0x22 => attribute::read(&mut self.attributes, 0x22, &mut fields, judge)?,
                0x28 => dropped = fields.varint32(),
                0x35 => flags = fields.fixed32(),
                key => fields.unknown(key, &LINK)?,
            }
        }
        end_attributes(&mut self.attributes, judge);
        self.trace_id.push(judge.trace_id(trace_id).unwrap_or(&[0; 16]));
        self.span_id.push(judge.span_id(span_id).unwrap_or(&[0; 8]));
        self.trace_state.push(trace_state);
        self.flags.push(flags.cast_signed());
        self.dropped.push(count(dropped));
        Ok(())
    }

    #[inline(always)]
    pub(super) fn end_row(&mut self, judge: &mut Judge<'_>) {
        let links = self.flags.len() - self.ends.end_of(self.ends.len());
        if links > judge.limits.links_max {
            judge.reject(Reason::TooManyLinks, links as u64);
        }
        self.ends.push(self.flags.len());
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        let links = self.ends.end_of(rows);
        self.trace_id.truncate(links);
        self.span_id.truncate(links);
        self.trace_state.truncate(links);
        self.flags.truncate(links);
        self.attributes.truncate(links);
        self.dropped.truncate(links);
    }

    pub(super) fn check_tail(&mut self) -> Result<(), NotUtf8> {
        let trace_state = self.trace_state.check_tail();
        self.attributes.check_tail().and(trace_state)
    }

    pub(super) fn finish(self) -> Result<ArrayRef, NotUtf8> {
        let columns = vec![
            self.trace_id.finish(),
            self.span_id.finish(),
            self.trace_state.finish()?,
            columns::numbers::<Int32Type>(self.flags),
            self.attributes.finish()?,
            columns::numbers::<Int32Type>(self.dropped),
        ];
        Ok(columns::list_of_structs(&schema::links_type(), self.ends, columns))
    }
}
