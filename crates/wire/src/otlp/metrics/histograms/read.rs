//! The three messages that a histogram point can be.

use super::{CUSTOM_BOUNDS, Exemplars, Histograms, Judge, Point, Reader, Reason, Run, SCALES, Sets};
use crate::proto::{Known, Refused};

const HISTOGRAM: Known = Known::new("HistogramDataPoint", &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
const EXPONENTIAL: Known =
    Known::new("ExponentialHistogramDataPoint", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
const SUMMARY: Known = Known::new("SummaryDataPoint", &[2, 3, 4, 5, 6, 7, 8]);
const QUANTILE: Known = Known::new("ValueAtQuantile", &[1, 2]);

impl Histograms {
    pub(super) fn read_explicit<'a>(
        &mut self,
        point: &mut Point,
        message: Reader<'a>,
        attributes: &mut Run<'a>,
        sets: &Sets,
        exemplars: &mut Exemplars,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        point.schema = Some(CUSTOM_BOUNDS);
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x4a => attributes.take(0x4a, &mut fields, sets),
                0x11 => point.head.start_time = fields.fixed64(),
                0x19 => point.head.time = fields.fixed64(),
                0x21 => point.count = fields.fixed64(),
                0x29 => point.sum = Some(fields.double()),
                0x31 => self.positive_counts.push(fields.fixed64(), judge),
                0x32 => self.positive_counts.read_fixed(fields.field(), judge)?,
                0x39 => {
                    let bound = fields.double();
                    self.push_bound(point, bound, judge);
                }
                0x3a => self.read_bounds(point, fields.field(), judge)?,
                0x42 => exemplars.read(fields.field(), judge)?,
                0x50 => point.head.flags = fields.varint32(),
                0x59 => point.min = Some(fields.double()),
                0x61 => point.max = Some(fields.double()),
                key => fields.unknown(key, &HISTOGRAM)?,
            }
        }
        let (buckets, bounds) = (self.positive_counts.sent(), point.bounds);
        if buckets != bounds + 1 && (buckets, bounds) != (0, 0) {
            judge.reject(Reason::BucketCountsMismatch, buckets as u64);
        }
        Ok(())
    }

    /// Reads packed bounds. They are nearly always those of the point before.
    fn read_bounds(
        &mut self,
        point: &mut Point,
        packed: Reader<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        let words = packed.words()?;
        let before = self.rows.custom_bounds.last_row();
        let is_word = |(value, word): (&f64, &[u8; 8])| value.to_bits() == u64::from_le_bytes(*word);
        let known = self.rows.custom_bounds.values.get(before.clone()).unwrap_or_default();
        if point.bounds == 0 && known.len() == words.len() && known.iter().zip(words).all(is_word) {
            self.rows.custom_bounds.values.extend_from_within(before);
            point.bounds = words.len();
        } else {
            words.iter().for_each(|word| self.push_bound(point, f64::from_le_bytes(*word), judge));
        }
        Ok(())
    }

    fn push_bound(&mut self, point: &mut Point, bound: f64, judge: &mut Judge<'_>) {
        let before = self.rows.custom_bounds.values.last().filter(|_| point.bounds > 0);
        if bound.is_nan() || before.is_some_and(|before| *before >= bound) {
            judge.reject(Reason::BoundsNotIncreasing, point.bounds as u64);
        }
        point.bounds += 1;
        // One more bucket than bounds: the buckets' limit rejects the point.
        if point.bounds <= judge.limits.buckets_max {
            self.rows.custom_bounds.values.push(bound);
        }
    }

    pub(super) fn read_exponential<'a>(
        &mut self,
        point: &mut Point,
        message: Reader<'a>,
        attributes: &mut Run<'a>,
        sets: &Sets,
        exemplars: &mut Exemplars,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        let mut scale = 0;
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x0a => attributes.take(0x0a, &mut fields, sets),
                0x11 => point.head.start_time = fields.fixed64(),
                0x19 => point.head.time = fields.fixed64(),
                0x21 => point.count = fields.fixed64(),
                0x29 => point.sum = Some(fields.double()),
                0x30 => scale = fields.sint32(),
                0x39 => point.zero_count = fields.fixed64(),
                0x42 => self.positive_counts.read(fields.field(), judge)?,
                0x4a => self.negative_counts.read(fields.field(), judge)?,
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
        point.schema = Some(scale);
        Ok(())
    }

    pub(super) fn read_summary<'a>(
        &mut self,
        point: &mut Point,
        message: Reader<'a>,
        attributes: &mut Run<'a>,
        sets: &Sets,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        // Not optional in this message.
        point.sum = Some(0.0);
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x3a => attributes.take(0x3a, &mut fields, sets),
                0x11 => point.head.start_time = fields.fixed64(),
                0x19 => point.head.time = fields.fixed64(),
                0x21 => point.count = fields.fixed64(),
                0x29 => point.sum = Some(fields.double()),
                0x32 => self.quantile(point, fields.field(), judge)?,
                0x40 => point.head.flags = fields.varint32(),
                key => fields.unknown(key, &SUMMARY)?,
            }
        }
        if point.quantiles > judge.limits.buckets_max {
            judge.reject(Reason::TooManyBuckets, point.quantiles as u64);
        }
        Ok(())
    }

    fn quantile(
        &mut self,
        point: &mut Point,
        message: Reader<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
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
        point.quantiles += 1;
        if point.quantiles <= judge.limits.buckets_max {
            self.rows.quantiles.values.push(quantile);
            self.rows.quantile_values.values.push(value);
        }
        Ok(())
    }
}
