//! A server that is loaded by remote write and asked over HTTP.

use promql::histogram::{CounterResetHint, Histogram as Native};
use promql::series_description::SequenceValue;
use testkit::Fresnel;
use testkit::remote_write::{
    BucketSpan, Count, Histogram, RequestV2, Sample, TimeSeriesV2, V2, request, written,
};

use crate::api::{Api, Point};
use crate::promqltest::nhcb;
use crate::promqltest::run::{Answer, Subject, check_step, named, range_around};
use crate::promqltest::script::{Eval, Load, LoadedSeries, Times, When};

const API: &str = "/prometheus/api/v1";

/// Every state that a file loads is a tenant of its own, so that none sees what comes later, and all
/// of them can be asked again.
pub(crate) struct Server {
    api: Api,
    /// Which states there are is the same every time: they are stored once.
    is_loaded: bool,
    states: usize,
    requests: Vec<RequestV2>,
    is_asked: std::cell::Cell<bool>,
}

impl Server {
    /// A server that has nothing yet.
    pub(crate) fn new(server: &Fresnel) -> Self {
        let api = Api::new(server.doors().http, API);
        Self { api, is_loaded: false, states: 0, requests: Vec::new(), is_asked: false.into() }
    }

    /// The same server with all that was loaded.
    pub(crate) fn again(server: &Fresnel) -> Self {
        Self { is_loaded: true, ..Self::new(server) }
    }

    fn tenant(&self) -> String {
        format!("state-{}", self.states)
    }

    fn store(&self, message: &RequestV2) -> Result<(), String> {
        let (mut samples, mut histograms) = (0, 0);
        for series in &message.timeseries {
            samples += series.samples.len() as u64;
            histograms += series.histograms.len() as u64;
        }
        let response = self.api.send(&request(V2, message).header("x-scope-orgid", &self.tenant()));
        if response.status != 204 || written(&response) != (samples, histograms, 0) {
            return Err(format!("refused with {}: {}", response.status, response.text()));
        }
        Ok(())
    }
}

impl Subject for Server {
    type Point = Point;

    fn clear(&mut self) {
        self.states += 1;
        self.requests.clear();
        self.is_asked.set(false);
    }

    fn load(&mut self, load: &Load) -> Result<(), String> {
        let message = message(load)?;
        if self.is_asked.replace(false) {
            self.states += 1;
            if !self.is_loaded {
                self.requests.iter().try_for_each(|message| self.store(message))?;
            }
        }
        if !self.is_loaded {
            self.store(&message)?;
        }
        self.requests.push(message);
        Ok(())
    }

    fn instant(&self, query: &str, at_ms: i64) -> Result<Answer<Point>, String> {
        self.is_asked.set(true);
        self.api.instant(&self.tenant(), query, at_ms)
    }

    fn range(&self, query: &str, times: Times) -> Result<Answer<Point>, String> {
        self.is_asked.set(true);
        self.api.range(&self.tenant(), query, times)
    }

    /// As a range query, once; the other ways are those of the engine, which its own tests try.
    fn variants(&self, eval: &Eval) -> Result<(), String> {
        if self.is_loaded {
            return Ok(());
        }
        let When::Instant { at_ms } = eval.when else { return Ok(()) };
        let Some(times) = range_around(eval, at_ms) else { return Ok(()) };
        named("as a range", check_step(eval, at_ms, self.range(&eval.query, times)))
    }
}

fn message(load: &Load) -> Result<RequestV2, String> {
    let mut message = RequestV2::default();
    message.symbol("");
    for series in &load.series {
        add(&mut message, series, load.step_ms);
    }
    if load.with_nhcb {
        for series in nhcb::convert(&load.series)? {
            add(&mut message, &series, load.step_ms);
        }
    }
    Ok(message)
}

fn add(message: &mut RequestV2, loaded: &LoadedSeries, step_ms: i64) {
    let pairs: Vec<_> = loaded.labels.iter().collect();
    let mut series = TimeSeriesV2 { labels_refs: message.references(&pairs), ..Default::default() };
    for (place, value) in (0..).zip(&loaded.values) {
        let timestamp = step_ms * place;
        let offset = usize::try_from(place).ok().and_then(|place| *loaded.start_offsets_ms.get(place)?);
        let start_timestamp = offset.map_or(0, |offset| timestamp + offset);
        match value {
            SequenceValue::Gap => {}
            SequenceValue::Float(value) => {
                series.samples.push(Sample { value: *value, timestamp, start_timestamp });
            }
            SequenceValue::Histogram { histogram, .. } => {
                series.histograms.push(Histogram { timestamp, start_timestamp, ..of(histogram) });
            }
        }
    }
    message.timeseries.push(series);
}

/// A histogram as a sender has it whose counts are doubles.
fn of(native: &Native) -> Histogram {
    let spans = |spans: &[promql::histogram::BucketSpan]| {
        spans.iter().map(|span| BucketSpan { offset: span.offset, length: span.length }).collect()
    };
    Histogram {
        count: Some(Count::CountFloat(native.count)),
        sum: native.sum,
        schema: native.schema,
        zero_threshold: native.zero_threshold,
        zero_count_float: native.zero_count,
        negative_spans: spans(&native.negative_spans),
        negative_counts: native.negative_buckets.clone(),
        positive_spans: spans(&native.positive_spans),
        positive_counts: native.positive_buckets.clone(),
        reset_hint: match native.counter_reset_hint {
            CounterResetHint::Unknown => 0,
            CounterResetHint::Reset => 1,
            CounterResetHint::NotReset => 2,
            CounterResetHint::Gauge => 3,
        },
        custom_values: native.custom_values.to_vec(),
        ..Default::default()
    }
}
