//! A fleet made of one machine's scrapes, as remote write.
//!
//! Each machine has the deltas of the real series in an order of its own: as large and as rare as
//! they were, but no machine repeats another one's bytes, which would flatter whoever compresses
//! over several series.

use std::net::SocketAddr;

use anyhow::Result;
use testkit::http::Request;

use super::scrapes::Series;
use crate::restart::remote_write::{compressed, field};

/// Between two scrapes of a machine.
pub(super) const STEP_MS: i64 = 15_000;
/// Samples of a request, each of another series.
const SAMPLES: usize = 2_000;
/// Most digits after the point that deltas are taken with.
const DIGITS_MAX: i32 = 6;
/// Doubles count whole numbers without a gap up to about here.
const WHOLE_MAX: f64 = 9e15;

/// Bodies in the order in which they are sent, and what is in them.
pub(super) struct Replay {
    pub(super) requests: Vec<Request>,
    pub(super) requests_a_scrape: usize,
    pub(super) samples: u64,
    pub(super) series: u64,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

impl Replay {
    /// `machines` with so many of their scrapes, the first one at `start_ms`. Where more are wanted than
    /// were taken, what happened between the first and the last one happens again.
    pub(super) fn new(
        real: &[Series],
        machines: usize,
        scrapes: usize,
        (start_ms, step_ms): (i64, i64),
        path: &str,
    ) -> Result<Self> {
        let of = |machine: usize| {
            let own = move |series: &Series| of_machine(&series.values, machine as u64);
            real.iter().map(move |series| (labels(series, machine), own(series)))
        };
        let fleet: Vec<_> = (0..machines).flat_map(of).collect();
        Self::of(&fleet, scrapes, (start_ms, step_ms), path)
    }

    /// The machine itself: its scrapes as they were taken and, where there are several turns, as often
    /// with the same deltas in an order of their own.
    pub(super) fn of_one(real: &[Series], turns: usize, start_ms: i64, path: &str) -> Result<Self> {
        let longer = |series: &Series| (labels(series, 0), longer(&series.values, turns));
        let series: Vec<_> = real.iter().map(longer).collect();
        Self::of(&series, series[0].1.len(), (start_ms, STEP_MS), path)
    }

    fn of(
        fleet: &[(Vec<u8>, Vec<f64>)],
        scrapes: usize,
        (start_ms, step_ms): (i64, i64),
        path: &str,
    ) -> Result<Self> {
        let mut requests = Vec::new();
        let fleet: Vec<_> = fleet.iter().map(|(labels, values)| (labels, Going::of(values))).collect();
        for scrape in 0..scrapes {
            let time = start_ms + step_ms * scrape as i64;
            for part in fleet.chunks(SAMPLES) {
                let mut body = Vec::with_capacity(part.len() * 200);
                part.iter().for_each(|(labels, values)| put(&mut body, labels, values.at(scrape), time));
                requests.push(request(path, &body)?);
            }
        }
        Ok(Self {
            requests_a_scrape: requests.len() / scrapes,
            requests,
            samples: (fleet.len() * scrapes) as u64,
            series: fleet.len() as u64,
            start_ms,
            end_ms: start_ms + step_ms * (scrapes as i64 - 1),
        })
    }
}

/// One sample of a series that is in no replay.
pub(super) fn later(time_ms: i64, path: &str) -> Result<Request> {
    let mut body = Vec::new();
    let series = Series { labels: vec![("__name__".to_owned(), "bench_end".to_owned())], values: Vec::new() };
    put(&mut body, &labels(&series, 0), 1.0, time_ms);
    request(path, &body)
}

/// Posts one request to this address.
pub(super) fn post(http: SocketAddr, request: &Request) -> Result<()> {
    let answer = testkit::http::send(http, request)?;
    anyhow::ensure!(matches!(answer.status, 200 | 204), "status {}: {}", answer.status, answer.text());
    Ok(())
}

fn request(path: &str, body: &[u8]) -> Result<Request> {
    Ok(Request::post(path, compressed(body)?)
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0"))
}

/// A `TimeSeries` with one sample.
fn put(body: &mut Vec<u8>, labels: &[u8], value: f64, time_ms: i64) {
    let mut sample = vec![0x09];
    sample.extend_from_slice(&value.to_le_bytes());
    sample.push(0x10);
    let mut rest = time_ms.cast_unsigned();
    while rest >= 0x80 {
        sample.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    sample.push(rest as u8);
    let mut message = labels.to_vec();
    field(&mut message, 0x12, &sample);
    field(body, 0x0a, &message);
}

fn labels(series: &Series, machine: usize) -> Vec<u8> {
    let mut labels = series.labels.clone();
    labels.push(("instance".to_owned(), format!("host-{machine:05}.example.internal:9100")));
    labels.push(("job".to_owned(), "node_exporter".to_owned()));
    labels.push(("cluster".to_owned(), format!("prod-{}", machine % 3)));
    labels.sort();
    let mut out = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        field(&mut label, 0x0a, name.as_bytes());
        field(&mut label, 0x12, value.as_bytes());
        field(&mut out, 0x0a, &label);
    }
    out
}

/// The values of a machine: the real ones of the first, and what the same deltas make in another
/// order of each other one. Values that are no decimals are put into another order themselves.
fn of_machine(real: &[f64], machine: u64) -> Vec<f64> {
    let first = real[0];
    if machine == 0 || real.iter().all(|value| *value == first) {
        return real.to_vec();
    }
    let last = real[real.len() - 1];
    let mut random =
        Random(machine.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ first.to_bits() >> 3 ^ last.to_bits());
    let scale = scale_of(real);
    let Some(scale) = scale else {
        let mut values = real.to_vec();
        random.shuffle(&mut values);
        return values;
    };
    let integer = |value: f64| (value * scale).round() as i64;
    let mut deltas: Vec<i64> = real.windows(2).map(|two| integer(two[1]) - integer(two[0])).collect();
    random.shuffle(&mut deltas);
    let mut at = integer(first);
    if deltas.iter().all(|delta| *delta >= 0) {
        // Counters of other machines began elsewhere.
        at += random.below(1_000_003) as i64 * (1 + at / 1_000_000).min(1_000);
    }
    let mut values = vec![at as f64 / scale];
    values.extend(deltas.into_iter().map(|delta| {
        at += delta;
        at as f64 / scale
    }));
    values
}

/// By what the values have to be multiplied to be whole, if they are decimals.
fn scale_of(real: &[f64]) -> Option<f64> {
    let whole = |value: f64, scale: f64| {
        let scaled = value * scale;
        (scaled - scaled.round()).abs() <= 1e-9 * scaled.abs().max(1.0) && scaled.abs() < WHOLE_MAX
    };
    let mut scales = (0..=DIGITS_MAX).map(|digits| 10f64.powi(digits));
    scales.find(|scale| real.iter().all(|value| whole(*value, *scale)))
}

/// The values, and after them in each further turn the same deltas in another order: counters go on, other
/// values begin where they began. Values that are no decimals are put into another order themselves.
fn longer(real: &[f64], turns: usize) -> Vec<f64> {
    let mut values = real.to_vec();
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ real[0].to_bits() >> 3 ^ real[real.len() - 1].to_bits());
    let scale = scale_of(real);
    let integer = |value: f64| (value * scale.unwrap_or(1.0)).round() as i64;
    let mut deltas: Vec<i64> = real.windows(2).map(|two| integer(two[1]) - integer(two[0])).collect();
    let grows = real.windows(2).all(|two| two[0] <= two[1]);
    let mut at = integer(real[real.len() - 1]);
    for _ in 1..turns {
        let Some(scale) = scale else {
            let mut again = real.to_vec();
            random.shuffle(&mut again);
            values.extend(again);
            continue;
        };
        random.shuffle(&mut deltas);
        at = if grows { at } else { integer(real[0]) };
        values.push(at as f64 / scale);
        values.extend(deltas.iter().map(|delta| {
            at += delta;
            at as f64 / scale
        }));
    }
    values
}

/// The values of a series: beyond the last one that was taken counters go on to grow, other values begin
/// anew. What were decimals stay decimals, as they do where somebody counts.
struct Going<'a> {
    taken: &'a [f64],
    scale: Option<f64>,
    /// By how much a counter grew, times the scale.
    rise: f64,
}

impl<'a> Going<'a> {
    fn of(taken: &'a [f64]) -> Self {
        let scale = scale_of(taken);
        let (first, last) = (taken[0], taken[taken.len() - 1]);
        let rise = match scale {
            _ if !taken.windows(2).all(|two| two[0] <= two[1]) => 0.0,
            Some(scale) => (last * scale).round() - (first * scale).round(),
            None => last - first,
        };
        Self { taken, scale, rise }
    }

    fn at(&self, scrape: usize) -> f64 {
        let value = self.taken[scrape % self.taken.len()];
        let turns = (scrape / self.taken.len()) as f64;
        if turns == 0.0 || self.rise == 0.0 {
            return value;
        }
        match self.scale {
            Some(scale) => ((value * scale).round() + turns * self.rise) / scale,
            None => value + turns * self.rise,
        }
    }
}

/// Xorshift: the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            values.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_was_taken_happens_again() {
        let of = |values: &[f64]| (0..6).map(|scrape| Going::of(values).at(scrape)).collect::<Vec<_>>();
        assert_eq!(of(&[1.0, 2.0, 5.0]), [1.0, 2.0, 5.0, 5.0, 6.0, 9.0]);
        assert_eq!(of(&[1.0, 0.5, 2.0]), [1.0, 0.5, 2.0, 1.0, 0.5, 2.0]);
        assert_eq!(of(&[0.1, 0.2, 0.7]), [0.1, 0.2, 0.7, 0.7, 0.8, 1.3]);
    }

    #[test]
    fn a_machine_that_goes_on_has_the_same_deltas_again() {
        let counter = [0.5, 0.5, 1.25, 7.0];
        let values = longer(&counter, 3);
        assert_eq!((values.len(), &values[..4], values[4], values[8]), (12, &counter[..], 7.0, 13.5));
        assert!(values.windows(2).all(|two| two[0] <= two[1]) && values[11] == 20.0);
        let gauge = longer(&[3.0, 9.0, 1.0], 2);
        assert_eq!((&gauge[..4], gauge[5]), (&[3.0, 9.0, 1.0, 3.0][..], 1.0));
        assert_eq!(longer(&[7.0; 2], 2), [7.0; 4]);
        let mut noise = longer(&[0.1234567891, 2.0], 2);
        noise.sort_by(f64::total_cmp);
        assert_eq!(noise, [0.1234567891, 0.1234567891, 2.0, 2.0]);
    }

    #[test]
    fn machines_have_the_same_deltas_in_another_order() {
        let real = [0.25, 0.5, 3.5, 3.5, 4.0];
        let deltas = |values: &[f64]| {
            let mut deltas: Vec<f64> =
                values.windows(2).map(|two| ((two[1] - two[0]) * 100.0).round()).collect();
            deltas.sort_by(f64::total_cmp);
            deltas
        };
        assert_eq!(of_machine(&real, 0), real);
        let others: Vec<_> = (1..20).map(|machine| of_machine(&real, machine)).collect();
        assert!(others.iter().all(|values| deltas(values) == deltas(&real)));
        assert!(others.iter().any(|values| *values != others[0]));
        assert_eq!(of_machine(&[7.0; 4], 3), [7.0; 4]);
    }
}
