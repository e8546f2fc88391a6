use super::{Log, Server, loader};
use crate::config::{Loader, Validate, reference};

impl Validate for Log {}

#[test]
fn the_reference_lists_every_setting() {
    assert_eq!(
        reference::markdown::<Log>(Some("APP")),
        "## Top level\n\n\
         What is logged.\n\n\
         | key | type | default | meaning |\n|---|---|---|---|\n\
         | `file`<br>`APP_FILE` | text | none | Where to, if not to stderr. |\n\
         | `level`<br>`APP_LEVEL` | `debug`, `info`, `error` | `info` | The least severe that is shown. |\n"
    );
    let page = reference::markdown::<Server>(None);
    for row in [
        "| `receive.otlp.timeout` | duration, 10ms to 60s | `10s` | How long a request may take. |",
        "| `receive.key.<name>.secret` | secret | none | What the sender shows. |",
        "| `receive.hosts` | list of text | `[\"localhost\"]` | Names that may be asked for. |",
        "| `memory.workers` | integer, 1 to 64 | `2` | Workers. |",
        "| `store.backend.s3.bucket` | text | none | The bucket. |",
        "| `store.backend.local.sync` | boolean | `true` | Whether writes are synced. |",
        "## `[receive.key.<name>]`",
    ] {
        assert!(page.contains(row), "{row} is not in\n{page}");
    }
}

#[test]
fn tables_of_a_list_have_sections_without_variables() {
    /// Says who may do what.
    #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(default)]
    struct Rule {
        /// Who.
        names: Vec<String>,
        /// When.
        hours: Vec<Hours>,
    }
    /// From when to when.
    #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(default)]
    struct Hours {
        /// Begin.
        from: u8,
    }
    #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(default)]
    struct Rules {
        /// All of them.
        rules: Vec<Rule>,
    }
    impl Validate for Rules {}
    let page = reference::markdown::<Rules>(Some("APP"));
    let table = "\n\n| key | type | default | meaning |\n|---|---|---|---|\n";
    for part in [
        "| `rules`<br>`APP_RULES` | list of table | `[]` | All of them. |\n\n## `[[rules]]`\n".to_owned(),
        format!("Says who may do what.{table}| `rules.hours` | list of table | none | When. |\n"),
        "| `rules.names` | list of text | none | Who. |\n\n## `[[rules.hours]]`\n".to_owned(),
        format!("From when to when.{table}| `rules.hours.from` | integer, at most 255 | none | Begin. |\n"),
    ] {
        assert!(page.contains(&part), "{part} is not in\n{page}");
    }
    let text = reference::example::<Rules>();
    assert!(text.contains("# Says who may do what.\n# [[rules]]\n"), "{text}");
    assert!(text.contains("# [[rules.hours]]\n\n# Begin. (integer, at most 255)\n# from = \"\"\n"), "{text}");
}

#[test]
fn the_example_is_the_defaults() {
    let text = reference::example::<Server>();
    assert!(
        text.contains("# How long a request may take. (duration, 10ms to 60s)\n# timeout = \"10s\"\n"),
        "{text}"
    );
    // Taking the marks off the lines of the tables that are there gives the defaults again.
    let live = text.split("\n\n").filter(|part| !part.contains('<') && !part.contains("s3]"));
    let settings = live.flat_map(str::lines).map(|line| match line.strip_prefix("# ") {
        Some(table) if table.starts_with('[') => table,
        Some(setting) if setting.contains(" = ") && !setting.ends_with("\"\"") => setting,
        _ => line,
    });
    let text = settings.collect::<Vec<_>>().join("\n");
    let (_dir, path) = super::file("example.toml", &text);
    let loaded = loader().file(path).load().unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(loaded.export(), loader().load().unwrap().export());
}

#[test]
fn undocumented_settings_are_found() {
    #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(default)]
    struct Bare {
        /// Has one.
        told: bool,
        untold: bool,
    }
    impl Validate for Bare {}
    assert_eq!(reference::undocumented::<Bare>(), ["untold"]);
    assert_eq!(reference::undocumented::<Server>(), [""; 0]);
    let _ = Loader::<Bare>::new();
}

#[test]
fn the_schema_is_closed_and_described() {
    let schema = reference::schema::<Server>();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["memory"]["description"], "The one budget.");
}
