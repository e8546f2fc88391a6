//! The configuration that tests use, in one place: the keys are a contract with users.

/// Only what the test sends comes in, so that the ledger holds nothing else.
pub(crate) const QUIET: &str = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n";

/// Files so small and merges so early that a kill at any moment falls into a seal, a commit or a
/// merge. Files that were merged go as soon as nobody reads them.
pub(crate) const TINY_FILES: &str = r#"
[store.wal]
file_size = "1 MiB"
size_max = "4 MiB"

[store.seal]
size = "64 KiB"
age = "300ms"

[store.compact]
files_min = 2
grace = "0s"
"#;

/// Only the server's own telemetry comes in by itself.
pub(crate) const NO_HOST: &str = "[receive.host]\nenabled = false\n";

/// As many series as there is memory for, and most of it for the query that counts them afterwards, however
/// long that takes.
pub(crate) const SERIES_WITHOUT_END: &str = "[store]\nseries_max = 100_000_000\nseries_max_per_metric = 100_000_000\n\
    [query]\nmemory_share = 0.9\ntimeout = \"2m\"\n";
