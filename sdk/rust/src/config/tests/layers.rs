//! Which source wins, and what a text from outside means.

use super::{Backend, Level, Local, S3, file, loader};
use crate::config::{ByteSize, Duration};

#[test]
fn later_layers_win_key_by_key() {
    let (_dir, path) = file(
        "a.toml",
        "[log]\nlevel = 'debug'\n[store]\ndir = 'file'\nsegment_size = '1 MiB'\n[memory]\nworkers = 3",
    );
    let (_dir2, second) = file("b.yaml", "memory:\n  workers: 4\n  share: 0.25\n");
    let loaded = loader()
        .file(&path)
        .file(&second)
        .env_from("FRESNEL", [("FRESNEL_STORE_DIR", "env"), ("FRESNEL_STORE_SEGMENT_SIZE", "2 MiB")])
        .arg("--data-dir", "store.dir", "cli")
        .load()
        .unwrap();
    let value = &loaded.value;
    assert_eq!(value.log.level, Level::Debug);
    assert_eq!(value.store.dir.to_str(), Some("cli"));
    assert_eq!(value.store.segment_size, ByteSize::mib(2));
    assert_eq!((value.memory.workers, value.memory.share), (4, 0.25));
    assert_eq!(value.memory.hard_limit, ByteSize::gib(1));
    assert_eq!(loaded.origin("store.dir").to_string(), "--data-dir");
    assert_eq!(loaded.origin("store.segment_size").to_string(), "FRESNEL_STORE_SEGMENT_SIZE");
    assert_eq!(loaded.origin("log.level").to_string(), format!("{}:2:9", path.display()));
    assert_eq!(loaded.origin("memory.hard_limit").to_string(), "default");
    let sources = ["defaults", &format!("file {}", path.display()), &format!("file {}", second.display())];
    assert_eq!(loaded.sources()[..3], sources);
    assert_eq!(loaded.sources()[3..], ["environment (2)", "command line (1)"]);
}

#[test]
fn variables_are_resolved_along_the_schema() {
    let loaded = loader()
        .env_from(
            "FRESNEL",
            [
                ("FRESNEL_MEMORY_HARD_LIMIT", "64 MiB"),
                ("FRESNEL_STORE_SEGMENT_SIZE", "8192"),
                ("FRESNEL_RECEIVE_OTLP_LISTEN", "[::1]:0"),
                ("FRESNEL_RECEIVE_OTLP_TIMEOUT", "1s"),
                ("FRESNEL_RECEIVE_HOSTS", "a, b"),
                ("FRESNEL_RECEIVE_PORTS", "[1, 2]"),
                ("FRESNEL_RECEIVE_KEY_MY_APP_SECRET", "s"),
                ("FRESNEL_RECEIVE_KEY_MY_APP_TENANT", "t"),
                ("FRESNEL_LOG", "{ level = 'error' }"),
                ("FRESNEL_LOG_FILE", ""),
                ("FRESNEL_MEMORY_SHARE", "1"),
                ("OTHER_MEMORY_SHARE", "0"),
            ],
        )
        .load()
        .unwrap();
    let value = &loaded.value;
    assert_eq!(value.memory.hard_limit, ByteSize::mib(64));
    assert_eq!(value.store.segment_size, ByteSize::kib(8));
    assert_eq!(value.receive.otlp.listen.to_string(), "[::1]:0");
    assert_eq!(value.receive.otlp.timeout, Duration::from_secs(1));
    assert_eq!(value.receive.hosts, ["a", "b"]);
    assert_eq!(value.receive.ports, [1, 2]);
    assert_eq!(value.receive.key["my_app"].tenant.as_deref(), Some("t"));
    assert_eq!(value.log.level, Level::Error);
    assert_eq!(value.log.file, None);
    assert_eq!(value.memory.share, 1.0);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn a_variable_means_the_key_that_is_there() {
    let (_dir, path) = file("a.toml", "[receive.key.My-App]\nsecret = 'file'\ntenant = 't'");
    let loaded = loader()
        .file(path)
        .env_from("FRESNEL", [("FRESNEL_RECEIVE_KEY_MY_APP_SECRET", "env")])
        .load()
        .unwrap();
    assert_eq!(loaded.value.receive.key.len(), 1);
    let key = &loaded.value.receive.key["My-App"];
    assert_eq!((key.secret.expose().as_str(), key.tenant.as_deref()), ("env", Some("t")));
}

#[test]
fn an_unknown_variable_only_warns() {
    let loaded = loader()
        .env_from(
            "FRESNEL",
            [("FRESNEL_STORE_DRI", "x"), ("FRESNEL_NOISE", "x"), ("FRESNEL_CONFIG", "x"), ("FRESNEL_", "")],
        )
        .ignore_env(["FRESNEL_CONFIG"])
        .load()
        .unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "FRESNEL_: unknown variable",
            "FRESNEL_NOISE: unknown variable",
            "FRESNEL_STORE_DRI: unknown variable, did you mean FRESNEL_STORE_DIR?",
        ]
    );
}

#[test]
fn lists_are_replaced_and_choices_too() {
    let (_dir, path) = file("a.toml", "[receive]\nhosts = []\n[store.backend.s3]\nbucket = 'b'");
    let value = loader().file(&path).load().unwrap().value;
    assert!(value.receive.hosts.is_empty());
    assert_eq!(value.store.backend, Backend::S3(S3 { bucket: "b".into(), region: String::new() }));

    let value = loader()
        .file(&path)
        .env_from("FRESNEL", [("FRESNEL_STORE_BACKEND_S3_REGION", "eu")])
        .load()
        .unwrap()
        .value;
    assert_eq!(value.store.backend, Backend::S3(S3 { bucket: "b".into(), region: "eu".into() }));

    let value = loader().file(&path).arg("--backend", "store.backend", "none").load().unwrap().value;
    assert_eq!(value.store.backend, Backend::None);

    // The default of the whole beats the default of the part: `sync` is true in the server's.
    let value = loader().arg("--backend", "store.backend", "{ local = {} }").load().unwrap().value;
    assert_eq!(value.store.backend, Backend::Local(Local { sync: true }));
}

#[test]
fn an_empty_table_in_yaml_changes_nothing() {
    let (_dir, path) = file("a.yaml", "store:\n  # dir: x\nlog:\n  file: /var/log/x\n");
    let value = loader().file(&path).load().unwrap().value;
    assert_eq!(value.store.dir.to_str(), Some("data"));
    let value = loader().file(&path).arg("--log-file", "log.file", "").load().unwrap().value;
    assert_eq!(value.log.file, None);
    let (_dir, path) = file("empty.yaml", "# nothing\n");
    assert!(loader().file(&path).load().is_ok());
}

#[test]
fn yaml_scalars_follow_the_core_schema() {
    let text = "receive:\n  hosts: [\"5\", 'true', !!str 7, no, 0o7x]\n  ports: [0x10, 0o17, 8]\nmemory: { share: 1e-1 }\n\
                store:\n  dir: &d /x\nlog:\n  file: *d\n";
    let (_dir, path) = file("a.yaml", text);
    let value = loader().file(&path).load().unwrap().value;
    assert_eq!(value.receive.hosts, ["5", "true", "7", "no", "0o7x"]);
    assert_eq!(value.receive.ports, [16, 15, 8]);
    assert_eq!(value.memory.share, 0.1);
    assert_eq!(value.log.file.as_deref().and_then(|path| path.to_str()), Some("/x"));
}

#[test]
fn values_are_read_by_path() {
    let loaded = loader().arg("--set", "receive.hosts", "a,b").load().unwrap();
    assert_eq!(loaded.get("receive.hosts[1]"), Some("b".into()));
    assert_eq!(loaded.get("receive.otlp.timeout"), Some("10s".into()));
    assert_eq!(loaded.get_as::<Duration>("receive.otlp.timeout"), Some(Duration::from_secs(10)));
    assert_eq!(loaded.get_as::<u32>("memory.workers"), Some(2));
    assert_eq!(loaded.get("no.such.path"), None);
}
