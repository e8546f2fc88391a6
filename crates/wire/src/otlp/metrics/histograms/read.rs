//! The three messages that a histogram point can be.

use super::{CUSTOM_BOUNDS, Exemplars, Histograms, Judge, Reader, Reason, Run, SCALES};
use crate::proto::{Known, Refused};

const HISTOGRAM: Known = Known::new("HistogramDataPoint", &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
const EXPONENTIAL: Known =
    Known::new("ExponentialHistogramDataPoint", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
const SUMMARY: Known = Known::new("SummaryDataPoint", &[2, 3, 4, 5, 6, 7, 8]);
const QUANTILE: Known = Known::new("ValueAtQuantile", &[1, 2]);

impl Histograms {
    pub(super) fn read_explicit<'a>(
        &mut self,
        message: Reader<'a>,
        attributes: &mut Run<'a>,
        exemplars: &mut Exemplars,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        self.point.schema = Some(CUSTOM_BOUNDS);
        let mut fields = message;
        while fields.more()? {
            let point = &mut self.point;
            match fields.key() {
                0x4a => attributes.take(0x4a, &mut fields),
                0x11 => point.head.start_time = fields.fixed64(),
                0x19 => point.head.time = fields.fixed64(),
                0x21 => point.count = fields.fixed64(),
                0x29 => point.sum = Some(fields.double()),
                0x31 => point.positive.push(fields.fixed64(), judge),
                0x32 => point.positive.read_fixed(fields.field(), judge)?,
                0x39 => {
                    let bound = fields.double();
                    self.bound(bound, judge);
                }
                0x3a => {
                    let mut numbers = fields.field();
                    while numbers.more()? {
                        let bound = numbers.double();
                        self.bound(bound, judge);
                    }
                }
                0x42 => exemplars.read(fields.field(), judge)?,
                0x50 => point.head.flags = fields.varint32(),
                0x59 => point.min = Some(fields.double()),
                0x61 => point.max = Some(fields.double()),
                key => fields.unknown(key, &HISTOGRAM)?,
            }
        }
        let (buckets, bounds) = (self.point.positive.sent(), self.point.bounds);
        if buckets != bounds + 1 && (buckets, bounds) != (0, 0) {
            judge.reject(Reason::BucketCountsMismatch, buckets as u64);
        }
        Ok(())
    }

    fn bound(&mut self, bound: f64, judge: &mut Judge<'_>) {
        let before = self.custom_bounds.values.last().filter(|_| self.point.bounds > 0);
        if bound.is_nan() || before.is_some_and(|before| *before >= bound) {
            judge.reject(Reason::BoundsNotIncreasing, self.point.bounds as u64);
        }
        self.point.bounds += 1;
        // One more bucket than bounds: the buckets' limit rejects the point.
        if self.point.bounds <= judge.limits.buckets_max {
            self.custom_bounds.values.push(bound);
        }
    }

    pub(super) fn read_exponential<'a>(
        &mut self,
        message: Reader<'a>,
        attributes: &mut Run<'a>,
        exemplars: &mut Exemplars,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        let mut scale = 0;
        let mut fields = message;
        while fields.more()? {
            let point = &mut self.point;
            match fields.key() {
                0x0a => attributes.take(0x0a, &mut fields),
                0x11 => point.head.start_time = fields.fixed64(),
                0x19 => point.head.time = fields.fixed64(),
                0x21 => point.count = fields.fixed64(),
                0x29 => point.sum = Some(fields.double()),
                0x30 => scale = fields.sint32(),
                0x39 => point.zero_count = fields.fixed64(),
                0x42 => point.positive.read(fields.field(), judge)?,
                0x4a => point.negative.read(fields.field(), judge)?,
                0x50 => point.head.flags = fields.varint32(),
                0x5a => exemplars.read(fields.field(), judge)?,
                0x61 => point.min = Some(fields.double()),
                0x69 => point.max = Some(fields.double()),
                0x71 => point.zero_threshold = fields.double(),
                key => fields.unknown(key, &EXPONENTIAL)?,
            }
        }
        if !SCALES.contains(&scale) {
            judge.reject(Reason::ScaleOutOfRange, i64::from(scale).cast_unsigned());
        }
        self.point.schema = Some(scale);
        Ok(())
    }

    pub(super) fn read_summary<'a>(
        &mut self,
        message: Reader<'a>,
        attributes: &mut Run<'a>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        // Not optional in this message.
        self.point.sum = Some(0.0);
        let mut fields = message;
        while fields.more()? {
            let point = &mut self.point;
            match fields.key() {
                0x3a => attributes.take(0x3a, &mut fields),
                0x11 => point.head.start_time = fields.fixed64(),
                0x19 => point.head.time = fields.fixed64(),
                0x21 => point.count = fields.fixed64(),
                0x29 => point.sum = Some(fields.double()),
                0x32 => self.quantile(fields.field(), judge)?,
                0x40 => point.head.flags = fields.varint32(),
                key => fields.unknown(key, &SUMMARY)?,
            }
        }
        if self.point.quantiles > judge.limits.buckets_max {
            judge.reject(Reason::TooManyBuckets, self.point.quantiles as u64);
        }
        Ok(())
    }

    fn quantile(&mut self, message: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        let (mut quantile, mut value) = (0.0, 0.0);
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x09 => quantile = fields.double(),
                0x11 => value = fields.double(),
                key => fields.unknown(key, &QUANTILE)?,
            }
        }
        if !(0.0..=1.0).contains(&quantile) {
            judge.reject(Reason::QuantileOutOfRange, 0);
        }
        self.point.quantiles += 1;
        if self.point.quantiles <= judge.limits.buckets_max {
            self.quantiles.values.push(quantile);
            self.quantile_values.values.push(value);
        }
        Ok(())
    }
}
