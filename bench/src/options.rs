//! What the command line and the environment say.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// Rounds of what is repeated, at full scale.
const ROUNDS: usize = 3;

/// How to measure.
pub(crate) struct Options {
    /// The server's binary.
    pub(crate) server: PathBuf,
    /// A Python; the peers that are Python packages are asked through it.
    pub(crate) python: PathBuf,
    /// Multiplies how much is sent, and how long is waited.
    pub(crate) scale: f64,
    /// How often a measurement is repeated where that is affordable.
    pub(crate) rounds: usize,
    /// Leave out of the road (`logs as zstd`, `metrics`) and of the metrics (`ingest`, `one instance`, `week`, `new
    /// series`) what this is not a part of.
    only: String,
    kept: Option<PathBuf>,
    temporary: TempDir,
}

impl Options {
    /// The options, and the scenarios that were named.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(Self, Vec<String>)> {
        let (mut server, mut python, mut kept, mut named) = (None, None, None, Vec::new());
        while let Some(argument) = arguments.next() {
            let into = match argument.as_str() {
                "--server" => &mut server,
                "--python" => &mut python,
                "--dir" => &mut kept,
                // What `cargo bench` adds for harnesses of its own.
                "--bench" => continue,
                unknown if unknown.starts_with('-') => bail!("unknown option {unknown}"),
                _ => {
                    named.push(argument);
                    continue;
                }
            };
            *into =
                Some(PathBuf::from(arguments.next().with_context(|| format!("{argument} needs a path"))?));
        }
        let server = server.context("--server PATH is missing")?;
        anyhow::ensure!(server.is_file(), "there is no server at {}", server.display());
        let scale = match std::env::var("FRESNEL_BENCH_SCALE") {
            Ok(text) => text.parse().with_context(|| format!("FRESNEL_BENCH_SCALE {text:?}"))?,
            Err(_) => 1.0,
        };
        anyhow::ensure!(scale > 0.0, "FRESNEL_BENCH_SCALE must be above 0");
        let temporary = TempDir::with_prefix("fresnel-bench-").context("make a temporary folder")?;
        let rounds = if scale < 0.5 { 1 } else { ROUNDS };
        let python = python.unwrap_or_else(|| "python3".into());
        let only = std::env::var("FRESNEL_BENCH_ONLY").unwrap_or_default();
        Ok((Self { server, python, scale, rounds, only, kept, temporary }, named))
    }

    /// Where what is made once lies: kept between runs when a folder was given.
    pub(crate) fn dir(&self) -> &Path {
        self.kept.as_deref().unwrap_or(self.temporary.path())
    }

    /// Whether this part of a scenario is wanted.
    pub(crate) fn wants(&self, part: &str) -> bool {
        part.contains(&self.only)
    }

    /// A new folder that is gone after the run.
    pub(crate) fn temporary(&self, name: &str) -> Result<TempDir> {
        // On the disk that was asked for: fsync is part of what is measured.
        std::fs::create_dir_all(self.dir()).context("make the folder of the run")?;
        TempDir::with_prefix_in(format!("{name}-"), self.dir()).context("make a temporary folder")
    }

    /// A number at this scale, at least `least`.
    pub(crate) fn scaled(&self, number: usize, least: usize) -> usize {
        ((number as f64 * self.scale) as usize).max(least)
    }
}
