use crate::cli::{CheckArgs, CheckRulesArgs, CheckWhat};
use crate::config;
use crate::failure::{Failure, Result};
use crate::print;
use crate::rules::files;

/// Checks what the command names: the configuration, or other files.
pub fn run(args: &CheckArgs) -> Result<()> {
    match &args.what {
        None => configuration(args),
        Some(CheckWhat::Rules(args)) => rules(args),
    }
}

/// Loads the configuration as `serve` would and prints what is in effect.
fn configuration(args: &CheckArgs) -> Result<()> {
    let loaded = config::load(args.config.as_deref())?;
    for warning in &loaded.warnings {
        complain(&warning.to_string());
    }
    // Its files are configuration too.
    super::serve::scraper(&loaded.value)?;
    super::serve::check_rules(&loaded.value)?;
    let sources = loaded.sources().join(", ");
    complain(&format!("configuration is valid; sources: {sources}"));
    print::line(&loaded.export())
}

/// Reads rule files and says what is wrong with all of them.
fn rules(args: &CheckRulesArgs) -> Result<()> {
    let mut problems = Vec::new();
    for path in &args.files {
        match files::read(path, args.experimental) {
            Ok(file) => {
                let rules: usize = file.groups.iter().map(|group| group.rules.len()).sum();
                for (name, labels) in file.duplicates() {
                    let labels: promql::Labels = labels.into_iter().collect();
                    let path = path.display();
                    complain(&format!("warning: {path}: the rule {name} {labels} is there more than once"));
                }
                print::line(&format!("{}: {} groups, {rules} rules", path.display(), file.groups.len()))?;
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(problems.into_iter().fold(Failure::new("invalid rules"), Failure::cause))
}

#[expect(clippy::print_stderr, reason = "standard error is talk")]
fn complain(text: &str) {
    eprintln!("{text}");
}
