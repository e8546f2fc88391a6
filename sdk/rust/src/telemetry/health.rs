use std::time::SystemTime;

use parking_lot::Mutex;

/// How every output of telemetry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Each with its name.
    pub outputs: Vec<Output>,
}

impl Health {
    /// Whether every output is.
    pub fn is_healthy(&self) -> bool {
        self.outputs.iter().all(|output| output.error.is_none())
    }
}

/// How one output is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// `lines` for what is written to standard error; `logs`, `traces` and `metrics` for what is
    /// exported.
    pub name: &'static str,
    /// What went wrong last, if nothing has gone right since.
    pub error: Option<String>,
    /// Since when it goes wrong, or right.
    pub since: SystemTime,
}

/// Keeps the state of one output.
#[derive(Debug)]
pub(super) struct Gauge(Mutex<Output>);

impl Gauge {
    pub(super) fn new(name: &'static str) -> Self {
        Self(Mutex::new(Output { name, error: None, since: SystemTime::now() }))
    }

    pub(super) fn read(&self) -> Output {
        self.0.lock().clone()
    }

    /// It worked.
    pub(super) fn pass(&self) {
        let mut output = self.0.lock();
        if output.error.take().is_some() {
            output.since = SystemTime::now();
        }
    }

    /// It did not.
    pub(super) fn fail(&self, error: String) {
        let mut output = self.0.lock();
        if output.error.replace(error).is_none() {
            output.since = SystemTime::now();
        }
    }
}
