//! Measurements of the machine, under the names of OpenTelemetry's conventions (`system.*`). They
//! go in like everybody's, as an OTLP request.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fresnel_sdk::telemetry::otlp::{
    Data, KeyValue, Metric, Number, NumberPoint, Resource, Scope, Temporality, encode_metrics,
};
use model::{Signal, Tenant};
use sysinfo::{CpuRefreshKind, Disks, MemoryRefreshKind, Networks, RefreshKind, System};
use wire::compression::Encoding;

use crate::intake::{Body, Intake, Message};

const SCOPE: &str = "fresnel.receive.host";
/// File systems that are not storage of the host.
const NOT_STORAGE: &[&str] = &["tmpfs", "devtmpfs", "overlay", "squashfs", "proc", "sysfs", "cgroup2"];

/// Measures at every interval until told to stop. A measurement that is refused is left out and
/// logged: the next one is as good.
pub async fn run(intake: Intake, interval: Duration, now: fn() -> i64, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut host = Host::new(now());
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = &mut stop => return,
            _ = ticks.tick() => {}
        }
        let request = tokio::task::block_in_place(|| host.measure(now()));
        if let Err(refusal) = send(&intake, request).await {
            tracing::warn!(error = %refusal, "leave out a measurement of the host");
        }
    }
}

async fn send(intake: &Intake, request: Vec<u8>) -> Result<(), crate::Refusal> {
    let reservation = intake.admit(request.len() as u64)?;
    let body = Body {
        message: Message::Otlp,
        encoding: Encoding::Identity,
        bytes: Bytes::from(request),
        reservation,
    };
    intake.take(Tenant::default(), Signal::Metrics, body).await.map(|_| ())
}

struct Host {
    system: System,
    disks: Disks,
    networks: Networks,
    resource: Resource,
    scope: Scope,
    /// Since when the machine counts, and since when we count ourselves.
    booted: u64,
    started: u64,
    /// Processor seconds by core since the start of the measurements.
    seconds: Vec<f64>,
    last: Option<i64>,
}

impl Host {
    fn new(now: i64) -> Self {
        let kinds = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
            .with_memory(MemoryRefreshKind::everything());
        let mut attributes = vec![KeyValue::new("service.name", "host")];
        if let Some(name) = System::host_name() {
            attributes.push(KeyValue::new("host.name", name));
        }
        attributes.push(KeyValue::new("os.type", std::env::consts::OS));
        attributes.push(KeyValue::new("host.arch", std::env::consts::ARCH));
        Self {
            system: System::new_with_specifics(kinds),
            disks: Disks::new(),
            networks: Networks::new(),
            resource: Resource { attributes },
            scope: Scope { name: SCOPE.into(), ..Scope::default() },
            booted: System::boot_time().saturating_mul(1_000_000_000),
            started: now.cast_unsigned(),
            seconds: Vec::new(),
            last: None,
        }
    }

    /// One OTLP request with everything.
    fn measure(&mut self, now: i64) -> Vec<u8> {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.disks.refresh(true);
        self.networks.refresh(true);
        let times = Times { start: self.booted, now: now.cast_unsigned() };
        let mut metrics = self.processor(Times { start: self.started, ..times }, now);
        metrics.extend(self.memory(times));
        metrics.extend(self.file_systems(times));
        metrics.extend(self.disk_io(times));
        metrics.extend(self.network(times));
        self.last = Some(now);
        encode_metrics(&self.resource, [(&self.scope, metrics.as_slice())])
    }

    fn processor(&mut self, times: Times, now: i64) -> Vec<Metric> {
        let load = System::load_average();
        let mut metrics = vec![
            gauge(
                "system.cpu.load_average.1m",
                "{thread}",
                "Load of the last minute.",
                vec![times.at(&[], load.one)],
            ),
            gauge(
                "system.cpu.load_average.5m",
                "{thread}",
                "Load of the last five minutes.",
                vec![times.at(&[], load.five)],
            ),
            gauge(
                "system.cpu.load_average.15m",
                "{thread}",
                "Load of the last quarter of an hour.",
                vec![times.at(&[], load.fifteen)],
            ),
        ];
        // Usage is known from the second look on.
        let Some(last) = self.last else { return metrics };
        let cores: Vec<f64> =
            self.system.cpus().iter().map(|core| f64::from(core.cpu_usage()) / 100.0).collect();
        self.seconds.resize(cores.len(), 0.0);
        #[expect(clippy::cast_precision_loss, reason = "seconds of an interval")]
        let elapsed = (now - last).max(0) as f64 / 1e9;
        for (seconds, usage) in self.seconds.iter_mut().zip(&cores) {
            *seconds += usage * elapsed;
        }
        let names: Vec<String> = (0..cores.len()).map(|core| core.to_string()).collect();
        let points = |values: &[f64]| -> Vec<NumberPoint> {
            let pairs = names.iter().zip(values);
            pairs.map(|(name, value)| times.at(&[("cpu.logical_number", name)], *value)).collect()
        };
        metrics.push(gauge(
            "system.cpu.utilization",
            "1",
            "Share of its time a core was busy.",
            points(&cores),
        ));
        metrics.push(counter("system.cpu.time", "s", "Time a core was busy.", points(&self.seconds)));
        metrics
    }

    fn memory(&self, times: Times) -> Vec<Metric> {
        let (total, available) = (self.system.total_memory(), self.system.available_memory());
        let states = [
            ("used", total.saturating_sub(available)),
            ("free", self.system.free_memory()),
            ("cached", available.saturating_sub(self.system.free_memory())),
        ];
        let usage = states.map(|(state, bytes)| times.count(&[("system.memory.state", state)], bytes));
        let shares =
            states.map(|(state, bytes)| times.at(&[("system.memory.state", state)], share(bytes, total)));
        vec![
            gauge("system.memory.limit", "By", "Memory of the machine.", vec![times.count(&[], total)]),
            gauge("system.memory.usage", "By", "Memory by state.", usage.to_vec()),
            gauge("system.memory.utilization", "1", "Share of the memory by state.", shares.to_vec()),
            gauge(
                "system.paging.usage",
                "By",
                "Swap in use.",
                vec![times.count(&[("system.paging.state", "used")], self.system.used_swap())],
            ),
        ]
    }

    fn file_systems(&self, times: Times) -> Vec<Metric> {
        let (mut usage, mut shares) = (Vec::new(), Vec::new());
        // A device that is mounted several times is one file system.
        let mut seen = BTreeMap::new();
        for disk in self.disks.list() {
            let kind = disk.file_system().to_string_lossy().into_owned();
            if disk.total_space() > 0 && !NOT_STORAGE.contains(&kind.as_str()) {
                seen.entry(disk.name().to_owned()).or_insert((disk, kind));
            }
        }
        for (device, (disk, kind)) in &seen {
            let (device, mountpoint) = (device.to_string_lossy(), disk.mount_point().to_string_lossy());
            let (total, free) = (disk.total_space(), disk.available_space());
            let used = total.saturating_sub(free);
            let labels = |state| {
                [
                    ("system.device", &*device),
                    ("system.filesystem.mountpoint", &*mountpoint),
                    ("system.filesystem.type", kind.as_str()),
                    ("system.filesystem.state", state),
                ]
            };
            usage.push(times.count(&labels("used"), used));
            usage.push(times.count(&labels("free"), free));
            shares.push(times.at(&labels("used")[..3], share(used, total)));
        }
        vec![
            gauge("system.filesystem.usage", "By", "Space by state.", usage),
            gauge("system.filesystem.utilization", "1", "Share of the space in use.", shares),
        ]
    }

    fn disk_io(&self, times: Times) -> Vec<Metric> {
        let mut devices = BTreeMap::new();
        for disk in self.disks.list() {
            devices.entry(disk.name().to_string_lossy().into_owned()).or_insert_with(|| disk.usage());
        }
        let points = devices.iter().flat_map(|(device, usage)| {
            [("read", usage.total_read_bytes), ("write", usage.total_written_bytes)].map(
                |(direction, bytes)| {
                    times.count(&[("system.device", device), ("disk.io.direction", direction)], bytes)
                },
            )
        });
        vec![counter("system.disk.io", "By", "Bytes read and written.", points.collect())]
    }

    fn network(&self, times: Times) -> Vec<Metric> {
        let mut networks: Vec<_> = self.networks.list().iter().collect();
        networks.sort_by_key(|(name, _)| (*name).clone());
        let each = |values: fn(&sysinfo::NetworkData) -> (u64, u64)| {
            let points = networks.iter().flat_map(|(name, data)| {
                let (received, sent) = values(data);
                [("receive", received), ("transmit", sent)].map(|(direction, count)| {
                    times.count(
                        &[("network.interface.name", name), ("network.io.direction", direction)],
                        count,
                    )
                })
            });
            points.collect::<Vec<_>>()
        };
        vec![
            counter(
                "system.network.io",
                "By",
                "Bytes received and sent.",
                each(|data| (data.total_received(), data.total_transmitted())),
            ),
            counter(
                "system.network.packet.count",
                "{packet}",
                "Packets received and sent.",
                each(|data| (data.total_packets_received(), data.total_packets_transmitted())),
            ),
            counter(
                "system.network.errors",
                "{error}",
                "Packets in error.",
                each(|data| (data.total_errors_on_received(), data.total_errors_on_transmitted())),
            ),
        ]
    }
}

/// The times of every point of one measurement.
#[derive(Clone, Copy)]
struct Times {
    start: u64,
    now: u64,
}

impl Times {
    fn at(self, labels: &[(&'static str, &str)], value: f64) -> NumberPoint {
        self.point(labels, Number::Double(value))
    }

    fn count(self, labels: &[(&'static str, &str)], value: u64) -> NumberPoint {
        self.point(labels, Number::from(value))
    }

    fn point(self, labels: &[(&'static str, &str)], value: Number) -> NumberPoint {
        let attributes = labels.iter().map(|(key, value)| KeyValue::new(*key, (*value).to_owned()));
        NumberPoint {
            attributes: attributes.collect::<Arc<[KeyValue]>>(),
            start_time_unix_nano: self.start,
            time_unix_nano: self.now,
            value,
        }
    }
}

fn gauge(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    points: Vec<NumberPoint>,
) -> Metric {
    Metric {
        name: name.into(),
        description: description.into(),
        unit: unit.into(),
        data: Data::Gauge(points),
    }
}

fn counter(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    points: Vec<NumberPoint>,
) -> Metric {
    let data = Data::Sum { points, monotonic: true, temporality: Temporality::Cumulative };
    Metric { name: name.into(), description: description.into(), unit: unit.into(), data }
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
