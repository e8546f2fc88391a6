use super::{Head, Run, Sets};
use crate::judge::{Judge, Reason};
use crate::points::{Exemplars, STALE, Samples};
use crate::proto::{Known, Reader, Refused};

const NUMBER_DATA_POINT: Known = Known::new("NumberDataPoint", &[2, 3, 4, 5, 6, 7, 8]);

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
                // Any integer of 53 bits is a double.
                #[expect(clippy::cast_possible_truncation, reason = "an i64's double is within an i128")]
                let exact = int.unsigned_abs() >> 53 == 0 || value as i128 == i128::from(int);
                (value, if exact { None } else { Some(int) })
            }
        }
    }
}

/// A number point as nearly all are written: its fields in the order of their numbers, attributes
/// last, and nothing else.
pub(super) struct Plain<'a> {
    pub(super) time: i64,
    start_time: i64,
    number: Number,
    /// Its attributes without the first key.
    pub(super) attributes: &'a [u8],
}

impl<'a> Plain<'a> {
    #[inline(always)]
    pub(super) fn read(message: &'a [u8]) -> Option<Self> {
        let (start_time, rest) = match message.split_first_chunk::<9>() {
            Some(([0x11, start_time @ ..], rest)) => (i64::from_le_bytes(*start_time), rest),
            _ => (0, message),
        };
        let (fields, attributes) = rest.split_first_chunk::<19>()?;
        let [0x19, t0, t1, t2, t3, t4, t5, t6, t7, kind, v0, v1, v2, v3, v4, v5, v6, v7, 0x3a] = *fields
        else {
            return None;
        };
        let value = u64::from_le_bytes([v0, v1, v2, v3, v4, v5, v6, v7]);
        let number = match kind {
            0x21 => Number::Double(f64::from_bits(value)),
            0x31 => Number::Int(value.cast_signed()),
            _ => return None,
        };
        let time = i64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
        // No time, or one that does not fit, is for the judge.
        (time > 0 && start_time >= 0).then_some(Self { time, start_time, number, attributes })
    }
}

impl Samples {
    #[inline(always)]
    pub(super) fn push_plain(&mut self, point: &Plain<'_>, series: u32) {
        let (value, int) = point.number.split();
        self.value_int.set(self.value.len(), int);
        self.value.push(value);
        self.points.push(series, point.time, point.start_time, 0);
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
        // The order of the numbers, in which senders write; any other is read below.
        if fields.take_key(0x11) {
            head.start_time = fields.fixed64();
        }
        if fields.take_key(0x19) {
            head.time = fields.fixed64();
        }
        if fields.take_key(0x21) {
            number = Number::Double(fields.double());
        } else if fields.take_key(0x31) {
            number = Number::Int(fields.fixed64().cast_signed());
        }
        if fields.take_key(0x3a) {
            attributes.take(0x3a, &mut fields, sets);
        }
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
}
