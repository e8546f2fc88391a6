//! How long functions and files are.

use std::collections::BTreeMap;

/// What is too long, and why: `path function lines reason`; the function is `-` for a whole file.
pub(super) const RATCHET: &str = "xtask/ratchet.txt";
const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 800;

/// A function or, where it has no name, a file.
type Place = (String, String);

/// What is longer than allowed, and what the ratchet allows without need.
pub(super) fn faults(files: &[(String, String)], ratchet: &str) -> Vec<String> {
    let mut allowed = BTreeMap::new();
    let mut faults = Vec::new();
    for line in ratchet.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match entry(line) {
            Some((place, lines)) => drop(allowed.insert(place, lines)),
            None => faults.push(format!("{RATCHET}: not `path function lines reason`: {line}")),
        }
    }
    for (place, lines) in long_places(files) {
        let (path, function) = &place;
        let what = if function == "-" { path.clone() } else { format!("{path}: {function}") };
        match allowed.remove(&place) {
            None => {
                faults.push(format!("{what} has {lines} lines: look twice, or give it a line in {RATCHET}"))
            }
            Some(limit) if lines > limit => faults.push(format!("{what} grew from {limit} to {lines} lines")),
            Some(limit) if lines < limit => {
                faults.push(format!("{what} shrank from {limit} to {lines} lines: say so in {RATCHET}"));
            }
            Some(_) => {}
        }
    }
    faults.extend(
        allowed.keys().map(|(path, function)| format!("{RATCHET}: {path} {function} needs no line any more")),
    );
    faults
}

fn entry(line: &str) -> Option<(Place, usize)> {
    let mut words = line.splitn(4, ' ');
    let (path, function) = (words.next()?, words.next()?);
    let lines = words.next()?.parse().ok()?;
    let reason = words.next()?.trim();
    (!reason.is_empty()).then(|| ((path.to_owned(), function.to_owned()), lines))
}

fn long_places(files: &[(String, String)]) -> BTreeMap<Place, usize> {
    let mut long = BTreeMap::new();
    for (path, content) in files {
        let lines = content.lines().count();
        if lines > FILE_LINES_MAX {
            long.insert((path.clone(), "-".to_owned()), lines);
        }
        for (name, lines) in functions(content).into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX) {
            let longest = long.entry((path.clone(), name)).or_default();
            *longest = lines.max(*longest);
        }
    }
    long
}

/// Names and lengths of a file's functions. rustfmt puts a body's last brace below the beginning of
/// its `fn` line, so that no parser is needed.
pub(super) fn functions(content: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = content.lines().collect();
    let mut found = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        // A declaration without a body ends before one begins.
        let opening = lines[first..].iter().position(|line| line.trim_end().ends_with(['{', '}', ';']));
        let Some(opening) = opening.map(|offset| first + offset) else { continue };
        if !lines[opening].trim_end().ends_with('{') {
            continue;
        }
        if let Some(length) = lines[opening..].iter().position(|line| *line == end) {
            found.push((name.to_owned(), opening - first + length + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let modifiers = ["pub", "async", "const", "unsafe", "extern", "default", "\"C\""];
    let is_modifier =
        |word: &str| modifiers.contains(&word) || word.starts_with("pub(") || word.ends_with(')');
    let name = after.split(['(', '<']).next()?.trim();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && before.split_whitespace().all(is_modifier)).then_some(name)
}
