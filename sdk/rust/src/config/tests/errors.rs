//! Every message with its exact place, in both languages.

use super::{Server, file, loader};
use crate::config::{Loader, Origin};

/// Loads the text and compares all problems, with the folder taken off.
fn check(name: &str, text: &str, expected: &[&str]) {
    let (dir, path) = file(name, text);
    let error = loader().file(path).load().expect_err(text);
    let folder = format!("{}/", dir.path().display());
    let problems: Vec<_> = error.problems.iter().map(|it| it.to_string().replace(&folder, "")).collect();
    assert_eq!(problems, expected, "in:\n{text}");
}

fn toml(text: &str, expected: &[&str]) {
    check("prod.toml", text, expected);
}

fn yaml(text: &str, expected: &[&str]) {
    check("prod.yaml", text, expected);
}

#[test]
fn the_value_is_pointed_at() {
    let message = "`timeout` must be at most 60s, got 5m";
    toml("[receive.otlp]\n  timeout   = \"5m\"\n", &[&format!("prod.toml:2:15: {message}")]);
    toml("receive.otlp.timeout = \"5m\"", &[&format!("prod.toml:1:24: {message}")]);
    toml("[receive]\notlp = { timeout = \"5m\" }", &[&format!("prod.toml:2:20: {message}")]);
    yaml("receive:\n  otlp:\n    timeout: 5m\n", &[&format!("prod.yaml:3:14: {message}")]);
    yaml("receive: { otlp: { timeout: 5m } }", &[&format!("prod.yaml:1:29: {message}")]);
    check(
        "prod.json",
        "{\n  \"receive\": { \"otlp\": { \"timeout\": \"5m\" } }\n}",
        &[&format!("prod.json:2:37: {message}")],
    );
}

#[test]
fn columns_count_characters_not_bytes() {
    toml("[receive]\nhosts = [\"grün\", 5]", &["prod.toml:2:18: `hosts[1]` must be a text, got 5"]);
    yaml("receive:\n  hosts: [grün, 5]", &["prod.yaml:2:17: `hosts[1]` must be a text, got 5"]);
}

#[test]
fn an_unknown_key_is_pointed_at_with_what_was_meant() {
    toml("[stroe]\ndir = 'x'", &["prod.toml:1:2: unknown key `stroe`, did you mean `store`?"]);
    toml(
        "[store]\ndir = 'x'\nsegment_sise = '1 MiB'",
        &["prod.toml:3:1: unknown key `segment_sise` in `store`, did you mean `segment_size`?"],
    );
    yaml(
        "store:\n  dir: x\n  segment_sise: 1 MiB",
        &["prod.yaml:3:3: unknown key `segment_sise` in `store`, did you mean `segment_size`?"],
    );
    yaml("xyz: 1", &["prod.yaml:1:1: unknown key `xyz`"]);
}

#[test]
fn wrong_types_say_what_is_right() {
    toml(
        "[memory]\nworkers = \"2\"\nshare = true\n[receive]\nhosts = \"a\"\nports = [1, 70000]\n[receive.otlp]\ntimeout = 30",
        &[
            "prod.toml:2:11: `workers` must be a whole number, got \"2\"",
            "prod.toml:3:9: `share` must be a number, got true",
            "prod.toml:5:9: `hosts` must be a list, got \"a\"",
            "prod.toml:6:13: `ports[1]` must be at most 65535, got 70000",
            "prod.toml:8:11: `timeout` must be a duration such as `30s`, `100ms` or `1h30m`, got 30",
        ],
    );
    yaml(
        "memory:\n  workers: two\n  share: 1.5\nstore: []\nlog:\n  level: 5",
        &[
            "prod.yaml:2:12: `workers` must be a whole number, got \"two\"",
            "prod.yaml:3:10: `share` must be at most 1, got 1.5",
            "prod.yaml:4:8: `store` must be a table, got a list",
            "prod.yaml:6:10: `level` must be one of `debug`, `info`, `error`, got 5",
        ],
    );
}

#[test]
fn texts_that_do_not_parse_are_all_told() {
    toml(
        "[receive.otlp]\nlisten = \"nowhere\"\ntimeout = \"5 parsecs\"\nbody_max = \"huge\"",
        &[
            "prod.toml:2:10: `listen` must be an IP address and a port such as `127.0.0.1:4318` or `[::1]:4318`, got nowhere",
            "prod.toml:3:11: `timeout` must be a duration such as `30s`, `100ms` or `1h30m`, got 5 parsecs",
            "prod.toml:4:12: `body_max` must be a size such as `512 MiB`, `64MB` or a number of bytes, got huge",
        ],
    );
    yaml(
        "receive:\n  otlp:\n    listen: nowhere\n    body_max: 2 GiB",
        &[
            "prod.yaml:3:13: `listen` must be an IP address and a port such as `127.0.0.1:4318` or `[::1]:4318`, got nowhere",
            "prod.yaml:4:15: `body_max` must be at most 1 GiB, got 2 GiB",
        ],
    );
}

#[test]
fn addresses_have_an_example() {
    yaml(
        "receive:\n  otlp:\n    health: localhost:4300",
        &["prod.yaml:3:13: `health` must be an address such as `127.0.0.1:4318`, got localhost:4300"],
    );
    yaml(
        "receive:\n  otlp:\n    health: 4300",
        &["prod.yaml:3:13: `health` must be an address such as `127.0.0.1:4318`, got 4300"],
    );
}

#[test]
fn choices_name_their_variants() {
    toml(
        "[log]\nlevel = \"inof\"\n[store.backend.s4]\nbucket = 'b'",
        &[
            "prod.toml:2:9: `level` must be one of `debug`, `info`, `error`, got inof, did you mean `info`?",
            "prod.toml:3:16: unknown key `s4` in `store.backend`, did you mean `s3`?",
        ],
    );
    toml(
        "[store.backend.s3]\nbukket = 'b'",
        &["prod.toml:2:1: unknown key `bukket` in `store.backend.s3`, did you mean `bucket`?"],
    );
    yaml(
        "store:\n  backend:\n    s3: {}\n    local: {}",
        &["prod.yaml:3:5: `backend` must be only one of `local` and `s3`"],
    );
    yaml(
        "store: { backend: [] }",
        &["prod.yaml:1:19: `backend` must be one of `local`, `s3`, `none`, got a list"],
    );
}

#[test]
fn broken_syntax_is_told_in_full() {
    toml(
        "[store]\ndir = \n[memory]\nshare = = 1\n",
        &[
            "prod.toml:2:7: string values must be quoted, expected literal string",
            "prod.toml:4:9: extra `=`, expected nothing",
        ],
    );
    toml("a = 1\na = 2", &["prod.toml:2:1: duplicate key"]);
    yaml("store:\n  dir: x\n  dir: y", &["prod.yaml:3:3: the key `dir` is written twice"]);
    yaml("store: {}\n---\nstore: {}", &["prod.yaml:2:1: a second document in one file"]);
}

#[test]
fn a_missing_key_is_told_at_its_table() {
    toml("[receive.key.ops]\ntenant = 'x'", &["prod.toml:1:1: `secret` is missing"]);
    yaml("receive:\n  key:\n    ops:\n      tenant: x", &["prod.yaml:4:7: `secret` is missing"]);
}

#[test]
fn validation_runs_beside_the_other_errors() {
    toml(
        "[store]\nsegment_size = \"1 KiB\"\nstray = 1\n[receive.otlp]\nlisten = \"x\"",
        &[
            "prod.toml:2:16: `segment_size` must be at least 4 KiB, got 1 KiB",
            "prod.toml:3:1: unknown key `stray` in `store`",
            "prod.toml:5:10: `listen` must be an IP address and a port such as `127.0.0.1:4318` or `[::1]:4318`, got x",
        ],
    );
}

#[test]
fn a_conflict_is_told_unless_one_side_could_not_be_read() {
    toml(
        "[store]\nsegment_size = \"2 GiB\"",
        &["prod.toml:2:16: `segment_size` must be at most `memory.hard_limit` (1 GiB), got 2 GiB"],
    );
    toml(
        "[store]\nsegment_size = \"2 GiB\"\n[memory]\nhard_limit = \"4 Gigs\"",
        &[
            "prod.toml:4:14: `hard_limit` must be a size such as `512 MiB`, `64MB` or a number of bytes, got 4 Gigs",
        ],
    );
}

#[test]
fn a_named_file_must_load_and_a_usual_one_may_be_missing() {
    let error = loader().file("/nonexistent/prod.toml").load().unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nonexistent/prod.toml: cannot be read: No such file or directory (os error 2)"
    );
    assert!(loader().default_file("/nonexistent/prod.toml").load().is_ok());
    // A folder is there, but is not a file.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fresnel.toml");
    std::fs::create_dir(&path).unwrap();
    assert!(loader().default_file(&path).load().unwrap_err().to_string().contains("cannot be read"));
    check("prod.ini", "", &["prod.ini: must end in .toml, .yaml, .yml or .json"]);
}

#[test]
fn errors_of_all_sources_come_at_once_and_in_order() {
    let (dir, path) = file("prod.toml", "[memory]\nworkers = 0\n\n[log]\nlevel = 1");
    let error = loader()
        .file(&path)
        .env_from("FRESNEL", [("FRESNEL_RECEIVE_OTLP_TIMEOUT", "5m"), ("FRESNEL_STORE_SEGMENT_SIZE", "x")])
        .arg("--http", "receive.otlp.listen", "4318")
        .arg("--set", "store.dri", "x")
        .load()
        .unwrap_err();
    let folder = format!("{}/", dir.path().display());
    assert_eq!(
        error.to_string().replace(&folder, ""),
        "prod.toml:2:11: `workers` must be at least 1, got 0\n\
         prod.toml:5:9: `level` must be one of `debug`, `info`, `error`, got 1\n\
         FRESNEL_RECEIVE_OTLP_TIMEOUT: `receive.otlp.timeout` must be at most 60s, got 5m\n\
         FRESNEL_STORE_SEGMENT_SIZE: `store.segment_size` must be a size such as `512 MiB`, `64MB` or a number of bytes, got x\n\
         --http: `receive.otlp.listen` must be an IP address and a port such as `127.0.0.1:4318` or `[::1]:4318`, got 4318\n\
         --set: unknown key `dri` in `store`, did you mean `dir`?"
    );
}

#[test]
fn a_broken_file_hides_only_what_depends_on_it() {
    let (_dir, path) = file("prod.toml", "[memory\n");
    let error = loader().file(&path).file("/nonexistent.toml").load().unwrap_err();
    assert_eq!(error.problems.len(), 2, "{error}");
}

#[test]
fn wrong_defaults_are_a_problem_too() {
    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Wrong {
        #[schemars(range(max = 3))]
        level: u8,
    }
    impl Default for Wrong {
        fn default() -> Self {
            Self { level: 4 }
        }
    }
    impl crate::config::Validate for Wrong {}
    let error = Loader::<Wrong>::new().load().unwrap_err();
    assert_eq!(error.problems[0].origin, Origin::Default);
    assert_eq!(error.to_string(), "default: `level` must be at most 3, got 4");
}

#[test]
fn a_hostile_file_is_refused_not_crashed_on() {
    let deep = format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000));
    let bomb = (1..12).fold("l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, i| {
        let alias = format!("*l{},", i - 1).repeat(10);
        format!("{text}l{i}: &l{i} [{}]\n", alias.trim_end_matches(','))
    });
    for text in [&deep, &bomb, "a: *nobody", "? [a]\n: b", "a: &x [*x]"] {
        let (_dir, path) = file("prod.yaml", text);
        assert!(loader().file(path).load().is_err());
    }
    let (_dir, path) = file("prod.toml", &format!("a = {}1{}", "[".repeat(5000), "]".repeat(5000)));
    assert!(Loader::<Server>::new().file(path).load().is_err());
}
