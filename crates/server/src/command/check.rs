use crate::cli::CheckArgs;
use crate::config;
use crate::failure::Result;
use crate::print;

/// Loads the configuration as `serve` would and prints what is in effect.
pub fn run(args: &CheckArgs) -> Result<()> {
    let loaded = config::load(args.config.as_deref())?;
    for warning in &loaded.warnings {
        complain(&warning.to_string());
    }
    // Its files are configuration too.
    super::serve::scraper(&loaded.value)?;
    let sources = loaded.sources().join(", ");
    complain(&format!("configuration is valid; sources: {sources}"));
    print::line(&loaded.export())
}

#[expect(clippy::print_stderr, reason = "standard error is talk")]
fn complain(text: &str) {
    eprintln!("{text}");
}
