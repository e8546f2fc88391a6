//! Introduces the parts of the server to `api`: status, ledger, health, metrics.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use api::{CompactWanted, Operations, Sight, dto};
use dto::HealthStatus::{Fail, Pass, Warn};
use fresnel_sdk::config::Change;
use fresnel_sdk::telemetry::Telemetry;
use fresnel_sdk::telemetry::metrics::Registry;
use fresnel_sdk::telemetry::otlp::Value;
use futures::stream::BoxStream;
use model::Budget;
use parking_lot::Mutex;
use store::Store;

use crate::publication::Published;
use crate::supervise::Supervisor;

/// Whoever asks for the health more often gets the same again: asking costs the server nothing.
const HEALTH_FOR: Duration = Duration::from_secs(1);
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
    pub pending_restart: Box<dyn Fn() -> Vec<Change> + Send + Sync>,
    pub checked: Checked,
}

/// The health as it was last looked at.
#[derive(Default)]
pub struct Checked(Mutex<Option<(Instant, dto::Health)>>);

impl Checked {
    /// What `check` gave, if that is not long ago; else what it gives now.
    fn at(&self, now: Instant, check: impl FnOnce() -> dto::Health) -> dto::Health {
        let mut last = self.0.lock();
        match &*last {
            Some((at, health)) if now.saturating_duration_since(*at) < HEALTH_FOR => health.clone(),
            _ => last.insert((now, check())).1.clone(),
        }
    }
}

/// Errors name files, and their folders the tenants.
fn veil(component: &mut dto::Component) {
    if component.status != Pass && matches!(component.name.as_str(), "store" | "publish") {
        component.detail = "does not work as it should; who shows a key with `admin` sees why".into();
    }
}

impl Operations for Desk {
    fn status<'a>(&'a self, sight: &'a Sight) -> Pin<Box<dyn Future<Output = dto::Status> + Send + 'a>> {
        Box::pin(async move {
            dto::Status {
                version: env!("CARGO_PKG_VERSION").into(),
                started_unix_ms: unix_ms(self.started.1),
                uptime_s: self.started.0.elapsed().as_secs_f64(),
                ready: self.ready(),
                addresses: self.addresses.clone(),
                data_dir: self.data_dir.display().to_string(),
                memory: self.memory(),
                store: self.store_status(sight),
                config: self.config_status(sight),
            }
        })
    }

    fn ledger(&self, sight: &Sight) -> dto::Ledger {
        let mut totals = self.store.ledger();
        totals.retain(|(tenant, _), _| sight.sees(tenant.as_str()));
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

    fn health(&self, sight: &Sight) -> dto::Health {
        let mut health = self.checked.at(Instant::now(), || self.check());
        if *sight != Sight::Everybody {
            health.components.iter_mut().for_each(veil);
        }
        health
    }

    fn ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn metrics(&self, sight: &Sight) -> String {
        self.registry.prometheus_for(|attributes| {
            attributes.iter().all(|attribute| match &attribute.value {
                Value::Text(tenant) if attribute.key == "tenant" => sight.sees(tenant),
                _ => true,
            })
        })
    }

    fn compact(&self, wanted: CompactWanted) -> Option<BoxStream<'static, dto::CompactLine>> {
        let CompactWanted { tables, tenants, days } = wanted;
        let compaction = self.store.compact(store::CompactRequest { tables, tenants, days })?;
        Some(compact::lines(compaction, self.supervisor.stop()))
    }
}

impl Desk {
    /// Looks at every part.
    fn check(&self) -> dto::Health {
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

    fn config_status(&self, sight: &Sight) -> dto::ConfigStatus {
        // Keys are named after those who have them.
        let pending = if *sight == Sight::Everybody { (self.pending_restart)() } else { Vec::new() };
        let pending: Vec<_> = pending
            .iter()
            .map(|change| dto::PendingChange {
                path: change.path.clone(),
                old: change.old_text(),
                new: change.new_text(),
            })
            .collect();
        let pending_restart = pending.iter().map(|change| change.path.clone()).collect();
        dto::ConfigStatus { pending_restart, pending }
    }

    fn memory(&self) -> dto::Memory {
        dto::Memory {
            limit_bytes: self.memory_limit,
            used_bytes: self.budget.used(),
            peak_bytes: self.budget.peak(),
            resident_bytes: resident_bytes().unwrap_or(0),
            refused: self.budget.refused(),
        }
    }

    fn store_status(&self, sight: &Sight) -> dto::StoreStatus {
        let status = self.store.status();
        // The folder of a tenant is named after it.
        let seen = |path: &str| {
            let tenant = path.split('/').find_map(|folder| folder.strip_prefix("tenant="));
            tenant.map_or(*sight == Sight::Everybody, |tenant| sight.sees(tenant))
        };
        let set_aside = status.set_aside.into_iter().filter(|file| seen(&file.path));
        let set_aside = set_aside.map(|file| dto::SetAside { path: file.path, reason: file.reason });
        let tables = status.tables.iter().map(|table| dto::TableStatus {
            table: table.table.to_string(),
            segments: table.segments,
            rows: table.rows,
            bytes: table.bytes,
        });
        let tiers = status.tiers.iter().map(|tier| dto::TierStatus {
            resolution_ms: tier.resolution_ms,
            segments: tier.segments,
            rows: tier.rows,
            bytes: tier.bytes,
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
            tiers: tiers.collect(),
        }
    }

    fn store_health(&self) -> dto::Component {
        let status = self.store.status();
        if let Some(reason) = status.fatal {
            return self.component("store", Fail, reason, None);
        }
        if let Some(problem) = status.problems.first() {
            let detail =
                format!("{} failed {} times in a row: {}", problem.work, problem.attempts, problem.error);
            let status = if problem.work == store::APPEND { Fail } else { Warn };
            return self.component("store", status, detail, Some(problem.since_unix_ms));
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
            if let Some(trouble) = unit.trouble(Instant::now()) {
                let failures = unit.failures.load(Ordering::Relaxed);
                let detail = format!("{} was restarted {failures} times: {}", unit.name, trouble.reason);
                return self.component("background", Warn, detail, Some(trouble.since_unix_ms));
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

mod compact;
#[cfg(test)]
mod tests;
