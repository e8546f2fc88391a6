use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::SECOND;
use crate::clock;
use crate::config::Secret;
use crate::health::checks::{
    CheckConfig, ConfigError, Cpu, DatabaseTarget, Disk, Makers, Memory, Target, within,
};
use crate::health::{Check, Finding, Status};

/// Files as Linux has them, below a folder of the test's own.
fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn find(check: &impl Check) -> Finding {
    clock::simulate(check.check())
}

#[test]
fn memory_is_held_against_the_tightest_limit() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        &[("proc/self/status", "Name:\tshop\nVmRSS:\t  95 kB\n"), ("proc/meminfo", "MemTotal:  1000 kB\n")],
    );
    let memory = Memory::default().rooted(root.path());
    let machine = find(&memory);
    assert_eq!((machine.status, machine.details["limit_bytes"].as_u64()), (Status::Healthy, Some(1_024_000)));
    // Version 2: the limit of a group around the own one holds, too.
    write(
        root.path(),
        &[
            ("proc/self/cgroup", "0::/shop/api\n"),
            ("sys/fs/cgroup/shop/api/memory.max", "max\n"),
            ("sys/fs/cgroup/shop/memory.max", "102400\n"),
        ],
    );
    let group = find(&memory);
    assert_eq!((group.status, group.details["limit_bytes"].as_u64()), (Status::Unhealthy, Some(102_400)));
    assert_eq!(group.message.as_deref(), Some("95.0 % of the memory is used, more than 90.0 %"));
    assert_eq!(find(&Memory::above(0.96).rooted(root.path())).status, Status::Healthy);
    // Version 1, whose "no limit" is a very large number.
    write(
        root.path(),
        &[
            ("proc/self/cgroup", "5:memory:/shop\n"),
            ("sys/fs/cgroup/memory/shop/memory.limit_in_bytes", "9223372036854771712\n"),
        ],
    );
    assert_eq!(find(&memory).details["limit_bytes"], 1_024_000);
    std::fs::remove_dir_all(root.path().join("proc")).unwrap();
    assert_eq!(find(&memory).status, Status::Unknown);
}

#[test]
fn processor_time_is_held_against_the_quota() {
    let root = tempfile::tempdir().unwrap();
    let used = |user: u32, system: u32| {
        let stat = format!("7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 {user} {system} 0 0 20 0 1 0 9 1 1\n");
        write(root.path(), &[("proc/self/stat", &stat)]);
    };
    write(root.path(), &[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.max", "200000 100000\n")]);
    clock::simulate(async {
        let cpu = Cpu::default().rooted(root.path());
        used(1_000, 500);
        let first = cpu.check().await;
        assert_eq!((first.status, first.details["cpus"].as_f64()), (Status::Healthy, Some(2.0)));
        clock::sleep(10 * SECOND).await;
        // Nineteen seconds in ten, of two processors: 95 %, which is not more.
        used(2_400, 1_000);
        assert_eq!(cpu.check().await.details["used_share"], 0.95);
        clock::sleep(10 * SECOND).await;
        used(4_300, 1_050);
        let busy = cpu.check().await;
        assert_eq!(busy.status, Status::Degraded, "{busy:?}");
        assert_eq!(busy.message.as_deref(), Some("97.5 % of the processor time is used, more than 95.0 %"));
        clock::sleep(10 * SECOND).await;
        assert_eq!(cpu.check().await.status, Status::Healthy, "only what is used since counts");
        std::fs::remove_file(root.path().join("proc/self/stat")).unwrap();
        assert_eq!(cpu.check().await.status, Status::Unknown);
    });
}

#[test]
fn a_disk_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let found = find(&Disk::new(dir.path()).above(1.0));
    assert_eq!(found.status, Status::Healthy, "{found:?}");
    let number = |name: &str| found.details[name].as_f64().unwrap();
    assert!(number("total_bytes") > 0.0 && number("available_bytes") <= number("total_bytes"));
    let share = 1.0 - number("available_bytes") / number("total_bytes");
    assert!((number("used_share") - share).abs() < 1e-9);
    let full = find(&Disk::new(dir.path()).above(-1.0));
    assert_eq!(full.status, Status::Unhealthy);
    assert!(full.message.unwrap().contains("of the disk is used, more than"));
    let missing = find(&Disk::new(dir.path().join("missing")));
    assert!(missing.status == Status::Unhealthy && missing.error.is_some());
}

#[tokio::test]
async fn the_process_itself_is_measured() {
    let memory = Memory::default().check().await;
    let resident = memory.details["resident_bytes"].as_u64().unwrap();
    assert!((1 << 20..1 << 40).contains(&resident), "{memory:?}");
    let disk = Disk::new("/").check().await;
    assert!(disk.details["total_bytes"].as_u64().unwrap() > 0);
    assert!(Cpu::default().check().await.details["cpus"].as_f64().unwrap() > 0.0);
}

#[test]
fn slow_is_degraded_and_down_is_down() {
    let takes = |millis, result: Result<(), &'static str>| {
        let check = move || async move {
            clock::sleep(Duration::from_millis(millis)).await;
            result
        };
        find(&within(Duration::from_millis(100), check))
    };
    assert_eq!(takes(100, Ok(())).status, Status::Healthy);
    let slow = takes(150, Ok(()));
    assert_eq!(
        (slow.status, slow.message.as_deref()),
        (Status::Degraded, Some("it took 150.0 ms, more than 100ms"))
    );
    assert_eq!(slow.details["response_time_ms"], 150.0);
    assert_eq!(takes(150, Err("down")).status, Status::Unhealthy);
}

fn config(json: &str) -> Result<CheckConfig, serde_json::Error> {
    serde_json::from_str(json)
}

#[test]
fn checks_come_from_the_configuration() {
    let makers = Makers {
        database: Some(Arc::new(|target: &DatabaseTarget| {
            let seen = format!("{}@{}:{}/{}", target.user, target.host, target.port, target.database);
            assert_eq!(target.password.expose(), "hush");
            Ok(Box::new(move || std::future::ready(Finding::healthy().detail("seen", seen.clone()))))
        })),
        custom: [("queue".to_owned(), Arc::new(|| Err("no broker".to_owned())) as _)].into(),
    };
    let database = r#"{ "interval": "5s", "timeout": "1s", "cache_ttl": "2s", "critical": false, "target":
        { "database": { "host": "db", "port": 5432, "database": "shop", "user": "app", "password": "hush" } } }"#;
    let (options, check) = config(database).unwrap().build(&makers).unwrap();
    let times = [options.interval, options.timeout, options.cache_ttl].map(|it| it.as_secs());
    assert_eq!((times, options.critical, options.live), ([5, 1, 2], false, false));
    assert_eq!(clock::simulate(check.check()).details["seen"], "app@db:5432/shop");
    assert!(!format!("{:?}", config(database).unwrap()).contains("hush"));
    let tcp = config(r#"{ "target": { "tcp": { "host": "mail", "port": 25 } } }"#).unwrap();
    let (options, _) = tcp.build(&makers).unwrap();
    assert_eq!(options, crate::health::CheckOptions::default());
    let redis = config(r#"{ "target": { "redis": { "host": "cache", "password": "hush" } } }"#).unwrap();
    let Target::Redis(target) = &redis.target else { panic!() };
    assert_eq!((target.port, &target.password), (6379, &Some(Secret::new("hush".to_owned()))));
    assert!(redis.build(&makers).is_ok());
}

#[test]
fn what_is_wrong_in_the_configuration_is_said() {
    let wrong = |json: &str| config(json).unwrap_err().to_string();
    let unknown = wrong(r#"{ "target": { "ftp": {} } }"#);
    assert!(unknown.contains("unknown variant `ftp`, expected one of `http`, `tcp`"), "{unknown}");
    assert!(
        wrong(r#"{ "target": { "tcp": { "host": "a", "port": 1 } }, "intervall": "1s" }"#)
            .contains("intervall")
    );
    assert!(
        wrong(r#"{ "target": { "http": { "url": "http://a", "path": "/" } } }"#)
            .contains("unknown field `path`")
    );
    let build = |json: &str, makers: &Makers| config(json).unwrap().build(makers).err().unwrap();
    let none = Makers::default();
    let custom = Makers {
        custom: [("queue".to_owned(), Arc::new(|| Err("no broker".to_owned())) as _)].into(),
        ..none.clone()
    };
    let https = build(r#"{ "target": { "http": { "url": "https://a" } } }"#, &none).to_string();
    assert!(https.contains("`https://a`") && https.contains("register a closure"), "{https}");
    let database = r#"{ "target": { "database": { "host": "db", "port": 1, "database": "d", "user": "u", "password": "p" } } }"#;
    assert_eq!(build(database, &none), ConfigError::NoDatabase);
    let missing = build(r#"{ "target": { "custom": "stock" } }"#, &custom).to_string();
    assert_eq!(missing, "this program has no check `stock`; it has: queue");
    let broken = build(r#"{ "target": { "custom": "queue" } }"#, &custom).to_string();
    assert_eq!(broken, "the check cannot be made: no broker");
}
