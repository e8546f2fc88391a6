//! The customers: makes visits at a rate and sends what they cause, once a second and service. The
//! shop has been open for a while when it is looked at: what was before is made in the same way.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fresnel_sdk::telemetry::http::HttpExporter;
use fresnel_sdk::telemetry::metrics::{Registry, SECONDS};
use fresnel_sdk::telemetry::otlp::{
    Data, LogRecord, Metric, Resource, Scope, Span, encode_logs, encode_metrics, encode_spans,
};
use fresnel_sdk::telemetry::{Exporter, Signal};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::shop::{self, Bank, SERVICES, Visit};

/// Seconds that are sent at once, of the past or where it fell behind.
const STEP: i64 = 15;
/// Visits of the past there are at most; with more a second it is shorter.
const PAST_VISITS_MAX: u64 = 20_000;
/// How long ago a visit begins that is told of: it has ended.
const AGO: Duration = Duration::from_millis(3_500);
/// Who sends and falls behind by more seconds leaves some out.
const BEHIND_MAX: i64 = 60;
const SECOND: i64 = 1_000_000_000;
/// How often a request is tried before what is in it is given up, and counted.
const ATTEMPTS_MAX: u32 = 5;
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How many customers come.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Visits a second.
    pub rate: u32,
    /// How long the shop has been open already when the first is told of.
    pub history: Duration,
}

/// What has been sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub visits: u64,
    pub records: u64,
    pub given_up: u64,
}

/// One of the shop's services with the SDK it would have.
struct Service {
    resource: Resource,
    registry: Registry,
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
}

/// Until when there is something to do.
struct Stop<'a> {
    told: &'a Receiver<()>,
    is_over: bool,
}

impl Stop<'_> {
    /// Waits for so long, or until told to stop; whether it is over.
    fn wait(&mut self, pause: Duration) -> bool {
        let over = || !matches!(self.told.recv_timeout(pause), Err(RecvTimeoutError::Timeout));
        self.is_over = self.is_over || over();
        self.is_over
    }
}

/// Sends what happened before, at once, and then every second what happens, until `stop` is told;
/// tells of each time it has sent.
pub fn run(
    exporter: &HttpExporter,
    load: Load,
    stop: &Receiver<()>,
    mut tell: impl FnMut(Sent, Bank),
) -> Sent {
    let mut stop = Stop { told: stop, is_over: false };
    let history = load.history.as_secs().min(PAST_VISITS_MAX / u64::from(load.rate));
    let started = Instant::now();
    let opened = unix_nano(SystemTime::now() - AGO);
    // Seconds are counted from then, those before are negative.
    let at = |second: i64| u64::try_from(opened + second * SECOND).unwrap_or_default();
    let mut second = -i64::try_from(history).unwrap_or_default();
    let begun = at(second);
    let mut rng = StdRng::from_os_rng();
    let mut services = SERVICES.map(Service::new);
    let mut sent = Sent::default();
    let elapsed = || i64::try_from(started.elapsed().as_secs()).unwrap_or(i64::MAX);
    loop {
        let step = second + STEP;
        let end = if second < 0 { step.min(0) } else { step.min(elapsed()).max(second + 1) };
        for second in second..end {
            for _ in 0..load.rate {
                let moment = at(second) + rng.random_range(0..SECOND.unsigned_abs());
                let visit = shop::visit(moment, Bank::at(second), &mut rng);
                sent.visits += 1;
                hand_out(visit, &mut services);
            }
        }
        for service in &mut services {
            service.send(exporter, (begun, at(end)), &mut sent, &mut stop);
        }
        tell(sent, Bank::at(end));
        second = if end < 0 { end } else { end.max(elapsed() - BEHIND_MAX) };
        let due = Duration::from_secs(second.max(0).unsigned_abs());
        if stop.wait(due.saturating_sub(started.elapsed())) {
            return sent;
        }
    }
}

fn unix_nano(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(i64::MAX)
}

fn hand_out(visit: Visit, services: &mut [Service; SERVICES.len()]) {
    for handled in &visit.handled {
        let status = handled.status.to_string();
        let labels = [("http.route", handled.route), ("http.response.status_code", status.as_str())];
        let name = "http.server.request.duration";
        let registry = &services[handled.service].registry;
        registry.histogram(name, "s", "Duration of requests.", SECONDS).bind(&labels).record(handled.seconds);
    }
    if let Some(seconds) = visit.asked_bank {
        let labels = [("http.request.method", "POST"), ("server.address", shop::BANK)];
        let (name, told) = ("http.client.request.duration", "Duration of requests to others.");
        services[shop::PAYMENT].registry.histogram(name, "s", told, SECONDS).bind(&labels).record(seconds);
    }
    if let Some((card, amount)) = visit.ordered {
        let registry = &services[shop::CHECKOUT].registry;
        registry.counter("shop.orders", "{order}", "Orders placed.").bind(&[("card", card)]).add(1);
        let bounds = [10.0, 25.0, 50.0, 100.0, 250.0];
        registry.histogram("shop.order.amount", "EUR", "Worth of orders.", &bounds).bind(&[]).record(amount);
    }
    for ((service, spans), logs) in services.iter_mut().zip(visit.spans).zip(visit.logs) {
        service.spans.extend(spans);
        service.logs.extend(logs);
    }
}

impl Service {
    fn new(name: &str) -> Self {
        let resource = Resource::service(name, "2.4.1")
            .with("deployment.environment.name", "demo")
            .with("host.name", format!("{name}-1"));
        let registry = Registry::new();
        Self { resource, registry, spans: Vec::new(), logs: Vec::new() }
    }

    /// Sends what there is to tell of the time from `begun` on.
    fn send(
        &mut self,
        exporter: &HttpExporter,
        (begun, now): (u64, u64),
        sent: &mut Sent,
        stop: &mut Stop<'_>,
    ) {
        let scope = Scope::named("shop");
        let spans = std::mem::take(&mut self.spans);
        if !spans.is_empty() {
            let request = encode_spans(&self.resource, [(&scope, spans.as_slice())]);
            deliver(exporter, (Signal::Traces, &request, spans.len()), sent, stop);
        }
        let logs = std::mem::take(&mut self.logs);
        if !logs.is_empty() {
            let request = encode_logs(&self.resource, [(&scope, logs.as_slice())]);
            deliver(exporter, (Signal::Logs, &request, logs.len()), sent, stop);
        }
        let mut metrics = self.registry.snapshot();
        if !metrics.is_empty() {
            let points = metrics.iter_mut().map(|metric| set_times(metric, begun, now)).sum();
            let request = encode_metrics(&self.resource, [(&scope, metrics.as_slice())]);
            deliver(exporter, (Signal::Metrics, &request, points), sent, stop);
        }
    }
}

/// Has the points of a metric say what it came to up to `now`; how many they are.
fn set_times(metric: &mut Metric, begun: u64, now: u64) -> usize {
    match &mut metric.data {
        Data::Gauge(points) | Data::Sum { points, .. } => {
            for point in points.iter_mut() {
                (point.start_time_unix_nano, point.time_unix_nano) = (begun, now);
            }
            points.len()
        }
        Data::Histogram { points, .. } => {
            for point in points.iter_mut() {
                (point.start_time_unix_nano, point.time_unix_nano) = (begun, now);
            }
            points.len()
        }
        Data::Exponential { points, .. } => {
            for point in points.iter_mut() {
                (point.start_time_unix_nano, point.time_unix_nano) = (begun, now);
            }
            points.len()
        }
    }
}

fn deliver(
    exporter: &HttpExporter,
    (signal, request, records): (Signal, &[u8], usize),
    sent: &mut Sent,
    stop: &mut Stop<'_>,
) {
    if stop.is_over {
        return;
    }
    for attempt in 1..=ATTEMPTS_MAX {
        let Err(error) = exporter.export(signal, request.to_vec()) else {
            sent.records += records as u64;
            return;
        };
        match error.retryable() {
            // Who ends the shop ends its server too.
            Some(wait) if attempt < ATTEMPTS_MAX => {
                if stop.wait(wait.min(PAUSE_MAX)) {
                    return;
                }
            }
            _ => {
                tracing::warn!(signal = signal.name(), records, error = %error, "give up a request of the demo");
                break;
            }
        }
    }
    sent.given_up += records as u64;
}
