//! The generated references: what stands in `docs/reference/`.

use std::fmt::Write as _;

use clap::CommandFactory;
use fresnel_sdk::config::reference as config_reference;
use fresnel_sdk::telemetry::metrics::Registry;

use crate::cli::{Cli, Reference};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::print;

/// Prints one of them.
pub fn run(what: Reference) -> Result<()> {
    let text = match what {
        Reference::Config => config_reference::markdown::<Config>(Some("FRESNEL")),
        Reference::Example => config_reference::example::<Config>(),
        Reference::SchemaJson => format!("{:#}", config_reference::schema::<Config>()),
        Reference::Cli => command_line(),
        Reference::Metrics => metrics()?,
        Reference::Openapi => api::openapi_document(),
    };
    print::line(text.trim_end())
}

/// Prints a shell's completions.
pub fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fresnel", &mut out);
    print::bytes(&out)
}

/// `--help` of every command, as people see it.
fn command_line() -> String {
    let mut text =
        String::from("# Command line\n\nGenerated from `crates/server/src/cli.rs`; do not edit.\n");
    let mut command = Cli::command().term_width(100);
    command.build();
    sections(&mut text, "fresnel", &mut command);
    text.push_str("\nExit codes: 0 done, 1 the answer is no, 2 usage or configuration.\n");
    text
}

/// A command and what is below it.
fn sections(text: &mut String, title: &str, command: &mut clap::Command) {
    section(text, title, command);
    let shown = |command: &&mut clap::Command| !command.is_hide_set() && command.get_name() != "help";
    for subcommand in command.get_subcommands_mut().filter(shown) {
        let title = format!("{title} {}", subcommand.get_name());
        sections(text, &title, subcommand);
    }
}

fn section(text: &mut String, title: &str, command: &mut clap::Command) {
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing into a text cannot fail.
    let _ = write!(text, "\n## {title}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
}

/// Name, kind, unit and meaning of every instrument of the server.
fn metrics() -> Result<String> {
    let registry = Registry::new();
    let folder = tempfile::tempdir().map_err(|error| Failure::new("no temporary folder").cause(error))?;
    crate::command::serve::instruments(&registry, folder.path())?;
    let mut text = String::from(
        "# The server's own metrics\n\nGenerated; do not edit. At `/metrics` in Prometheus' names (dots are underscores, \
         unit and `_total` are suffixes), and stored like everybody's under the service name `fresnel`.\n\n\
         | name | kind | unit | meaning |\n|---|---|---|---|\n",
    );
    for (name, kind, unit, description) in registry.describe() {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "| `{name}` | {kind} | `{unit}` | {description} |");
    }
    Ok(text)
}
