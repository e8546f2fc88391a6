//! The customers: makes visits at a rate and sends what they cause, once a second and service.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fresnel_sdk::telemetry::http::HttpExporter;
use fresnel_sdk::telemetry::metrics::{Registry, SECONDS};
use fresnel_sdk::telemetry::otlp::{LogRecord, Resource, Scope, Span, encode_logs, encode_spans};
use fresnel_sdk::telemetry::{Exporter, Signal};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::shop::{self, Bank, SERVICES, Visit};

const TICK: Duration = Duration::from_secs(1);
/// How often a request is tried before what is in it is given up, and counted.
const ATTEMPTS_MAX: u32 = 5;
const PAUSE_MAX: Duration = Duration::from_secs(5);

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

/// Sends until `stop` is told, and tells of every second.
pub fn run(
    exporter: &HttpExporter,
    rate: u32,
    stop: &Receiver<()>,
    mut tell: impl FnMut(Sent, Bank),
) -> Sent {
    let started = Instant::now();
    let mut rng = StdRng::from_os_rng();
    let mut services = SERVICES.map(Service::new);
    let mut sent = Sent::default();
    loop {
        let bank = Bank::at(started.elapsed());
        for _ in 0..rate {
            let visit = shop::visit(moment(&mut rng), bank, &mut rng);
            sent.visits += 1;
            hand_out(visit, &mut services);
        }
        for service in &mut services {
            service.send(exporter, &mut sent);
        }
        tell(sent, bank);
        match stop.recv_timeout(TICK) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return sent,
        }
    }
}

/// A moment within the last second, some time ago: a visit takes time and has ended.
fn moment(rng: &mut StdRng) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let begun = now.saturating_sub(Duration::from_millis(rng.random_range(2_500..3_500)));
    u64::try_from(begun.as_nanos()).unwrap_or(u64::MAX)
}

fn hand_out(visit: Visit, services: &mut [Service; SERVICES.len()]) {
    for handled in &visit.handled {
        let status = handled.status.to_string();
        let labels = [("http.route", handled.route), ("http.response.status_code", status.as_str())];
        let name = "http.server.request.duration";
        let registry = &services[handled.service].registry;
        registry.histogram(name, "s", "Duration of requests.", SECONDS).bind(&labels).record(handled.seconds);
    }
    if let Some((card, amount)) = visit.ordered {
        let registry = &services[2].registry;
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

    fn send(&mut self, exporter: &HttpExporter, sent: &mut Sent) {
        let scope = Scope::named("shop");
        let spans = std::mem::take(&mut self.spans);
        if !spans.is_empty() {
            let request = encode_spans(&self.resource, [(&scope, spans.as_slice())]);
            deliver(exporter, Signal::Traces, &request, spans.len(), sent);
        }
        let logs = std::mem::take(&mut self.logs);
        if !logs.is_empty() {
            let request = encode_logs(&self.resource, [(&scope, logs.as_slice())]);
            deliver(exporter, Signal::Logs, &request, logs.len(), sent);
        }
        let metrics = self.registry.snapshot();
        if !metrics.is_empty() {
            deliver(
                exporter,
                Signal::Metrics,
                &self.registry.otlp(&self.resource, &scope),
                metrics.len(),
                sent,
            );
        }
    }
}

fn deliver(exporter: &HttpExporter, signal: Signal, request: &[u8], records: usize, sent: &mut Sent) {
    for attempt in 1..=ATTEMPTS_MAX {
        let Err(error) = exporter.export(signal, request.to_vec()) else {
            sent.records += records as u64;
            return;
        };
        match error.retryable() {
            Some(wait) if attempt < ATTEMPTS_MAX => std::thread::sleep(wait.min(PAUSE_MAX)),
            _ => {
                tracing::warn!(signal = signal.name(), records, error = %error, "give up a request of the demo");
                break;
            }
        }
    }
    sent.given_up += records as u64;
}
