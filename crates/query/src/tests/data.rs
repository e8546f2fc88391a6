//! The records that tests ask about: a small shop over two days, the same every time.

/// Keys and values.
pub(super) type Attributes = Vec<(String, Option<String>)>;

/// 2026-03-01T22:00:00Z
pub(super) const BEGIN: i64 = 1_772_402_400_000_000_000;
pub(super) const SECOND: i64 = 1_000_000_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;

pub(super) const SERVICES: [&str; 4] = ["cart", "checkout", "mail", "payment"];

#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) time: i64,
    pub(super) observed: i64,
    pub(super) severity: i32,
    pub(super) body: Option<String>,
    pub(super) event_name: String,
    pub(super) trace: Option<[u8; 16]>,
    pub(super) span: Option<[u8; 8]>,
    pub(super) attributes: Attributes,
    pub(super) service: String,
}

#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) trace: [u8; 16],
    pub(super) id: [u8; 8],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: String,
    pub(super) kind: i32,
    pub(super) status: i32,
    pub(super) attributes: Attributes,
    /// Time and name.
    pub(super) events: Vec<(i64, String)>,
    pub(super) links: Vec<([u8; 16], [u8; 8])>,
    pub(super) service: String,
}

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) time: i64,
    pub(super) id: [u8; 16],
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) kind: String,
    pub(super) temporality: Option<String>,
    pub(super) monotonic: Option<bool>,
    pub(super) attributes: Attributes,
    pub(super) service: String,
}

#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) series: [u8; 16],
    pub(super) time: i64,
    pub(super) start: Option<i64>,
    pub(super) value: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Histogram {
    pub(super) name: String,
    pub(super) series: [u8; 16],
    pub(super) time: i64,
    pub(super) start: Option<i64>,
    pub(super) count: i64,
    pub(super) sum: Option<f64>,
}

pub(super) fn resource(service: &str) -> Attributes {
    let host = format!("host-{}", service.len() % 3);
    vec![("service.name".to_owned(), Some(service.to_owned())), ("host.name".to_owned(), Some(host))]
}

/// A number that looks random and is the same every time.
pub(super) fn mix(n: u64) -> u64 {
    let mut x = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn pick(n: u64, below: u64) -> i64 {
    i64::try_from(mix(n) % below).unwrap()
}

pub(super) fn trace_id(n: u64) -> [u8; 16] {
    u128::from(mix(n)).wrapping_mul(0xA5A5_1234_5678_9ABC_DEF0).to_be_bytes()
}

/// 400 records over four hours around midnight.
pub(super) fn logs() -> Vec<Log> {
    (0..400_u64)
        .map(|n| {
            let service = SERVICES[usize::try_from(mix(n) % 4).unwrap()];
            let traced = n % 3 == 0;
            let mut attributes =
                vec![("http.method".to_owned(), Some(["GET", "POST"][(n % 2) as usize].to_owned()))];
            if n % 5 == 0 {
                attributes.push(("user".to_owned(), Some(format!("user-{}", n % 7))));
            }
            if n % 11 == 0 {
                attributes.push(("empty".to_owned(), None));
            }
            Log {
                // Some at exactly the same nanosecond.
                time: BEGIN
                    + (n / 4).min(70) as i64 * 100 * SECOND
                    + if n % 4 == 3 { 0 } else { pick(n, 90) * SECOND },
                observed: if n % 4 == 0 { 0 } else { BEGIN + n as i64 * 36 * SECOND },
                severity: [0, 1, 5, 9, 9, 9, 10, 13, 17, 21][(n % 10) as usize],
                body: (n % 13 != 0).then(|| format!("order {n} of 100% _done_ by {service}")),
                event_name: if n % 50 == 0 { "order.placed".to_owned() } else { String::new() },
                trace: traced.then(|| trace_id(n % 30)),
                span: traced.then(|| mix(n).to_be_bytes()),
                attributes: if n % 17 == 0 { Vec::new() } else { attributes },
                service: service.to_owned(),
            }
        })
        .collect()
}

/// 60 traces of one to six spans, the first of which is the root (but for some that miss it).
pub(super) fn spans() -> Vec<Span> {
    let mut spans = Vec::new();
    for trace in 0..60_u64 {
        let begin = BEGIN + trace as i64 * 240 * SECOND + pick(trace, 1000) * 1_000_000;
        let count = 1 + mix(trace * 31) % 6;
        let ids: Vec<[u8; 8]> = (0..count).map(|n| mix(trace * 100 + n).to_be_bytes()).collect();
        for n in 0..count {
            let service = SERVICES[usize::try_from((trace + n) % 4).unwrap()];
            let start = begin + n as i64 * 3_000_000;
            spans.push(Span {
                start,
                end: start + 1_000_000 + pick(trace * 7 + n, 400) * 1_000_000,
                trace: trace_id(trace),
                id: ids[usize::try_from(n).unwrap()],
                parent: if n == 0 && trace % 9 != 8 { None } else { Some(ids[0]) },
                name: ["GET /cart", "pay", "send mail"][usize::try_from(mix(n + trace) % 3).unwrap()]
                    .to_owned(),
                kind: i32::try_from(1 + (n + trace) % 5).unwrap(),
                status: [0, 0, 0, 1, 2][usize::try_from(mix(trace * 3 + n) % 5).unwrap()],
                attributes: vec![("n".to_owned(), Some(n.to_string()))],
                events: (0..n % 3).map(|event| (start + event as i64, format!("event {event}"))).collect(),
                links: if n == 2 { vec![(trace_id(trace + 1), ids[0])] } else { Vec::new() },
                service: service.to_owned(),
            });
        }
    }
    spans
}

/// Everything of the metrics signal.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    pub(super) series: Vec<Series>,
    pub(super) samples: Vec<Sample>,
    pub(super) histograms: Vec<Histogram>,
}

/// Five metrics of each service with points every 15 s for four hours: a level, a total that
/// restarts, changes, a level that is a sum, and a histogram. Two series each.
pub(super) fn metrics() -> Metrics {
    let mut metrics = Metrics::default();
    let kinds = [
        ("queue.size", "{order}", "gauge", None, None),
        ("orders", "{order}", "sum", Some("cumulative"), Some(true)),
        ("mails", "{mail}", "sum", Some("delta"), Some(true)),
        ("connections", "{connection}", "sum", Some("cumulative"), Some(false)),
        ("duration", "s", "histogram", Some("cumulative"), None),
    ];
    for (number, (name, unit, kind, temporality, monotonic)) in kinds.into_iter().enumerate() {
        for (index, service) in SERVICES.into_iter().enumerate() {
            for color in ["blue", "green"] {
                let seed = (number * 100 + index * 10 + color.len()) as u64;
                let id = trace_id(10_000 + seed);
                let series = Series {
                    time: BEGIN,
                    id,
                    name: name.to_owned(),
                    unit: unit.to_owned(),
                    kind: kind.to_owned(),
                    temporality: temporality.map(str::to_owned),
                    monotonic,
                    attributes: vec![("color".to_owned(), Some(color.to_owned()))],
                    service: service.to_owned(),
                };
                // Once more on the next day, and after a restart.
                for time in [BEGIN, BEGIN + 2 * HOUR, BEGIN + 3 * HOUR] {
                    metrics.series.push(Series { time, ..series.clone() });
                }
                points(&mut metrics, &series, seed);
            }
        }
    }
    metrics
}

fn points(metrics: &mut Metrics, series: &Series, seed: u64) {
    let (mut total, mut sum, mut start) = (0, 0.0, BEGIN - HOUR);
    for n in 0..960_u64 {
        let time = BEGIN + n as i64 * 15 * SECOND + pick(seed, 1000) * 1_000_000;
        let change = pick(seed * 1000 + n, 20);
        if n == 500 {
            (total, sum, start) = (0, 0.0, time - SECOND);
        }
        total += change;
        sum += change as f64 * 0.25;
        let (name, series_id) = (series.name.clone(), series.id);
        if series.kind == "histogram" {
            let start = Some(start);
            metrics.histograms.push(Histogram {
                name,
                series: series_id,
                time,
                start,
                count: total,
                sum: Some(sum),
            });
            continue;
        }
        let value = match (series.monotonic, series.temporality.as_deref()) {
            (Some(true), Some("cumulative")) => total as f64,
            _ => change as f64,
        };
        let start = series.monotonic.map(|_| start);
        metrics.samples.push(Sample { name, series: series_id, time, start, value });
    }
}
