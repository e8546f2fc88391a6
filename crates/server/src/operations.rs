//! Introduces the parts of the server to `api`: status, ledger, health, metrics.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use api::{Operations, dto};
use dto::HealthStatus::{Fail, Pass, Warn};
use fresnel_sdk::telemetry::Telemetry;
use fresnel_sdk::telemetry::metrics::Registry;
use model::Budget;
use store::Store;

use crate::publication::Published;
use crate::supervise::Supervisor;

/// Share of the memory budget from which somebody should look.
const MEMORY_WARN: f64 = 0.9;

/// What there is to tell.
pub struct Desk {
    pub store: Arc<Store>,
    pub budget: Budget,
    /// `memory.limit`; the budget is smaller by what the process itself needs.
    pub memory_limit: u64,
    pub registry: Registry,
    pub published: Published,
    pub supervisor: Supervisor,
    pub telemetry: Arc<Telemetry>,
    pub data_dir: PathBuf,
    pub addresses: dto::Addresses,
    pub started: (Instant, SystemTime),
    pub ready: Arc<AtomicBool>,
    pub pending_restart: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl Operations for Desk {
    fn status(&self) -> Pin<Box<dyn Future<Output = dto::Status> + Send + '_>> {
        Box::pin(async move {
            dto::Status {
                version: env!("CARGO_PKG_VERSION").into(),
                started_unix_ms: unix_ms(self.started.1),
                uptime_s: self.started.0.elapsed().as_secs_f64(),
                ready: self.ready(),
                addresses: self.addresses.clone(),
                data_dir: self.data_dir.display().to_string(),
                memory: self.memory(),
                store: self.store_status(),
                config: dto::ConfigStatus { pending_restart: (self.pending_restart)() },
            }
        })
    }

    fn ledger(&self) -> dto::Ledger {
        let totals = self.store.ledger();
        let balanced = totals.values().all(store::Counts::balances);
        let entries = totals.iter().map(|((tenant, signal), counts)| dto::LedgerEntry {
            tenant: tenant.to_string(),
            signal: signal.to_string(),
            received: counts.received,
            stored: counts.stored,
            rejected: counts.rejected.clone(),
            dropped: counts.dropped.clone(),
            deduplicated: counts.deduplicated,
            expired: counts.expired,
        });
        dto::Ledger { balanced, entries: entries.collect() }
    }

    fn health(&self) -> dto::Health {
        let components = vec![
            self.store_health(),
            self.memory_health(),
            self.publish_health(),
            self.work_health(),
            self.telemetry_health(),
            self.start_health(),
        ];
        let status = components.iter().map(|component| component.status).max().unwrap_or(Pass);
        dto::Health { status, components }
    }

    fn ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn metrics(&self) -> String {
        self.registry.prometheus()
    }
}

impl Desk {
    fn memory(&self) -> dto::Memory {
        dto::Memory {
            limit_bytes: self.memory_limit,
            used_bytes: self.budget.used(),
            peak_bytes: self.budget.peak(),
            resident_bytes: resident_bytes().unwrap_or(0),
            refused: self.budget.refused(),
        }
    }

    fn store_status(&self) -> dto::StoreStatus {
        let status = self.store.status();
        let set_aside = status.set_aside.into_iter();
        let set_aside = set_aside.map(|file| dto::SetAside { path: file.path, reason: file.reason });
        let tables = status.tables.iter().map(|table| dto::TableStatus {
            table: table.table.to_string(),
            segments: table.segments,
            rows: table.rows,
            bytes: table.bytes,
        });
        dto::StoreStatus {
            wal_bytes: status.wal.bytes,
            wal_files: status.wal.files as u64,
            wal_last_lsn: status.wal.last_lsn,
            memtable_bytes: status.memtable_bytes,
            memtable_rows: status.memtable_rows,
            segments: status.segments,
            segment_bytes: status.segment_bytes,
            set_aside: set_aside.collect(),
            last_seal_unix_ms: status.last_seal_unix_ms,
            tables: tables.collect(),
        }
    }

    fn store_health(&self) -> dto::Component {
        let status = self.store.status();
        if let Some(reason) = status.fatal {
            return self.component("store", Fail, reason, None);
        }
        if let Some(problem) = status.problems.first() {
            let detail =
                format!("{} fails since {} attempts: {}", problem.work, problem.attempts, problem.error);
            return self.component("store", Warn, detail, Some(problem.since_unix_ms));
        }
        match status.set_aside.len() {
            0 => self.component("store", Pass, "writes and seals".into(), None),
            count => {
                let detail = format!("{count} unreadable files were set aside; `fresnel status` names them");
                self.component("store", Warn, detail, None)
            }
        }
    }

    fn memory_health(&self) -> dto::Component {
        let (used, limit) = (self.budget.used(), self.budget.limit());
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let share = used as f64 / limit as f64;
        let detail =
            format!("{:.0} % of the budget in use, {} refusals", share * 100.0, self.budget.refused());
        self.component("memory", if share > MEMORY_WARN { Warn } else { Pass }, detail, None)
    }

    fn publish_health(&self) -> dto::Component {
        let failed = self.published.read().into_iter().find_map(|table| Some((table.table, table.error?)));
        match failed {
            Some((table, error)) => self.component(
                "publish",
                Warn,
                format!("the Delta table {table} is not current: {error}"),
                None,
            ),
            None => self.component("publish", Pass, "Delta tables follow the segments".into(), None),
        }
    }

    fn work_health(&self) -> dto::Component {
        for unit in self.supervisor.units() {
            if let (Some(reason), since) = unit.state() {
                let failures = unit.failures.load(Ordering::Relaxed);
                let detail = format!("{} was restarted {failures} times: {reason}", unit.name);
                return self.component("background", Warn, detail, Some(since));
            }
        }
        self.component("background", Pass, "all work runs".into(), None)
    }

    fn telemetry_health(&self) -> dto::Component {
        let failed =
            self.telemetry.health().outputs.into_iter().find_map(|it| Some((it.name, it.error?, it.since)));
        match failed {
            Some(("lines", error, since)) => {
                let detail = format!("log lines cannot be written: {error}");
                self.component("telemetry", Warn, detail, Some(unix_ms(since)))
            }
            Some((signal, error, since)) => {
                let detail = format!("own {signal} are not stored: {error}");
                self.component("telemetry", Warn, detail, Some(unix_ms(since)))
            }
            None => self.component("telemetry", Pass, "the server is heard".into(), None),
        }
    }

    fn start_health(&self) -> dto::Component {
        if self.ready() {
            self.component("requests", Pass, "served".into(), None)
        } else {
            self.component("requests", Warn, "not served while starting or stopping".into(), None)
        }
    }

    fn component(
        &self,
        name: &str,
        status: dto::HealthStatus,
        detail: String,
        since_unix_ms: Option<i64>,
    ) -> dto::Component {
        let since_unix_ms = since_unix_ms.unwrap_or_else(|| unix_ms(self.started.1));
        dto::Component { name: name.into(), status, detail, since_unix_ms }
    }
}

pub fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The process's resident set, where the system tells it.
pub fn resident_bytes() -> Option<u64> {
    let sizes = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = sizes.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
