use arrow_array::RecordBatch;

use super::labels::read_labels;
use super::symbols::Symbols;
use crate::columns::{Attributes, Id};
use crate::judge::{Judge, Reason};
use crate::points;
use crate::proto::{Known, Reader, Refused};

const EXEMPLAR: Known = Known::new("Exemplar", &[1, 2, 3]);

/// Labels by which a trace and a span are named; they stay among the attributes.
const TRACE_ID: &[u8] = b"trace_id";
const SPAN_ID: &[u8] = b"span_id";

/// Exemplars, of which the last may have nothing but its labels yet.
#[derive(Default)]
pub(super) struct Exemplars(points::Exemplars);

impl Exemplars {
    /// Reads an `Exemplar` of version 1: labels into a row, and value and time.
    pub(super) fn read_v1(
        &mut self,
        message: Reader<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(f64, i64), Refused> {
        let (mut value, mut time_ms, mut sent) = (0.0, 0, 0);
        let mut fields = message;
        while fields.more()? {
            let start = fields;
            match fields.key() {
                0x0a => {
                    fields.field();
                    fields.more()?;
                    sent += read_labels(&mut self.0.attributes, &start.until(&fields), judge)?;
                }
                0x11 => value = fields.double(),
                0x18 => time_ms = fields.varint().cast_signed(),
                key => fields.unknown(key, &EXEMPLAR)?,
            }
        }
        self.end_labels(sent, judge);
        Ok((value, time_ms))
    }

    /// Reads an `Exemplar` of version 2.
    pub(super) fn read_v2(
        &mut self,
        message: Reader<'_>,
        symbols: &mut Symbols<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(f64, i64), Refused> {
        let (mut value, mut time_ms) = (0.0, 0);
        symbols.restart();
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x0a => symbols.push_packed(fields.field())?,
                0x08 => symbols.push(fields.varint32()),
                0x11 => value = fields.double(),
                0x18 => time_ms = fields.varint().cast_signed(),
                key => fields.unknown(key, &EXEMPLAR)?,
            }
        }
        let labels = Reader::new(symbols.labels(judge)?);
        let sent = read_labels(&mut self.0.attributes, &labels, judge)?;
        self.end_labels(sent, judge);
        Ok((value, time_ms))
    }

    fn end_labels(&mut self, sent: usize, judge: &mut Judge<'_>) {
        let attributes = &mut self.0.attributes;
        let row = attributes.rows();
        let kept = attributes.end_row_sorted();
        if sent > judge.limits.attributes_max {
            judge.reject(Reason::TooManyAttributes, sent as u64);
        }
        if attributes.row_len(row) < kept {
            judge.reject(Reason::DuplicateLabel, 0);
        }
        if attributes.check_tail().is_err() {
            judge.reject(Reason::InvalidUtf8, 0);
        }
    }

    /// Keeps the exemplar whose labels were read last.
    pub(super) fn push(&mut self, series: u32, value: f64, time: i64) {
        let row = self.0.rows();
        let (trace_id, span_id) =
            (id(&self.0.attributes, row, TRACE_ID), id(&self.0.attributes, row, SPAN_ID));
        self.0.trace_id.push(trace_id.as_ref());
        self.0.span_id.push(span_id.as_ref());
        self.0.series.push(series);
        self.0.time.push(time);
        self.0.value.push(value);
    }

    /// Takes back the labels that were read last.
    pub(super) fn take_back(&mut self) {
        self.0.attributes.truncate(self.0.rows());
    }

    pub(super) fn finish(self) -> RecordBatch {
        self.0.finish().expect("text is checked as it is read")
    }
}

/// The id that a label has in hexadecimal digits, if it is one of this length.
fn id<const N: usize>(labels: &Attributes, row: usize, wanted: &[u8]) -> Option<Id<N>> {
    let text = labels.row(row).find(|(name, _)| *name == wanted)?.1?;
    if text.len() != 2 * N {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut id = [0; N];
    for (byte, pair) in id.iter_mut().zip(text.as_chunks::<2>().0) {
        let [high, low] = pair;
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    (id != [0; N]).then_some(id)
}
