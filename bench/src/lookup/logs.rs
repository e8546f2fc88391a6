//! Log records as a collector sends them: requests grouped by service, some services much louder
//! than others. Every record has a time of its own, which is its identity.

use anyhow::Result;
use prost::Message;
use testkit::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use testkit::otlp::proto::common::v1::InstrumentationScope;
use testkit::otlp::proto::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use testkit::records::{text, value};

use super::services::{self, SERVICES};
use super::spans;
use super::template::{Mark, Marks, Template, mix};
use super::timeline::Timeline;

/// Records in a request.
pub(crate) const RECORDS: u64 = 2_048;
/// Requests that differ in more than ids, times and numbers.
const VARIANTS: u64 = 8;
const MILLI: u64 = 1_000_000;

/// Makes the bodies of requests.
#[derive(Debug)]
pub(crate) struct LogRequests {
    timeline: Timeline,
    variants: Vec<(Template, Vec<Places>)>,
}

/// Where a record's own values are.
#[derive(Debug)]
struct Places {
    time: Mark,
    observed: Mark,
    order: Mark,
    request: Mark,
    trace: Option<([Mark; 2], Mark)>,
}

impl LogRequests {
    /// Requests of records at the timeline's times.
    ///
    /// # Errors
    /// When a mark cannot be found: a mistake in this module.
    pub(crate) fn new(timeline: Timeline) -> Result<Self> {
        Ok(Self { timeline, variants: (0..VARIANTS).map(variant).collect::<Result<_>>()? })
    }

    /// The body with this number: its first record has the number times [`RECORDS`].
    pub(crate) fn body(&mut self, request: u64) -> &[u8] {
        let (template, places) = &mut self.variants[(request % VARIANTS) as usize];
        for (number, places) in (request * RECORDS..).zip(places) {
            let time = self.timeline.at(number);
            template.number(places.time, time);
            template.number(places.observed, time + mix(number ^ 0x33) % (40 * MILLI));
            template.digits(places.order, mix(number) % 10_000_000_000);
            template.digits(places.request, mix(number ^ 0x77));
            if let Some((trace, span)) = places.trace {
                let id = spans::trace_id(number / spans::SPANS_PER_TRACE);
                for (mark, half) in trace.into_iter().zip(id) {
                    template.put(mark, half);
                }
                template.put(span, spans::span_id(number));
            }
        }
        template.bytes()
    }
}

/// The service of a record: the second has half as many as the first, the third a third, …
fn service_of(chance: u64) -> usize {
    let weights = (1..=SERVICES as u64).map(|rank| 1_000_000 / rank);
    let mut at = chance % weights.clone().sum::<u64>();
    for (service, weight) in weights.enumerate() {
        match at.checked_sub(weight) {
            Some(rest) => at = rest,
            None => return service,
        }
    }
    0
}

fn variant(variant: u64) -> Result<(Template, Vec<Places>)> {
    let mut marks = Marks::default();
    let mut places = Vec::new();
    let mut records: Vec<Vec<LogRecord>> = vec![Vec::new(); SERVICES];
    for index in 0..RECORDS {
        let chance = mix(variant << 32 | index);
        let (record, own) = record(&mut marks, chance);
        records[service_of(chance >> 8)].push(record);
        places.push(own);
    }
    let resource_logs = (0..).zip(records).map(|(service, log_records)| ResourceLogs {
        resource: Some(services::resource(service)),
        scope_logs: vec![ScopeLogs {
            scope: Some(InstrumentationScope { name: "shop.orders.Handler".into(), ..Default::default() }),
            log_records,
            ..Default::default()
        }],
        ..Default::default()
    });
    let request = ExportLogsServiceRequest { resource_logs: resource_logs.collect() };
    Ok((Template::new(request.encode_to_vec(), &marks)?, places))
}

fn record(marks: &mut Marks, chance: u64) -> (LogRecord, Places) {
    let (time, time_unix_nano) = marks.number();
    let (observed, observed_time_unix_nano) = marks.number();
    let (order, order_digits) = marks.text();
    let (request, request_digits) = marks.text();
    let traced = chance.is_multiple_of(2).then(|| [marks.bytes(), marks.bytes(), marks.bytes()]);
    let (severity_number, severity_text) =
        [(9, "INFO"), (9, "INFO"), (9, "INFO"), (5, "DEBUG"), (5, "DEBUG"), (13, "WARN"), (17, "ERROR")]
            [(chance >> 40) as usize % 7];
    let mut made = LogRecord {
        time_unix_nano,
        observed_time_unix_nano,
        severity_number,
        severity_text: severity_text.into(),
        body: Some(value(&sentence(chance >> 16, &order_digits))),
        attributes: vec![
            text("request.id", &request_digits),
            text("thread.name", &format!("worker-{}", (chance >> 48) % 64)),
            text(
                "code.function.name",
                ["accept", "reserve", "charge", "confirm"][(chance >> 52) as usize % 4],
            ),
        ],
        ..Default::default()
    };
    if let Some([(_, high), (_, low), (_, span)]) = &traced {
        made.trace_id = [*high, *low].concat();
        made.span_id = span.to_vec();
        made.flags = 1;
    }
    let trace = traced.map(|[(high, _), (low, _), (span, _)]| ([high, low], span));
    (made, Places { time, observed, order, request, trace })
}

fn sentence(chance: u64, order: &str) -> String {
    let took = (chance >> 8) % 2_000;
    let user = (chance >> 20) % 100_000;
    match chance % 6 {
        0 => format!("accepted order {order} of user {user} after {took} ms"),
        1 => format!("cache miss for key order:{order}, loading from the database took {took} ms"),
        2 => format!("payment for order {order} confirmed by provider in {took} ms, attempt 1 of 3"),
        3 => {
            format!("connection to 10.4.{}.{} reset by peer, order {order} is retried", user % 16, took % 250)
        }
        4 => format!("reserved {} items in warehouse {} for order {order}", took % 9 + 1, user % 40),
        _ => format!("GET /api/orders/{order} returned 200 in {took} ms ({user} bytes)"),
    }
}
