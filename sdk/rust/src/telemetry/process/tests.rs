#![allow(clippy::unwrap_used)]

use super::read::Reading;
use crate::telemetry::metrics::Registry;

#[test]
fn files_of_linux_are_understood() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 9 0 12350 1000000 300";
    write("self/stat", stat);
    write("self/status", "Name:\ta\nVmSize:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t9\n");
    write("uptime", "223.50 400.00\n");
    write("meminfo", "MemTotal: 8000 kB\nMemFree: 10 kB\nMemAvailable: 3000 kB\n");
    write("loadavg", "1.25 0.50 0.25 2/100 7\n");
    let read = Reading { root: root.path().to_owned() };
    assert_eq!(read.cpu_seconds(), Some([2.5, 0.5]));
    assert_eq!(read.uptime(), Some(100.0));
    assert_eq!(
        (read.status("VmRSS"), read.status("Threads"), read.status("Vm")),
        (Some(1024), Some(9), None)
    );
    assert_eq!((read.memory("MemAvailable"), read.load()), (Some(3000), Some(1.25)));
    let elsewhere = Reading { root: root.path().join("none") };
    assert_eq!((elsewhere.cpu_seconds(), elsewhere.file_descriptors()), (None, None));
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_tells_of_itself_and_its_machine() {
    let registry = Registry::new();
    super::observe(&registry);
    registry.snapshot();
    let page = registry.json();
    let names: Vec<_> = page["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect();
    for name in [
        "process.cpu.time",
        "process.memory.usage",
        "process.memory.virtual",
        "process.thread.count",
        "process.unix.file_descriptor.count",
        "process.uptime",
        "system.linux.cpu.load_1m",
        "system.memory.limit",
        "system.memory.usage",
    ] {
        assert!(names.iter().any(|it| it == name), "{name} is not in {names:?}");
    }
}

#[cfg(feature = "runtime")]
#[tokio::test]
async fn a_runtime_tells_of_itself() {
    let registry = Registry::new();
    super::observe_runtime(&registry, &tokio::runtime::Handle::current());
    let page = registry.prometheus();
    assert!(
        page.contains("tokio_workers 1\n") && page.contains("tokio_workers_busy_time_seconds_total "),
        "{page}"
    );
}
