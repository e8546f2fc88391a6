//! Rule files on the disk.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use detect::rules::{FILE_MAX, RuleFile};
use promql::ParseOptions;

/// Files that patterns may name together.
const FILES_MAX: usize = 10_000;

/// A file as it looked: when it looks the same, it was not changed.
pub type Look = (PathBuf, Option<(SystemTime, u64)>);

/// The text of a file.
pub fn text(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let most = FILE_MAX as u64;
    file.take(most + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > most {
        return Err(format!("{}: is longer than {most} bytes", path.display()));
    }
    Ok(text)
}

/// Reads a rule file; else all that is wrong, each with `file:line:column`.
pub fn read(path: &Path, experimental: bool) -> Result<RuleFile, Vec<String>> {
    let text = text(path).map_err(|problem| vec![problem])?;
    let place = path.display();
    RuleFile::parse(&text, &ParseOptions::new(experimental))
        .map_err(|problems| problems.iter().map(|problem| format!("{place}:{problem}")).collect())
}

/// The files that a pattern names, relative to a folder, sorted.
pub fn matching(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    // Only the pattern's own stars mean something.
    let folder = glob::Pattern::escape(&folder.to_string_lossy());
    let whole = if Path::new(pattern).is_absolute() || folder.is_empty() {
        pattern.to_owned()
    } else {
        format!("{folder}/{pattern}")
    };
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(&whole, options).map_err(|error| format!("{pattern}: {error}"))?;
    let mut found = Vec::new();
    for path in paths {
        found.push(path.map_err(|error| format!("{pattern}: {error}"))?);
        if found.len() > FILES_MAX {
            return Err(format!("{pattern}: more than {FILES_MAX} files"));
        }
    }
    found.sort();
    Ok(found)
}

/// The files that the configuration names, each once. One that is named without a star has to be
/// there.
pub fn configured(patterns: &[String]) -> Result<Vec<PathBuf>, Vec<String>> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for pattern in patterns {
        match matching(Path::new(""), pattern) {
            Ok(found) if found.is_empty() && !pattern.contains(['*', '?', '[']) => {
                problems.push(format!("{pattern}: no such file"));
            }
            Ok(found) => files.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Reads the files that the configuration names; else all that is wrong with all of them.
pub fn read_configured(
    patterns: &[String],
    experimental: bool,
) -> Result<Vec<(String, RuleFile)>, Vec<String>> {
    let (mut read, mut problems) = (Vec::new(), Vec::new());
    for path in configured(patterns)? {
        match self::read(&path, experimental) {
            Ok(file) => read.push((path.display().to_string(), file)),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

/// How the files look that the configuration names.
pub fn looks(patterns: &[String]) -> Vec<Look> {
    let look = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).ok();
        let look = metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len())));
        (path, look)
    };
    // What cannot be found is said when it is read.
    patterns
        .iter()
        .flat_map(|pattern| matching(Path::new(""), pattern).unwrap_or_default())
        .map(look)
        .collect()
}
