//! What the server says about itself: log lines for people, and logs, spans and metrics that take
//! the same road as everybody's.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use fresnel_sdk::config::{Subscription, Watch};
use fresnel_sdk::telemetry::metrics::Registry;
use fresnel_sdk::telemetry::otlp::Resource;
use fresnel_sdk::telemetry::{
    self, ExportError, Exporter, Format, InitOptions, Pipeline, PipelineOptions, Telemetry,
};
use model::{Budget, Signal, Tenant};
use receive::{Body, Intake};
use store::Store;
use tokio::runtime::Handle;

use crate::config::{Config, LogFormat};
use crate::failure::{Failure, Result};
use crate::operations::resident_bytes;

/// The name under which the server is found among the services.
pub const SERVICE: &str = "fresnel";
/// Logs and spans of the server are on the page after at most this time.
const INTERVAL: Duration = Duration::from_secs(1);
const METRICS_INTERVAL: Duration = Duration::from_secs(5);
/// How long the last of it may take when the server stops.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// The server's own telemetry.
pub struct Observer {
    telemetry: Arc<Telemetry>,
    pipeline: Pipeline,
    subscription: Option<Subscription>,
}

impl Observer {
    /// Sets up the log lines, and collects from now on; what is collected waits until
    /// [`Observer::connect`].
    pub fn install(config: &Config, registry: Registry) -> Result<Self> {
        let (config, folder) = (&config.telemetry, &config.store.dir);
        let failed = |error: &dyn std::fmt::Display| Failure::new("cannot set up logging").cause(error);
        let (resource, complaint) = Resource::from_env(SERVICE, env!("CARGO_PKG_VERSION"));
        // Whatever the environment says: it may be there for those who run beside it, and the page and
        // its readers look for this name.
        let mut resource = resource.with("service.name", SERVICE);
        if let Some(id) = instance_id(folder) {
            resource = resource.with("service.instance.id", id);
        }
        let options = PipelineOptions {
            interval: INTERVAL,
            metrics_interval: METRICS_INTERVAL,
            ..PipelineOptions::default()
        };
        let pipeline = Pipeline::start(resource, registry, options).map_err(|error| failed(&error))?;
        let format = match config.format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        };
        let layer = config.enabled.then(|| pipeline.layer());
        let options = InitOptions { filter: filter(&config.level), format, layer, ..InitOptions::default() };
        let telemetry = telemetry::init(options).map_err(|error| failed(&error))?;
        if let Some(complaint) = complaint {
            tracing::warn!(error = %complaint, "environment");
        }
        Ok(Self { telemetry: Arc::new(telemetry), pipeline, subscription: None })
    }

    /// Applies changes of the level. The watch itself tells of every change and of every failure.
    pub fn follow(&mut self, watch: &Watch<Config>) {
        let telemetry = Arc::clone(&self.telemetry);
        let changed = watch.subscribe("telemetry.level", move |event| {
            if let Err(error) = telemetry.set_filter(&filter(&event.config.telemetry.level)) {
                tracing::error!(error = %error, "keep the old level");
            }
        });
        self.subscription = Some(changed);
    }

    /// The log lines and the own records, for the health.
    pub fn telemetry(&self) -> Arc<Telemetry> {
        Arc::clone(&self.telemetry)
    }

    /// Sends what was collected, and what will be, through the intake.
    pub fn connect(&self, intake: Intake) {
        self.pipeline.connect(InProcess { intake, runtime: Handle::current() });
    }

    /// Sends what is left, while the intake is still open, and ends the collecting. What is said
    /// afterwards is only on standard error.
    pub fn shutdown(&self) {
        tokio::task::block_in_place(|| {
            if !self.pipeline.shutdown(FLUSH_WITHIN) {
                tracing::debug!("own telemetry was not stored in time");
            }
        });
    }
}

/// Registers what the collecting tells of itself, for the reference.
pub fn register_collecting(registry: &Registry) -> Result<()> {
    let pipeline = Pipeline::start(Resource::default(), registry.clone(), PipelineOptions::default());
    let failed = |error| Failure::new("could not start the threads").cause(error);
    pipeline.map(drop).map_err(failed)
}

/// Libraries that tell at INFO what only they understand say what is wrong, unless asked for more.
fn filter(level: &str) -> String {
    format!("buoyant_kernel=error,deltalake_core=error,{level}")
}

/// The same after every restart on the same data, so that the server's series go on. None where it
/// cannot be kept: then every start is an instance of its own.
fn instance_id(folder: &Path) -> Option<String> {
    let path = folder.join("run/instance-id");
    if let Ok(id) = std::fs::read_to_string(&path)
        && id.len() == 32
        && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Some(id);
    }
    let id = format!("{:032x}", rand::random::<u128>());
    std::fs::create_dir_all(path.parent()?).ok()?;
    std::fs::write(&path, &id).ok()?;
    Some(id)
}

/// The way of the server's own telemetry: no socket, but the same intake. It runs on the
/// pipeline's thread, on which nothing is recorded: telemetry about telemetry would never end.
struct InProcess {
    intake: Intake,
    runtime: Handle,
}

impl Exporter for InProcess {
    fn export(&self, signal: telemetry::Signal, request: Vec<u8>) -> std::result::Result<(), ExportError> {
        let signal = match signal {
            telemetry::Signal::Logs => Signal::Logs,
            telemetry::Signal::Traces => Signal::Spans,
            telemetry::Signal::Metrics => Signal::Metrics,
        };
        // However long the disk takes: what has begun to be stored will be, and to give up waiting
        // would be to store it again. Meanwhile the rest waits in the pipeline's buffers.
        let result = self.runtime.block_on(async {
            let reservation = self.intake.admit(request.len() as u64)?;
            let body = Body {
                message: receive::Message::Otlp,
                encoding: receive::Encoding::Identity,
                bytes: Bytes::from(request),
                reservation,
            };
            self.intake.take(Tenant::default(), signal, body).await
        });
        match result {
            Ok(_) => Ok(()),
            Err(refusal) => match refusal.retry_after() {
                Some(after) => Err(ExportError::retry_after(refusal.to_string(), after)),
                None => Err(ExportError::permanent(refusal.to_string())),
            },
        }
    }
}

/// The clock of the system.
#[derive(Debug)]
pub struct SystemClock;

impl store::Clock for SystemClock {
    fn now_unix_nano(&self) -> i64 {
        now_unix_nano()
    }
}

/// Nanoseconds since 1970.
pub fn now_unix_nano() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Registers the instruments that are read from the parts when somebody looks.
pub fn register(
    registry: &Registry,
    store: &Arc<Store>,
    engine: &query::Engine,
    budget: &Budget,
    memory_limit: u64,
) {
    memory(registry, budget, memory_limit);
    log(registry, store);
    series(registry, store);
    tables(registry, store);
    tiers(registry, store);
    ledger(registry, store);
    queries(registry, engine);
}

fn queries(registry: &Registry, engine: &query::Engine) {
    let counter = |name, unit, description, value: fn(query::Stats) -> f64| {
        let of = engine.clone();
        registry.observe_counter(name, unit, description, move |to| to.observe(value(of.stats()), &[]));
    };
    let gauge = |name, unit, description, value: fn(query::Stats) -> f64| {
        let of = engine.clone();
        registry.observe_gauge(name, unit, description, move |to| to.observe(value(of.stats()), &[]));
    };
    counter("fresnel.query.ended", "{query}", "Queries that ended, whatever came of them.", |stats| {
        stats.queries as f64
    });
    counter("fresnel.query.failed", "{query}", "Queries that ended with an error.", |stats| {
        stats.failed as f64
    });
    counter(
        "fresnel.query.refused",
        "{query}",
        "Queries that were refused because too many ran and waited.",
        |stats| stats.refused as f64,
    );
    counter("fresnel.query.time", "s", "Time that the queries took, added up.", |stats| {
        stats.elapsed.as_secs_f64()
    });
    counter("fresnel.query.scanned.rows", "{row}", "Rows that queries looked at.", |stats| {
        stats.scanned_rows as f64
    });
    counter("fresnel.query.scanned.size", "By", "Bytes of segments that queries read.", |stats| {
        stats.scanned_bytes as f64
    });
    gauge("fresnel.query.running", "{query}", "Queries that run or wait.", |stats| stats.running as f64);
    gauge(
        "fresnel.query.metadata_cache.usage",
        "By",
        "Bytes of footers of segments that are kept.",
        |stats| stats.footer_bytes as f64,
    );
    gauge(
        "fresnel.query.prometheus.series_cache.usage",
        "By",
        "Bytes of what is kept of files for PromQL: labels of series, and where in files these are.",
        |stats| stats.series_bytes as f64,
    );
}

fn memory(registry: &Registry, budget: &Budget, limit: u64) {
    let account = budget.clone();
    registry.observe_gauge("fresnel.memory.usage", "By", "Accounted memory.", move |to| {
        to.observe(account.used(), &[])
    });
    registry.observe_gauge("fresnel.memory.limit", "By", "memory.limit", move |to| to.observe(limit, &[]));
    let account = budget.clone();
    registry.observe_counter(
        "fresnel.memory.refused",
        "{reservation}",
        "Reservations that were refused because the budget was used up.",
        move |to| to.observe(account.refused(), &[]),
    );
    registry.observe_gauge("process.memory.usage", "By", "Resident memory of the process.", |to| {
        if let Some(bytes) = resident_bytes() {
            to.observe(bytes, &[]);
        }
    });
    registry.observe_counter("process.cpu.time", "s", "Processor time of the process.", |to| {
        if let Some((user, system)) = processor_seconds() {
            to.observe(user, &[("cpu.mode", "user")]);
            to.observe(system, &[("cpu.mode", "system")]);
        }
    });
}

fn log(registry: &Registry, store: &Arc<Store>) {
    let of = Arc::clone(store);
    registry.observe_gauge("fresnel.store.wal.size", "By", "Bytes of the write-ahead log.", move |to| {
        to.observe(of.status().wal.bytes, &[]);
    });
    let of = Arc::clone(store);
    registry.observe_gauge(
        "fresnel.store.memtable.size",
        "By",
        "Bytes of records that are not sealed.",
        move |to| {
            to.observe(of.status().memtable_bytes, &[]);
        },
    );
}

fn series(registry: &Registry, store: &Arc<Store>) {
    let of = Arc::clone(store);
    registry.observe_gauge("fresnel.store.series.usage", "{series}", "Active series by tenant.", move |to| {
        for (tenant, series) in of.status().series {
            to.observe(series, &[("tenant", tenant.as_str())]);
        }
    });
    let of = Arc::clone(store);
    let description = "Memory of the index of active series by tenant.";
    registry.observe_gauge("fresnel.store.series.size", "By", description, move |to| {
        for (tenant, bytes) in of.status().series_bytes {
            to.observe(bytes, &[("tenant", tenant.as_str())]);
        }
    });
    let of = Arc::clone(store);
    registry.observe_gauge("fresnel.store.series.limit", "{series}", "store.series_max", move |to| {
        to.observe(of.status().series_max, &[]);
    });
}

fn tables(registry: &Registry, store: &Arc<Store>) {
    let of = Arc::clone(store);
    registry.observe_gauge("fresnel.store.segments", "{segment}", "Segments by table.", move |to| {
        for table in of.status().tables {
            to.observe(table.segments, &[("table", table.table.as_str())]);
        }
    });
    let of = Arc::clone(store);
    registry.observe_gauge("fresnel.store.segment.size", "By", "Bytes of segments by table.", move |to| {
        for table in of.status().tables {
            to.observe(table.bytes, &[("table", table.table.as_str())]);
        }
    });
    let of = Arc::clone(store);
    registry.observe_counter("fresnel.store.seals", "{seal}", "Seals since the start.", move |to| {
        to.observe(of.status().work.seals, &[]);
    });
    let of = Arc::clone(store);
    registry.observe_counter(
        "fresnel.store.compactions",
        "{compaction}",
        "Compactions since the start.",
        move |to| {
            to.observe(of.status().work.compactions, &[]);
        },
    );
}

fn tiers(registry: &Registry, store: &Arc<Store>) {
    type Figure = fn(&store::TierStatus) -> u64;
    let figures: [(&'static str, &'static str, &'static str, Figure); 3] = [
        (
            "fresnel.store.tier.segments",
            "{segment}",
            "Segments of downsampled samples by resolution.",
            |tier| tier.segments,
        ),
        ("fresnel.store.tier.rows", "{row}", "Windows of downsampled samples by resolution.", |tier| {
            tier.rows
        }),
        ("fresnel.store.tier.size", "By", "Bytes of downsampled samples by resolution.", |tier| tier.bytes),
    ];
    for (name, unit, description, figure) in figures {
        let of = Arc::clone(store);
        registry.observe_gauge(name, unit, description, move |to| {
            for tier in of.status().tiers {
                let resolution = fresnel_sdk::config::Duration::from_millis(tier.resolution_ms).to_string();
                to.observe(figure(&tier), &[("resolution", resolution.as_str())]);
            }
        });
    }
}

fn ledger(registry: &Registry, store: &Arc<Store>) {
    let of = Arc::clone(store);
    registry.observe_gauge(
        "fresnel.ledger.records",
        "{record}",
        "What became of every record: received = stored + rejected + dropped + deduplicated + expired.",
        move |to| {
            for ((tenant, signal), counts) in of.ledger() {
                let mut tell = |outcome: &str, count: u64| {
                    to.observe(
                        count,
                        &[("tenant", tenant.as_str()), ("signal", signal.as_str()), ("outcome", outcome)],
                    );
                };
                tell("received", counts.received);
                tell("stored", counts.stored);
                tell("rejected", counts.rejected.values().sum());
                tell("dropped", counts.dropped.values().sum());
                tell("deduplicated", counts.deduplicated);
                tell("expired", counts.expired);
            }
        },
    );
}

/// User and system time of the process, where the system tells it.
fn processor_seconds() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; the fields after it are counted from there.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    // Linux tells programs 100 ticks a second on every architecture.
    Some((ticks(11)? / 100.0, ticks(12)? / 100.0))
}
