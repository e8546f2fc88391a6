use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use parking_lot::Mutex;

use super::exponential::{ExponentialHistogram, Sketch};
use super::family::Family;
use super::instrument::{Buckets, Counter, Gauge, Histogram, UpDownCounter};
use super::prometheus::Dialect;
use super::read::Reader;
use super::stripes::Stripes;
use super::{Labels, json, prometheus};
use crate::telemetry::otlp::{KeyValue, Metric, Number, Resource, Scope, encode_metrics};
use crate::telemetry::unix_nanos;

/// Series of one instrument, unless said otherwise: what the specification suggests.
const SERIES_MAX: usize = 2000;

/// Makes instruments and reads them all. Clones are the same registry.
///
/// Asking twice for the same name gives the same instrument. A name that is taken by another kind
/// gives an instrument that works but is not exported, and an error in the log; so does a callback
/// where values are given, and the other way round.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    instruments: Mutex<BTreeMap<&'static str, Instrument>>,
    series_max: usize,
    prefix: String,
    labels: Arc<[(String, String)]>,
    start_time_unix_nano: u64,
}

/// What holds for all instruments of a registry.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// Series of each instrument, the overflow's included.
    pub series_max: usize,
    /// Stands before every name, with a dot between; empty for none. Leave it empty where names of the
    /// semantic conventions shall be found by others.
    pub prefix: String,
    /// Labels that every series has, unless it says otherwise itself.
    pub labels: Vec<(String, String)>,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self { series_max: SERIES_MAX, prefix: String::new(), labels: Vec::new() }
    }
}

#[derive(Clone)]
struct Instrument {
    unit: &'static str,
    description: &'static str,
    kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    Counter(Arc<Family<Stripes<AtomicU64>>>),
    UpDownCounter(Arc<Family<Stripes<AtomicI64>>>),
    Gauge(Arc<Family<AtomicU64>>),
    Histogram { family: Arc<Family<Buckets>>, bounds: Arc<[f64]> },
    Exponential(Arc<Family<Sketch>>),
    Observed { role: Role, callback: Callback },
}

/// What an observed value is.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Counter,
    UpDownCounter,
    Gauge,
}

pub(super) type Callback = Arc<dyn Fn(&mut Observer) + Send + Sync>;

/// Takes the values of a callback.
#[derive(Debug)]
pub struct Observer {
    pub(super) points: Vec<(Vec<KeyValue>, Number)>,
    pub(super) limit: usize,
}

impl Observer {
    /// The series with these labels has this value now. Series beyond the limit are left out.
    pub fn observe(&mut self, value: impl Into<Number>, labels: Labels<'_>) {
        if self.points.len() < self.limit {
            let labels = labels.iter().map(|(name, value)| KeyValue::new(*name, (*value).to_owned()));
            self.points.push((labels.collect(), value.into()));
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.instruments.lock().keys()).finish()
    }
}

impl Registry {
    /// No instruments yet.
    pub fn new() -> Self {
        Self::with_options(RegistryOptions::default())
    }

    /// With another limit on the series of each instrument, the overflow's included.
    pub fn with_series_max(series_max: usize) -> Self {
        Self::with_options(RegistryOptions { series_max, ..RegistryOptions::default() })
    }

    /// With other options.
    pub fn with_options(options: RegistryOptions) -> Self {
        let RegistryOptions { series_max, prefix, labels } = options;
        let (instruments, labels) = (Mutex::new(BTreeMap::new()), labels.into());
        Self(Arc::new(Inner { instruments, series_max, prefix, labels, start_time_unix_nano: unix_nanos() }))
    }

    /// A value that only rises, such as requests answered.
    pub fn counter(&self, name: &'static str, unit: &'static str, description: &'static str) -> Counter {
        let fresh = Counter(self.family());
        match self.register(name, unit, description, Kind::Counter(fresh.0.clone())) {
            Some(Kind::Counter(family)) => Counter(family),
            _ => fresh,
        }
    }

    /// A value that rises and falls, such as requests in flight.
    pub fn up_down_counter(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
    ) -> UpDownCounter {
        let fresh = UpDownCounter(self.family());
        match self.register(name, unit, description, Kind::UpDownCounter(fresh.0.clone())) {
            Some(Kind::UpDownCounter(family)) => UpDownCounter(family),
            _ => fresh,
        }
    }

    /// A value that is set, such as a temperature.
    pub fn gauge(&self, name: &'static str, unit: &'static str, description: &'static str) -> Gauge {
        let fresh = Gauge(self.family());
        match self.register(name, unit, description, Kind::Gauge(fresh.0.clone())) {
            Some(Kind::Gauge(family)) => Gauge(family),
            _ => fresh,
        }
    }

    /// A distribution over buckets with these upper bounds, such as [`super::SECONDS`].
    pub fn histogram(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        bounds: &[f64],
    ) -> Histogram {
        let fresh = Histogram { family: self.family(), bounds: bounds.into() };
        let kind = Kind::Histogram { family: fresh.family.clone(), bounds: fresh.bounds.clone() };
        match self.register(name, unit, description, kind) {
            Some(Kind::Histogram { family, bounds }) => Histogram { family, bounds },
            _ => fresh,
        }
    }

    /// A distribution over buckets that adapt to the values. On the Prometheus page it is a summary;
    /// over OTLP it can be added up with those of other processes.
    pub fn exponential_histogram(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
    ) -> ExponentialHistogram {
        let fresh = ExponentialHistogram(self.family());
        match self.register(name, unit, description, Kind::Exponential(fresh.0.clone())) {
            Some(Kind::Exponential(family)) => ExponentialHistogram(family),
            _ => fresh,
        }
    }

    /// A rising value that is kept elsewhere and asked for when it is read. The callback must not
    /// block. Registering the name again replaces it; a name that is taken by another kind it does not get.
    pub fn observe_counter(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        callback: impl Fn(&mut Observer) + Send + Sync + 'static,
    ) {
        self.observe(name, unit, description, Role::Counter, Arc::new(callback));
    }

    /// As [`Registry::observe_counter`], for a value that rises and falls and may be summed.
    pub fn observe_up_down_counter(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        callback: impl Fn(&mut Observer) + Send + Sync + 'static,
    ) {
        self.observe(name, unit, description, Role::UpDownCounter, Arc::new(callback));
    }

    /// As [`Registry::observe_counter`], for a value that cannot be summed.
    pub fn observe_gauge(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        callback: impl Fn(&mut Observer) + Send + Sync + 'static,
    ) {
        self.observe(name, unit, description, Role::Gauge, Arc::new(callback));
    }

    /// What all instruments say now, by name. One without series is not there.
    pub fn snapshot(&self) -> Vec<Metric> {
        self.read_at(unix_nanos()).into_iter().map(|(metric, _)| metric).collect()
    }

    /// As [`Registry::snapshot`], at a time; also says of each whether a callback was asked for it.
    pub(in crate::telemetry) fn read_at(&self, now: u64) -> Vec<(Metric, bool)> {
        let instruments = self.0.instruments.lock().clone();
        let (limit, constant) = (self.0.series_max, &*self.0.labels);
        let reader = Reader { start: self.0.start_time_unix_nano, now, limit, constant };
        let metrics = instruments.into_iter().map(|(name, instrument)| {
            let metric = Metric {
                name: self.full_name(name),
                description: instrument.description.into(),
                unit: instrument.unit.into(),
                data: reader.read(&instrument.kind),
            };
            (metric, matches!(instrument.kind, Kind::Observed { .. }))
        });
        metrics.filter(|(metric, _)| !metric.data.is_empty()).collect()
    }

    fn full_name(&self, name: &'static str) -> Cow<'static, str> {
        if self.0.prefix.is_empty() { name.into() } else { format!("{}.{name}", self.0.prefix).into() }
    }

    /// Name, kind, unit and description of every instrument, for the reference.
    pub fn describe(&self) -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
        let instruments = self.0.instruments.lock();
        instruments.iter().map(|(name, it)| (*name, it.kind.name(), it.unit, it.description)).collect()
    }

    /// The snapshot as an OTLP `ExportMetricsServiceRequest`.
    pub fn otlp(&self, resource: &Resource, scope: &Scope) -> Vec<u8> {
        let metrics = self.snapshot();
        encode_metrics(resource, [(scope, &metrics[..])])
    }

    /// The snapshot in the Prometheus text format, version 0.0.4.
    pub fn prometheus(&self) -> String {
        prometheus::render(&self.snapshot(), Dialect::Prometheus)
    }

    /// The snapshot as OpenMetrics 1.0.
    pub fn openmetrics(&self) -> String {
        prometheus::render(&self.snapshot(), Dialect::OpenMetrics)
    }

    /// The snapshot as JSON: `timestamp` (nanoseconds since 1970) and `metrics`, each with `name`,
    /// `type`, `unit`, `description` and `points`.
    pub fn json(&self) -> serde_json::Value {
        json::render(&self.snapshot(), unix_nanos())
    }

    /// Of the snapshot what has attributes that a reader may see, in the Prometheus text format.
    pub fn prometheus_for(&self, may_see: impl Fn(&[KeyValue]) -> bool) -> String {
        let mut metrics = self.snapshot();
        metrics.iter_mut().for_each(|metric| metric.data.retain(&may_see));
        metrics.retain(|metric| !metric.data.is_empty());
        prometheus::render(&metrics, Dialect::Prometheus)
    }

    fn family<C>(&self) -> Arc<Family<C>> {
        Arc::new(Family::new(self.0.series_max, self.0.labels.clone()))
    }

    /// Registers a new instrument, or gives back the one that has the name. A callback takes the place
    /// of one of its kind.
    fn register(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        kind: Kind,
    ) -> Option<Kind> {
        let mut instruments = self.0.instruments.lock();
        let known = instruments.get(name).map(|instrument| instrument.kind.clone());
        match &known {
            None => {
                instruments.insert(name, Instrument { unit, description, kind });
            }
            // Values that are given and values that are asked for do not go together either.
            Some(known) if !known.is_like(&kind) => {
                drop(instruments);
                tracing::error!(name, kind = kind.name(), taken_by = known.name(), "metric name is taken");
            }
            Some(Kind::Observed { .. }) => {
                instruments.insert(name, Instrument { unit, description, kind });
            }
            Some(_) => {}
        }
        known
    }

    fn observe(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        role: Role,
        callback: Callback,
    ) {
        self.register(name, unit, description, Kind::Observed { role, callback });
    }
}

impl Kind {
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.name() == other.name()
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Counter(_) | Self::Observed { role: Role::Counter, .. } => "counter",
            Self::UpDownCounter(_) | Self::Observed { role: Role::UpDownCounter, .. } => "up-down counter",
            Self::Gauge(_) | Self::Observed { role: Role::Gauge, .. } => "gauge",
            Self::Histogram { .. } => "histogram",
            Self::Exponential(_) => "exponential histogram",
        }
    }
}
