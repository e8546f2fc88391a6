//! Documentation made from the type: every setting with type, default, limits and meaning.

use std::fmt::Write;

use serde_json::Value as Json;

use super::Config;
use super::check::written;
use super::env::variable;
use super::loaded::masked;
use super::node::{Node, Value};
use super::origin::Origin;
use super::path::KeyPath;
use super::shape::{Kind, Scalar, Shape, Variant, schema_of};

/// The JSON Schema of `T`, for editors and for checking files elsewhere.
pub fn schema<T: Config>() -> Json {
    schema_of::<T>().to_value()
}

/// The settings as Markdown: one section for each table, one row for each setting. With a prefix,
/// each row also names its environment variable; what is in a list of tables has none of its own.
pub fn markdown<T: Config>(prefix: Option<&str>) -> String {
    let mut page = String::new();
    for section in sections::<T>() {
        if section.rows.is_empty() {
            continue;
        }
        let title =
            if section.path.is_empty() { "Top level".into() } else { format!("`{}`", section.heading()) };
        let _ = writeln!(page, "\n## {title}\n");
        if !section.description.is_empty() {
            let _ = writeln!(page, "{}\n", section.description);
        }
        page.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        for row in &section.rows {
            let prefix = prefix.filter(|_| !section.is_list);
            let variable = prefix.map(|prefix| format!("<br>`{}`", row.variable(prefix))).unwrap_or_default();
            let (path, kind, default) = (&row.path, &row.kind, row.default_markdown());
            let _ =
                writeln!(page, "| `{path}`{variable} | {kind} | {default} | {} |", cell(&row.description));
        }
    }
    page.trim_start().to_owned()
}

/// A file with every setting at its default, commented out, with its meaning above it.
pub fn example<T: Config>() -> String {
    let mut file = String::new();
    for section in sections::<T>().iter().filter(|section| !section.rows.is_empty()) {
        file.push('\n');
        comment(&mut file, &section.description);
        if !section.path.is_empty() {
            let mark = if section.optional { "# " } else { "" };
            let _ = writeln!(file, "{mark}{}", section.heading());
        }
        for row in &section.rows {
            file.push('\n');
            comment(&mut file, &format!("{} ({})", row.description, row.kind).replace('`', ""));
            let _ = writeln!(file, "# {} = {}", row.name, row.example());
        }
    }
    file.trim_start().to_owned()
}

/// The settings without a doc comment. A test keeps this empty.
pub fn undocumented<T: Config>() -> Vec<String> {
    let rows = sections::<T>().into_iter().flat_map(|section| section.rows);
    rows.filter(|row| row.description.is_empty()).map(|row| row.path.to_string()).collect()
}

struct Section {
    path: KeyPath,
    description: String,
    /// It is not there unless somebody writes it: a key of the user's own, or a variant.
    optional: bool,
    /// There may be several.
    is_list: bool,
    rows: Vec<Row>,
}

impl Section {
    /// As it stands in TOML.
    fn heading(&self) -> String {
        if self.is_list { format!("[[{}]]", self.path) } else { format!("[{}]", self.path) }
    }
}

struct Row {
    path: KeyPath,
    name: String,
    kind: String,
    default: Option<Json>,
    description: String,
    secret: bool,
}

impl Row {
    fn variable(&self, prefix: &str) -> String {
        let keys = self.path.segments().iter().map(|key| variable(key.trim_matches(['<', '>'])));
        std::iter::once(prefix.to_owned()).chain(keys).collect::<Vec<_>>().join("_")
    }

    fn default_markdown(&self) -> String {
        match &self.default {
            None | Some(Json::Null) => "none".into(),
            Some(_) if self.secret => "none".into(),
            Some(json) => format!("`{}`", cell(&written(json))),
        }
    }

    /// The right side of an assignment in TOML, which for these values is the same as in JSON.
    fn example(&self) -> String {
        match &self.default {
            Some(json) if !json.is_null() && !self.secret => json.to_string(),
            _ => "\"\"".into(),
        }
    }
}

fn sections<T: Config>() -> Vec<Section> {
    let (shape, defaults) = (Shape::of::<T>(), Node::from_json(masked(&T::default()), &Origin::Default));
    let mut lister = Lister { defaults, sections: Vec::new() };
    lister.section(&shape, &KeyPath::default(), &shape.description, false);
    lister.sections
}

struct Lister {
    defaults: Node,
    sections: Vec<Section>,
}

impl Lister {
    /// Lists a table: its own settings first, then the tables in it.
    fn section(&mut self, shape: &Shape, path: &KeyPath, description: &str, optional: bool) {
        let place = self.sections.len();
        let (path, description) = (path.clone(), description.to_owned());
        let new = Section { path: path.clone(), description, optional, is_list: false, rows: Vec::new() };
        self.sections.push(new);
        let mut rows = Vec::new();
        match &shape.kind {
            Kind::Table(table) => {
                for field in &table.fields {
                    let description = if field.description.is_empty() {
                        &field.shape.description
                    } else {
                        &field.description
                    };
                    self.member(&field.shape, &path.key(&field.name), description, optional, &mut rows);
                }
                // Keys that nobody described may be there, but there is nothing to tell about them.
                if let Some(entry) = table.entries.as_deref().filter(|entry| !matches!(entry.kind, Kind::Any))
                {
                    self.member(entry, &path.key("<name>"), &entry.description, true, &mut rows);
                }
            }
            Kind::Choice(variants) => {
                for (variant, shape) in variants.iter().filter_map(|it| Some((it, it.shape.as_ref()?))) {
                    let path = path.key(&variant.name);
                    self.member(shape, &path, &variant.description, true, &mut rows);
                }
            }
            Kind::Any | Kind::Scalar(_) | Kind::List(_) => {}
        }
        self.sections[place].rows = rows;
    }

    fn member(
        &mut self,
        shape: &Shape,
        path: &KeyPath,
        description: &str,
        optional: bool,
        rows: &mut Vec<Row>,
    ) {
        let is_table = match &shape.kind {
            Kind::Table(_) => true,
            Kind::Choice(variants) => variants.iter().any(|variant| variant.shape.is_some()),
            Kind::Any | Kind::Scalar(_) | Kind::List(_) => false,
        };
        if is_table {
            let absent = self.defaults.get(path).is_none_or(Node::is_null);
            return self.section(shape, path, description, optional || absent);
        }
        let default = self.defaults.get(path).filter(|node| !matches!(node.value, Value::Table(_)));
        rows.push(Row {
            name: path.name().to_string(),
            path: path.clone(),
            kind: kind(shape),
            default: default.map(Node::to_json),
            description: description.to_owned(),
            secret: shape.is_secret(),
        });
        if let Kind::List(item) = &shape.kind
            && matches!(item.kind, Kind::Table(_))
        {
            let place = self.sections.len();
            self.section(item, path, &item.description, true);
            self.sections[place].is_list = true;
        }
    }
}

/// The type with its limits, in a few words.
fn kind(shape: &Shape) -> String {
    match &shape.kind {
        Kind::Scalar(scalar) => scalar_kind(scalar),
        Kind::List(item) => format!("list of {}", kind(item)),
        Kind::Table(_) => "table".into(),
        Kind::Choice(variants) => names(variants),
        Kind::Any => "any".into(),
    }
}

fn names(variants: &[Variant]) -> String {
    let names: Vec<_> = variants.iter().map(|variant| format!("`{}`", variant.name)).collect();
    names.join(", ")
}

fn scalar_kind(scalar: &Scalar) -> String {
    let name = match scalar.format.as_deref() {
        Some("duration-text") => "duration",
        Some("byte-size") => "size",
        Some("socket-address") => "address",
        _ if scalar.secret => "secret",
        _ if scalar.integer => "integer",
        _ if scalar.number => "number",
        _ if scalar.boolean => "boolean",
        _ => "text",
    };
    let limit = |limit: &Option<Json>| limit.as_ref().map(written);
    // That a count is not negative goes without saying.
    let min = limit(&scalar.min).filter(|min| scalar.number || min != "0");
    match (min, limit(&scalar.max)) {
        (Some(min), Some(max)) => format!("{name}, {min} to {max}"),
        (Some(min), None) => format!("{name}, at least {min}"),
        (None, Some(max)) => format!("{name}, at most {max}"),
        (None, None) => name.into(),
    }
}

/// Text within a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n", "<br>").replace('\n', " ")
}

fn comment(file: &mut String, text: &str) {
    for line in text.lines() {
        let _ = writeln!(file, "# {line}").map(|()| ());
    }
}
