//! The command line. `docs/reference/cli.md` is made from it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// One process for everything a running system says about itself: logs, traces and metrics, kept
/// durably, asked with SQL, seen on a page.
#[derive(Debug, Parser)]
#[command(
    name = "fresnel",
    version,
    after_help = "To begin:\n  fresnel demo                 a small shop with every page full, nothing kept\n  \
                  fresnel serve                the server; then open http://127.0.0.1:4300\n\n\
                  Send OTLP to 127.0.0.1:4317 (gRPC) or http://127.0.0.1:4318 (HTTP)."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server until it is told to stop (SIGTERM or Ctrl-C).
    Serve(ServeArgs),
    /// Run a small shop that sends logs, traces and metrics, so that every page is full.
    Demo(DemoArgs),
    /// Check the configuration and show what is in effect, secrets masked; or check other files.
    #[command(args_conflicts_with_subcommands = true)]
    Check(CheckArgs),
    /// Test what is configured, without a server.
    Test(TestArgs),
    /// Ask a running server in SQL.
    #[command(
        after_help = "Example:\n  fresnel query \"SELECT time, service_name, body FROM logs ORDER BY time DESC LIMIT 20\"\n\n\
                            Tables: logs, spans, metrics, samples, series, histograms, exemplars, downsampled;\n\
                            DESCRIBE logs tells the columns, EXPLAIN SELECT … how it is answered.\n\
                            Attributes: attributes['http.route']."
    )]
    Query(QueryArgs),
    /// Show how a running server is.
    Status(StatusArgs),
    /// Have a running server merge its files now: as few and as small as they get.
    #[command(after_help = "Example:\n  fresnel compact --table samples --day 2026-11-21\n\n\
                            The server merges by itself what is worth it; this is for who does not want to wait, for\n\
                            example before a backup. Records in memory become files first. Senders and readers go on.")]
    Compact(CompactArgs),
    /// Print the version.
    Version,
    /// Print completions for a shell, to be sourced by it.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print a generated reference.
    #[command(hide = true)]
    Reference {
        /// Which one.
        what: Reference,
    },
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Configuration file, TOML or YAML [default: fresnel.toml, if there is one].
    #[arg(long, short, value_name = "FILE", env = "FRESNEL_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of everything that is kept (store.dir) [default: fresnel-data].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Address of page and API (api.listen) [default: 127.0.0.1:4300].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<String>,
    /// Address of OTLP/gRPC (receive.otlp.grpc.listen) [default: 127.0.0.1:4317].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub otlp_grpc: Option<String>,
    /// Address of OTLP/HTTP (receive.otlp.http.listen) [default: 127.0.0.1:4318].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub otlp_http: Option<String>,
    /// Memory the process may use (memory.limit) [default: 2 GiB].
    #[arg(long, value_name = "SIZE")]
    pub memory_limit: Option<String>,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Send to this OTLP/HTTP endpoint instead of an own server in a temporary folder.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Visits of customers a second; one of three orders.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// How long the shop has been open already, so that there is something to look at; shorter where
    /// that would be more than 20,000 visits.
    #[arg(long, value_name = "DURATION", default_value = "15m")]
    pub history: fresnel_sdk::config::Duration,
    /// Address of page and API of the own server; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4300")]
    pub http: String,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Configuration file, TOML or YAML [default: fresnel.toml, if there is one].
    #[arg(long, short, value_name = "FILE", env = "FRESNEL_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub what: Option<CheckWhat>,
}

#[derive(Debug, Subcommand)]
pub enum CheckWhat {
    /// Check Prometheus' rule files: syntax, expressions and templates, everything at once.
    Rules(CheckRulesArgs),
}

#[derive(Debug, Args)]
pub struct CheckRulesArgs {
    /// Rule files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Allow experimental functions and syntax (query.prometheus.experimental).
    #[arg(long)]
    pub experimental: bool,
}

#[derive(Debug, Args)]
pub struct TestArgs {
    #[command(subcommand)]
    pub what: TestWhat,
}

#[derive(Debug, Subcommand)]
pub enum TestWhat {
    /// Run the unit test files of `promtool test rules`.
    Rules(TestRulesArgs),
}

#[derive(Debug, Args)]
pub struct TestRulesArgs {
    /// Test files; they name the rule files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How the results are printed.
    #[arg(long, short, value_enum, default_value_t = TestOutput::Text)]
    pub format: TestOutput,
    /// Allow experimental functions and syntax (query.prometheus.experimental).
    #[arg(long)]
    pub experimental: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestOutput {
    /// What differs, for people.
    Text,
    /// One JSON document.
    Json,
}

#[derive(Debug, Args)]
pub struct RemoteArgs {
    /// The server.
    #[arg(long, value_name = "URL", env = "FRESNEL_URL", default_value = "http://127.0.0.1:4300")]
    pub url: String,
    /// Whose records (X-Scope-OrgID), on a server without keys.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// The key, on a server with keys.
    #[arg(long, value_name = "SECRET", env = "FRESNEL_KEY", hide_env_values = true)]
    pub key: Option<String>,
}

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The statement; read from standard input when it is missing or `-`.
    pub statement: Option<String>,
    /// How the answer is printed.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    pub format: Output,
    /// How long it may take, such as 30s.
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned columns, for people.
    Table,
    /// One JSON document.
    Json,
    /// Comma-separated values with a header line.
    Csv,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

#[derive(Debug, Args)]
pub struct CompactArgs {
    /// Only files of this table; may come several times [default: all].
    #[arg(long, value_name = "NAME")]
    pub table: Vec<String>,
    /// Only files of this UTC day, such as 2026-11-21; may come several times [default: all].
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub day: Vec<String>,
    /// Print JSON, a line for each merge.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reference {
    /// docs/reference/config.md
    Config,
    /// docs/reference/cli.md
    Cli,
    /// docs/reference/metrics.md
    Metrics,
    /// docs/reference/openapi.json
    Openapi,
    /// docs/reference/config.schema.json
    SchemaJson,
    /// docs/reference/fresnel.example.toml
    Example,
}
