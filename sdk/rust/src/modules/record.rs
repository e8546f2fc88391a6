use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use crate::telemetry::metrics::SuccessNames;

/// What is known of a module at run time. There is no hash: a module is linked into the program, so
/// that nothing is loaded which could be another than the one that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As its manifest has it.
    pub version: String,
    /// The path of its type, `shop::catalog::Catalog`: where its code is.
    pub type_name: &'static str,
    /// What a value of its type takes, without what that points to, in bytes.
    pub size_bytes: usize,
    /// Whether it runs.
    pub running: bool,
    /// The types of the services that it provides, sorted; none if it does not run.
    pub exports: Vec<&'static str>,
    /// How long its last start took that went well.
    pub load_time: Option<Duration>,
    /// When it was started or a service of it was taken last.
    pub last_accessed: Option<SystemTime>,
    /// Starts that failed, stops that were not clean, and answers that it was unhealthy.
    pub error_count: u64,
}

/// What is kept of a module from start to start.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Facts>);

#[derive(Debug, Default)]
struct Facts {
    load_time: Option<Duration>,
    last_accessed: Option<SystemTime>,
    error_count: u64,
}

impl Known {
    pub(super) fn loaded(&self, elapsed: Duration) {
        let mut facts = self.0.lock();
        facts.load_time = Some(elapsed);
        facts.last_accessed = Some(SystemTime::now());
    }

    pub(super) fn accessed(&self) {
        self.0.lock().last_accessed = Some(SystemTime::now());
    }

    pub(super) fn failed(&self) {
        self.0.lock().error_count += 1;
    }

    pub(super) fn load_time(&self) -> Option<Duration> {
        self.0.lock().load_time
    }

    pub(super) fn last_accessed(&self) -> Option<SystemTime> {
        self.0.lock().last_accessed
    }

    pub(super) fn error_count(&self) -> u64 {
        self.0.lock().error_count
    }
}

/// How starts end.
pub(super) const STARTS: SuccessNames = SuccessNames {
    counter: "modules.starts",
    unit: "{start}",
    description: "Starts of modules, by how they ended.",
    ratio: "modules.starts.success.ratio",
    outcome: ("modules.outcome", "started", "failed"),
};
