use serde_json::json;

use super::{PATIENCE, source};
use crate::config::Loader;
use crate::logging::{LoggingConfig, OutputKind, Redactor};

fn load(text: &str) -> Result<LoggingConfig, String> {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let loaded = Loader::<LoggingConfig>::new().file(file.path()).load();
    let name = file.path().display().to_string();
    loaded.map(|it| LoggingConfig::clone(&it.value)).map_err(|error| error.to_string().replace(&name, "FILE"))
}

#[test]
fn what_nobody_says_is_usual() {
    let config = load("").unwrap();
    assert_eq!(config, LoggingConfig::default());
    assert_eq!((config.level.as_str(), config.outputs.len()), ("info", 1));
    assert_eq!(config.outputs["stdout"].to, OutputKind::Stdout);
    assert!(config.redact.enabled && config.redact.patterns.is_empty());
    for key in ["password", "token", "secret", "key"] {
        assert!(config.redact.keys.iter().any(|own| own == key), "{key}");
    }
    let OutputKind::File(file) = load("[outputs.f.to.file]\npath = 'x.log'").unwrap().outputs["f"].to.clone()
    else {
        panic!()
    };
    assert!(!file.rotate && file.files_max == 10 && file.bytes_max.bytes() == 100 << 20, "{file:?}");
}

#[test]
fn everything_wrong_is_told_at_once_and_where_it_is() {
    let error = load(
        r#"
        level = "info,a=loud"
        [redact]
        keys = ["--"]
        paths = ["a..b"]
        [outputs.a]
        filter = "loud"
        to = "stdout"
        [outputs.b.to.http]
        url = "ftp://x"
        [outputs.c.to.file]
        path = ".."
        "#,
    )
    .unwrap_err();
    for part in [
        "FILE:2:17: `level` is not a log filter",
        "`keys` is wrong: `--` is no key",
        "`paths` is wrong: `a..b` is no path",
        "FILE:7:18: `filter` is not a filter: `loud` is not a level",
        "FILE:10:15: `url` is wrong",
        "FILE:12:16: `path` is wrong",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn an_output_of_an_unknown_type_is_refused_with_the_known_ones() {
    let error = load("[outputs.a.to.fax]\nnumber = 1").unwrap_err();
    for known in ["fax", "stdout", "stderr", "file", "syslog", "http", "elasticsearch", "datadog"] {
        assert!(error.contains(known), "{known}: {error}");
    }
    assert!(load("[outputs.a]\nto = \"stdout\"\nformt = \"json\"").unwrap_err().contains("formt"));
}

#[test]
fn an_environment_variable_goes_over_the_file() {
    let loaded = Loader::<LoggingConfig>::new().env_from("SHOP", [("SHOP_LEVEL", "debug")]).load().unwrap();
    assert_eq!(loaded.value.level, "debug");
}

#[test]
fn outputs_are_built_as_they_are_configured() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.log"), folder.path().join("deep/two.log"));
    let config = load(&format!(
        r#"
        redact.paths = ["email"]
        [outputs.one]
        format = "logstash"
        [outputs.one.to.file]
        path = "{}"
        [outputs.two]
        filter = "error"
        format = "structured"
        [outputs.two.to.file]
        path = "{}"
        "#,
        one.display(),
        two.display(),
    ))
    .unwrap();
    let mut config = config;
    config.outputs.remove("stdout");
    let logging = config.start(Vec::new(), source()).unwrap();
    let subscriber = {
        use tracing_subscriber::layer::SubscriberExt;
        tracing_subscriber::registry().with(logging.layer())
    };
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(email = "a@b.c", "x");
        tracing::error!("y");
    });
    assert!(logging.close(PATIENCE));
    let lines = std::fs::read_to_string(one).unwrap();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["@version"], &first["email"]), (&json!("1"), &json!("[REDACTED]")));
    assert_eq!(lines.lines().count(), 2);
    let lines = std::fs::read_to_string(two).unwrap();
    assert!(lines.contains(" level=error ") && lines.lines().count() == 1, "{lines}");
}

#[test]
fn redaction_can_be_switched_off() {
    let config = load("redact.enabled = false").unwrap();
    assert!(!config.redact.build().unwrap().hides("password"));
    assert!(Redactor::default().hides("password"));
}
