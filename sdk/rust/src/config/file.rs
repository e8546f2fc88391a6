//! The file layer: reads a file and hands it to the parser for its extension.

use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{LoadError, Problem};
use super::node::Node;
use super::origin::Origin;
use super::path::KeyPath;
use super::{toml, yaml};

/// More is no configuration.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The tree of a file; nothing when it may be missing and is.
pub(super) fn read(path: &Path, required: bool, problems: &mut Vec<Problem>) -> Option<Node> {
    let source = Source::new(path);
    match read_text(path) {
        Ok(text) => source.with_lines(&text).parse(&text, problems),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !required => None,
        Err(error) => {
            problems.push(source.problem(format!("cannot be read: {error}")));
            None
        }
    }
}

/// What a file in TOML, YAML or JSON says, without a type to go by.
///
/// # Errors
/// It cannot be read, or is not what its name says; with the place.
pub fn read_value(path: &Path) -> Result<serde_json::Value, LoadError> {
    let mut problems = Vec::new();
    let tree = read(path, true, &mut problems);
    if !problems.is_empty() {
        return Err(LoadError::new(problems, Vec::new()));
    }
    Ok(tree.map_or(serde_json::Value::Null, |tree| tree.to_json()))
}

/// The files in a folder that are configuration by their names, in the order of these; none when
/// the folder is not there.
pub(super) fn list(folder: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut files: Vec<_> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.path()).filter(|path| is_known(path)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            problems.push(Source::new(folder).problem(format!("cannot be read: {error}")));
            Vec::new()
        }
    };
    files.sort();
    files
}

/// Whether a file is read: editors keep theirs beside it, with a dot in front.
fn is_known(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && matches!(extension, Some("toml" | "yaml" | "yml" | "json"))
}

/// A text file within the limit.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// A file whose offsets can be told as line and column.
pub(super) struct Source {
    path: Arc<Path>,
    line_starts: Vec<usize>,
}

impl Source {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.into(), line_starts: Vec::new() }
    }

    pub(super) fn with_lines(self, text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { line_starts: std::iter::once(0).chain(starts).collect(), ..self }
    }

    fn parse(&self, text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self.path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => toml::read_file(text, self, problems),
            // JSON is YAML.
            Some("yaml" | "yml" | "json") => yaml::read_file(text, self, problems),
            _ => {
                problems.push(self.problem("must end in .toml, .yaml, .yml or .json".into()));
                None
            }
        }
    }

    pub(super) fn problem(&self, message: String) -> Problem {
        Problem::new(Origin::file(&self.path), &KeyPath::default(), message)
    }

    /// The place at a byte offset.
    pub(super) fn at_offset(&self, text: &str, offset: usize) -> Origin {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts[line - 1];
        let column = text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        self.at(line, column)
    }

    pub(super) fn at(&self, line: usize, column: usize) -> Origin {
        Origin::File { path: self.path.clone(), line, column }
    }
}
