use arrow_array::RecordBatch;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type};
use model::{Table, schema};

use super::super::judge::{Judge, Reason};
use super::{Exemplars, Head, Points, Run, Sets};
use crate::columns::{self, Rest, Sparse};
use crate::proto::{Known, Reader, Refused};

const NUMBER_DATA_POINT: Known = Known::new("NumberDataPoint", &[2, 3, 4, 5, 6, 7, 8]);

/// Prometheus' marker of staleness: a NaN that says that there is no value any more.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Columns of [`Table::Samples`].
#[derive(Default)]
pub(super) struct Samples {
    pub(super) points: Points,
    value: Vec<f64>,
    value_int: Sparse<Int64Type>,
}

/// The value of a number point or exemplar.
#[derive(Clone, Copy)]
pub(super) enum Number {
    None,
    Double(f64),
    Int(i64),
}

impl Number {
    /// The value, and the integer where a double is not exactly it.
    #[inline(always)]
    pub(super) fn split(self) -> (f64, Option<i64>) {
        match self {
            Self::None => (f64::NAN, None),
            Self::Double(value) => (value, None),
            Self::Int(int) => {
                #[expect(clippy::cast_precision_loss, reason = "the loss is what is looked for")]
                let value = int as f64;
                #[expect(clippy::cast_possible_truncation, reason = "an i64's double is within an i128")]
                let exact = value as i128 == i128::from(int);
                (value, if exact { None } else { Some(int) })
            }
        }
    }
}

impl Samples {
    pub(super) fn expect(&mut self, rest: Rest) {
        self.points.reserve(rest.records);
        self.value.reserve(rest.records);
    }

    /// Reads a `NumberDataPoint` except for the columns that every point has.
    #[inline(always)]
    pub(super) fn read<'a>(
        &mut self,
        message: Reader<'a>,
        attributes: &mut Run<'a>,
        sets: &Sets,
        exemplars: &mut Exemplars,
        judge: &mut Judge<'_>,
    ) -> Result<Head, Refused> {
        let mut head = Head::default();
        let mut number = Number::None;
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x3a => attributes.take(0x3a, &mut fields, sets),
                0x11 => head.start_time = fields.fixed64(),
                0x19 => head.time = fields.fixed64(),
                0x21 => number = Number::Double(fields.double()),
                0x31 => number = Number::Int(fields.fixed64().cast_signed()),
                0x2a => exemplars.read(fields.field(), judge)?,
                0x40 => head.flags = fields.varint32(),
                key => fields.unknown(key, &NUMBER_DATA_POINT)?,
            }
        }
        if head.has_no_recorded_value() {
            number = Number::Double(f64::from_bits(STALE));
        } else if matches!(number, Number::None) {
            judge.reject(Reason::MissingValue, 0);
        }
        let (value, int) = number.split();
        self.value_int.set(self.value.len(), int);
        self.value.push(value);
        Ok(head)
    }

    #[cold]
    pub(super) fn truncate(&mut self, rows: usize) {
        self.points.truncate(rows);
        self.value.truncate(rows);
        self.value_int.truncate(rows);
    }

    pub(super) fn finish(self) -> RecordBatch {
        let rows = self.points.rows();
        let columns = vec![
            columns::numbers::<UInt32Type>(self.points.series),
            columns::numbers::<Int64Type>(self.points.time),
            self.points.start_time.finish(),
            columns::numbers::<Float64Type>(self.value),
            self.value_int.finish(rows),
            columns::numbers::<Int32Type>(self.points.flags),
        ];
        columns::batch(schema::rows(Table::Samples), columns)
    }
}
