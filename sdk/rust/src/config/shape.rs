//! The type as a tree that can be walked, made from its JSON Schema: what the file, environment
//! and command line layers, the checks and the generated reference all go by.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json};

/// What may stand at one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    /// The doc comment of the type.
    pub(crate) description: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Kind {
    /// Not described by the schema, or deeper than we look: left to serde.
    #[default]
    Any,
    Scalar(Scalar),
    List(Box<Shape>),
    Table(Table),
    /// An externally tagged enum.
    Choice(Vec<Variant>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Scalar {
    pub(crate) text: bool,
    pub(crate) integer: bool,
    pub(crate) number: bool,
    pub(crate) boolean: bool,
    pub(crate) secret: bool,
    pub(crate) format: Option<String>,
    /// A number, or for durations and sizes their text.
    pub(crate) min: Option<Json>,
    pub(crate) max: Option<Json>,
    pub(crate) length_min: Option<u64>,
    pub(crate) length_max: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) fields: Vec<Field>,
    /// What keys of the user's own hold, if there may be any.
    pub(crate) entries: Option<Box<Shape>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) description: String,
    pub(crate) required: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    /// Nothing for a variant that is written as its bare name.
    pub(crate) shape: Option<Shape>,
    pub(crate) description: String,
}

/// The JSON Schema of `T` as it is read.
pub(crate) fn schema_of<T: JsonSchema>() -> schemars::Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

/// Deeper than any sane configuration; stops types that contain themselves.
const DEPTH_MAX: usize = 16;

static ANY: Shape = Shape { kind: Kind::Any, nullable: true, description: String::new() };

impl Shape {
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let root = schema_of::<T>();
        Reader { definitions: root.get("$defs").and_then(Json::as_object) }.shape(root.as_value(), DEPTH_MAX)
    }

    /// What may stand under `key`.
    pub(crate) fn child(&self, key: &str) -> &Self {
        match &self.kind {
            Kind::Table(table) => {
                let field = table.fields.iter().find(|field| field.name == key).map(|field| &field.shape);
                field.or(table.entries.as_deref()).unwrap_or(&ANY)
            }
            Kind::Choice(variants) => {
                let variant = variants.iter().find(|variant| variant.name == key);
                variant.and_then(|variant| variant.shape.as_ref()).unwrap_or(&ANY)
            }
            Kind::List(item) => item,
            Kind::Any | Kind::Scalar(_) => &ANY,
        }
    }

    pub(crate) fn at(&self, path: &super::path::KeyPath) -> &Self {
        path.segments().iter().fold(self, |shape, segment| shape.child(segment))
    }

    pub(crate) fn is_choice(&self) -> bool {
        matches!(self.kind, Kind::Choice(_))
    }

    /// Whether a secret may be in it: then nothing that stands here is shown.
    pub(crate) fn holds_secret(&self) -> bool {
        match &self.kind {
            Kind::Any => false,
            Kind::Scalar(scalar) => scalar.secret,
            Kind::List(item) => item.holds_secret(),
            Kind::Table(table) => {
                let fields = table.fields.iter().map(|field| &field.shape);
                fields.chain(table.entries.as_deref()).any(Self::holds_secret)
            }
            Kind::Choice(variants) => {
                variants.iter().filter_map(|it| it.shape.as_ref()).any(Self::holds_secret)
            }
        }
    }

    pub(crate) fn is_secret(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.secret)
    }
}

struct Reader<'a> {
    definitions: Option<&'a Map<String, Json>>,
}

impl<'a> Reader<'a> {
    fn shape(&self, schema: &'a Json, depth: usize) -> Shape {
        let Some(schema) = schema.as_object().filter(|_| depth > 0) else { return ANY.clone() };
        let mut shape = match self.target(schema) {
            Some(target) => self.shape(target, depth - 1),
            None => self.own(schema, depth),
        };
        if let Kind::Scalar(scalar) = &mut shape.kind {
            scalar.constrain(schema);
        }
        if let Some(description) = schema.get("description").and_then(Json::as_str) {
            shape.description = description.to_owned();
        }
        shape
    }

    /// The definition that a schema points to.
    fn target(&self, schema: &'a Map<String, Json>) -> Option<&'a Json> {
        if let Some(only) = schema.get("allOf").and_then(Json::as_array).filter(|all| all.len() == 1) {
            return only.first();
        }
        let name = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
        self.definitions?.get(name)
    }

    fn own(&self, schema: &'a Map<String, Json>, depth: usize) -> Shape {
        let types = types(schema);
        let has = |name: &str| types.contains(&name);
        let kind = if schema.get("writeOnly") == Some(&Json::Bool(true)) {
            Kind::Scalar(Scalar { text: true, secret: true, ..Scalar::default() })
        } else if let Some(options) = options(schema) {
            return self.choice(options, depth);
        } else if let Some(variants) = names(schema) {
            Kind::Choice(variants)
        } else if has("object") {
            Kind::Table(self.table(schema, depth))
        } else if has("array") {
            Kind::List(Box::new(schema.get("items").map_or(ANY.clone(), |item| self.shape(item, depth - 1))))
        } else if types.iter().any(|name| *name != "null") {
            Kind::Scalar(Scalar {
                text: has("string"),
                integer: has("integer"),
                number: has("number"),
                boolean: has("boolean"),
                ..Scalar::default()
            })
        } else {
            return ANY.clone();
        };
        let null_named =
            schema.get("enum").and_then(Json::as_array).is_some_and(|all| all.contains(&Json::Null));
        Shape { kind, nullable: has("null") || null_named, description: String::new() }
    }

    fn table(&self, schema: &'a Map<String, Json>, depth: usize) -> Table {
        let required: Vec<_> = schema
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let properties = schema.get("properties").and_then(Json::as_object).into_iter().flatten();
        let fields = properties.map(|(name, property)| {
            let shape = self.shape(property, depth - 1);
            let own = property.get("description").and_then(Json::as_str);
            let description = own.unwrap_or_default().to_owned();
            Field { name: name.clone(), shape, description, required: required.contains(&name.as_str()) }
        });
        let entries = match schema.get("additionalProperties") {
            Some(Json::Bool(false)) => None,
            Some(entries) => Some(Box::new(self.shape(entries, depth - 1))),
            None => Some(Box::new(ANY.clone())),
        };
        Table { fields: fields.collect(), entries }
    }

    /// `oneOf` and `anyOf`: an enum, or something that may also be null.
    fn choice(&self, options: &'a [Json], depth: usize) -> Shape {
        let is_null = |option: &&Json| option.get("type").and_then(Json::as_str) == Some("null");
        let nullable = options.iter().any(|option| is_null(&option));
        let rest: Vec<_> = options.iter().filter(|option| !is_null(option)).collect();
        if let [only] = rest[..] {
            let shape = self.shape(only, depth - 1);
            return Shape { nullable: nullable || shape.nullable, ..shape };
        }
        let variants: Option<Vec<_>> = rest.iter().map(|option| self.variants(option, depth)).collect();
        match variants {
            Some(variants) => {
                Shape { kind: Kind::Choice(variants.concat()), nullable, description: String::new() }
            }
            None => ANY.clone(),
        }
    }

    /// The variants that one option of an externally tagged enum stands for, if it is one.
    fn variants(&self, option: &'a Json, depth: usize) -> Option<Vec<Variant>> {
        let option = option.as_object()?;
        if let Some(names) = names(option) {
            return Some(names);
        }
        let properties = option.get("properties")?.as_object().filter(|all| all.len() == 1)?;
        let (name, payload) = properties.iter().next()?;
        let tagged = option.get("required")?.as_array()?.first()?.as_str() == Some(name.as_str());
        let description = describe(option);
        let shape = Some(self.shape(payload, depth - 1));
        tagged.then(|| vec![Variant { name: name.clone(), shape, description }])
    }
}

impl Scalar {
    /// Adds the limits that stand beside a type or a reference to one.
    fn constrain(&mut self, schema: &Map<String, Json>) {
        let take = |own: &mut Option<Json>, keys: [&str; 2]| {
            for found in keys.iter().filter_map(|key| schema.get(*key)) {
                *own = Some(found.clone());
            }
        };
        take(&mut self.min, ["minimum", "x-min"]);
        take(&mut self.max, ["maximum", "x-max"]);
        self.length_min = schema.get("minLength").and_then(Json::as_u64).or(self.length_min);
        self.length_max = schema.get("maxLength").and_then(Json::as_u64).or(self.length_max);
        if let Some(format) = schema.get("format").and_then(Json::as_str) {
            self.format = Some(format.to_owned());
        }
    }
}

fn describe(schema: &Map<String, Json>) -> String {
    schema.get("description").and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn types(schema: &Map<String, Json>) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn options(schema: &Map<String, Json>) -> Option<&[Json]> {
    let options = schema.get("oneOf").or_else(|| schema.get("anyOf"))?;
    options.as_array().map(Vec::as_slice)
}

/// The bare names of an enum without payloads.
fn names(schema: &Map<String, Json>) -> Option<Vec<Variant>> {
    let description = describe(schema);
    let variant = |name: &Json| {
        let name = name.as_str()?.to_owned();
        Some(Variant { name, shape: None, description: description.clone() })
    };
    if let Some(name) = schema.get("const") {
        return Some(vec![variant(name)?]);
    }
    let names = schema.get("enum")?.as_array()?;
    names.iter().filter(|name| !name.is_null()).map(variant).collect()
}
