//! What the process and its machine say about themselves, by the semantic conventions: asked for
//! when metrics are read, and never in between.
//!
//! ```
//! use fresnel_sdk::telemetry::{metrics::Registry, process};
//!
//! let registry = Registry::new();
//! process::observe(&registry);
//! # #[cfg(target_os = "linux")]
//! assert!(registry.prometheus().contains("process_memory_usage_bytes "));
//! ```
//!
//! Where a system does not tell (all but Linux), a metric is not there.

mod read;
#[cfg(feature = "runtime")]
mod runtime;
#[cfg(test)]
mod tests;

use std::time::Instant;

use parking_lot::Mutex;

use self::read::Reading;
use super::metrics::Registry;

#[cfg(feature = "runtime")]
pub use self::runtime::observe_runtime;

/// Registers `process.cpu.time`, `process.cpu.utilization`, `process.memory.usage`,
/// `process.memory.virtual`, `process.thread.count`, `process.unix.file_descriptor.count`,
/// `process.uptime`, `system.memory.usage`, `system.memory.limit` and `system.linux.cpu.load_1m`.
pub fn observe(registry: &Registry) {
    processor(registry);
    memory(registry);
    counts(registry);
    machine(registry);
}

fn processor(registry: &Registry) {
    registry.observe_counter("process.cpu.time", "s", "Processor time of the process.", |to| {
        if let Some([user, system]) = Reading::default().cpu_seconds() {
            to.observe(user, &[("cpu.mode", "user")]);
            to.observe(system, &[("cpu.mode", "system")]);
        }
    });
    let last = Mutex::new(None::<(Instant, f64)>);
    let text = "Share of all processors that the process used since it was read last.";
    registry.observe_gauge("process.cpu.utilization", "1", text, move |to| {
        let Some(used) = Reading::default().cpu_seconds().map(|[user, system]| user + system) else { return };
        let now = Instant::now();
        let before = last.lock().replace((now, used));
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let Some((at, before)) = before else { return };
        let elapsed = (now - at).as_secs_f64() * processors as f64;
        if elapsed > 0.0 {
            to.observe((used - before).max(0.0) / elapsed, &[]);
        }
    });
}

fn memory(registry: &Registry) {
    let of_status = |name, text, field: &'static str| {
        registry.observe_up_down_counter(name, "By", text, move |to| {
            if let Some(kibibytes) = Reading::default().status(field) {
                to.observe(kibibytes * 1024, &[]);
            }
        });
    };
    of_status("process.memory.usage", "Resident memory of the process.", "VmRSS");
    of_status("process.memory.virtual", "Virtual memory of the process.", "VmSize");
}

fn counts(registry: &Registry) {
    registry.observe_up_down_counter("process.thread.count", "{thread}", "Threads of the process.", |to| {
        if let Some(threads) = Reading::default().status("Threads") {
            to.observe(threads, &[]);
        }
    });
    let (name, text) = ("process.unix.file_descriptor.count", "File descriptors that the process has open.");
    registry.observe_up_down_counter(name, "{file_descriptor}", text, |to| {
        if let Some(open) = Reading::default().file_descriptors() {
            to.observe(open, &[]);
        }
    });
    let begin = Instant::now();
    registry.observe_gauge("process.uptime", "s", "Time since the process began.", move |to| {
        let uptime = Reading::default().uptime();
        to.observe(uptime.unwrap_or_else(|| begin.elapsed().as_secs_f64()), &[]);
    });
}

fn machine(registry: &Registry) {
    let text = "Memory of the machine, by what it is used for.";
    registry.observe_up_down_counter("system.memory.usage", "By", text, |to| {
        let read = Reading::default();
        if let (Some(total), Some(free)) = (read.memory("MemTotal"), read.memory("MemAvailable")) {
            to.observe(free * 1024, &[("system.memory.state", "free")]);
            to.observe(total.saturating_sub(free) * 1024, &[("system.memory.state", "used")]);
        }
    });
    registry.observe_up_down_counter("system.memory.limit", "By", "Memory of the machine.", |to| {
        if let Some(total) = Reading::default().memory("MemTotal") {
            to.observe(total * 1024, &[]);
        }
    });
    let (name, text) = ("system.linux.cpu.load_1m", "Load of the machine over a minute.");
    registry.observe_gauge(name, "{thread}", text, |to| {
        if let Some(load) = Reading::default().load() {
            to.observe(load, &[]);
        }
    });
}
