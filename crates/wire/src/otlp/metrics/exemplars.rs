use super::super::attribute;
use super::super::stream::end_attributes;
use super::samples::Number;
use crate::judge::{Judge, Reason};
use crate::points::Exemplars;
use crate::proto::{Known, Reader, Refused};

const EXEMPLAR: Known = Known::new("Exemplar", &[2, 3, 4, 5, 6, 7]);

impl Exemplars {
    /// Reads an exemplar of the point being read.
    pub(super) fn read(&mut self, message: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        let (mut trace_id, mut span_id) = (Reader::EMPTY, Reader::EMPTY);
        let mut time = 0;
        let mut number = Number::None;
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x11 => time = fields.fixed64(),
                0x19 => number = Number::Double(fields.double()),
                0x22 => span_id = fields.field(),
                0x2a => trace_id = fields.field(),
                0x31 => number = Number::Int(fields.fixed64().cast_signed()),
                0x3a => attribute::read(&mut self.attributes, 0x3a, &mut fields, judge)?,
                key => fields.unknown(key, &EXEMPLAR)?,
            }
        }
        end_attributes(&mut self.attributes, judge);
        let (value, int) = number.split();
        self.time.push(judge.time(time));
        self.value_int.set(self.value.len(), int);
        self.value.push(value);
        self.trace_id.push(judge.trace_id(trace_id));
        self.span_id.push(judge.span_id(span_id));
        Ok(())
    }

    /// Gives the exemplars of the point that was read to its series.
    #[inline(always)]
    pub(super) fn end_point(&mut self, series: u32, time: i64, judge: &mut Judge<'_>) {
        let new = self.time.len() - self.series.len();
        if new > 0 {
            self.give(new, series, time, judge);
        }
    }

    fn give(&mut self, new: usize, series: u32, time: i64, judge: &mut Judge<'_>) {
        if new > judge.limits.exemplars_max {
            judge.reject(Reason::TooManyExemplars, new as u64);
        }
        let rows = self.series.len();
        self.series.resize(rows + new, series);
        let times = self.time.iter_mut().skip(rows);
        times.filter(|own| **own == 0).for_each(|own| *own = time);
    }
}
