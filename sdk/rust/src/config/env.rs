//! The environment layer: which variable means which path.

use std::sync::Arc;

use super::error::{Failure, Problem, Warning};
use super::node::Node;
use super::origin::Origin;
use super::path::KeyPath;
use super::shape::{Kind, Shape};
use super::text;

/// A variable, of the process or of a file.
#[derive(Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Nothing when it is no text.
    pub(super) value: Option<String>,
    pub(super) origin: Origin,
}

impl Variable {
    /// One of the process.
    pub(super) fn new(name: String, value: Option<String>) -> Self {
        let origin = Origin::Env { name: Arc::from(name.as_str()) };
        Self { name, value, origin }
    }
}

/// What variables say: paths with values, in the order of the variables.
pub(super) fn read<'a>(
    prefix: &str,
    variables: impl IntoIterator<Item = &'a Variable>,
    shape: &Shape,
    failures: &mut Vec<Failure>,
    warnings: &mut Vec<Warning>,
) -> Vec<(KeyPath, Node)> {
    let mut values = Vec::new();
    for Variable { name, value, origin } in variables {
        let Some(rest) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')) else { continue };
        let origin = origin.clone();
        match (&find(shape, rest)[..], value) {
            ([path], Some(value)) => values.push((path.clone(), text::read(value, shape.at(path), &origin))),
            ([path], None) => {
                let problem = Problem::about(origin, path, "must be valid UTF-8");
                failures.push((path.clone(), problem));
            }
            ([], _) => {
                let message = unknown(&origin, prefix, rest, shape);
                warnings.push(Warning { origin, message });
            }
            ([first, second, ..], _) => {
                let message = format!("means both `{first}` and `{second}`; set it in a file instead");
                failures.push((first.clone(), Problem::new(origin, first, message)));
            }
        }
    }
    values
}

/// The paths that a variable without its prefix can mean. Names are compared along the shape,
/// because an underscore may separate keys or be part of one.
pub(super) fn find(shape: &Shape, rest: &str) -> Vec<KeyPath> {
    let mut found = Vec::new();
    walk(shape, rest, &KeyPath::default(), &mut found);
    found.dedup();
    found
}

fn walk(shape: &Shape, rest: &str, at: &KeyPath, found: &mut Vec<KeyPath>) {
    let before = found.len();
    let mut step = |name: &str, shape: &Shape| match rest.strip_prefix(&*variable(name)) {
        Some("") => found.push(at.key(name)),
        Some(tail) => {
            if let Some(tail) = tail.strip_prefix('_') {
                walk(shape, tail, &at.key(name), found);
            }
        }
        None => {}
    };
    match &shape.kind {
        Kind::Table(table) => {
            table.fields.iter().for_each(|field| step(&field.name, &field.shape));
            if let Some(entry) = table.entries.as_deref().filter(|_| found.len() == before) {
                walk_entries(entry, rest, at, found);
            }
        }
        Kind::Choice(variants) => {
            let with_payload = variants.iter().filter_map(|variant| Some((variant, variant.shape.as_ref()?)));
            with_payload.for_each(|(variant, shape)| step(&variant.name, shape));
        }
        Kind::Scalar(scalar) if scalar.secret => {
            ["file", "env"].iter().for_each(|name| step(name, &Shape::default()));
        }
        Kind::Any | Kind::Scalar(_) | Kind::List(_) => {}
    }
}

/// Keys of the user's own: every way to split the rest into a key and a path that exists.
fn walk_entries(entry: &Shape, rest: &str, at: &KeyPath, found: &mut Vec<KeyPath>) {
    for (split, _) in rest.match_indices('_') {
        walk(entry, &rest[split + 1..], &at.key(&rest[..split].to_lowercase()), found);
    }
    let whole = !rest.is_empty() && matches!(entry.kind, Kind::Any | Kind::Scalar(_) | Kind::List(_));
    if whole && found.is_empty() {
        found.push(at.key(&rest.to_lowercase()));
    }
}

/// A key as it appears in a variable's name.
pub(super) fn variable(key: &str) -> String {
    key.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn unknown(origin: &Origin, prefix: &str, rest: &str, shape: &Shape) -> String {
    let mut known = Vec::new();
    names(shape, prefix, &mut known);
    let full = format!("{prefix}_{rest}");
    // Where it is not the place itself that is shown, the name must be.
    let name = if matches!(origin, Origin::Env { .. }) { String::new() } else { format!(" {full}") };
    match text::suggest(&full, known.iter().map(String::as_str)) {
        Some(near) => format!("unknown variable{name}, did you mean {near}?"),
        None => format!("unknown variable{name}"),
    }
}

/// The variables of all settings whose names are known beforehand.
fn names(shape: &Shape, prefix: &str, known: &mut Vec<String>) {
    let mut step = |name: &str, shape: &Shape| names(shape, &format!("{prefix}_{}", variable(name)), known);
    match &shape.kind {
        Kind::Table(table) => table.fields.iter().for_each(|field| step(&field.name, &field.shape)),
        Kind::Choice(variants) if variants.iter().any(|variant| variant.shape.is_some()) => {
            let with_payload = variants.iter().filter_map(|variant| Some((variant, variant.shape.as_ref()?)));
            with_payload.for_each(|(variant, shape)| step(&variant.name, shape));
        }
        _ => known.push(prefix.to_owned()),
    }
}
