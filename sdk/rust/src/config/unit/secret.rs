use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands for a secret wherever one would be printed.
const MASK: &str = "***";

/// A value that prints as `***`: in `Debug`, in `Display`, serialised, and in errors.
///
/// In a file it is the text itself, or `{ file = "/run/secrets/x" }` or `{ env = "NAME" }`; the
/// last newline of such a file is not part of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T = String>(T);

thread_local! {
    static REVEALED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` with secrets serialised as they are: for the defaults layer and for telling whether a
/// secret changed. Nothing made inside may be printed.
pub(crate) fn reveal<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            REVEALED.set(self.0);
        }
    }
    let _restore = Restore(REVEALED.replace(true));
    f()
}

impl<T> Secret<T> {
    /// Hides `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every call is a place to look at in a review.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: AsRef<[u8]>> Secret<T> {
    /// Whether `candidate` is this secret, in a time that depends only on its length.
    pub fn matches(&self, candidate: impl AsRef<[u8]>) -> bool {
        let (own, other) = (self.0.as_ref(), candidate.as_ref());
        let different = own.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
        own.len() == other.len() && std::hint::black_box(different) == 0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T: Serialize> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if REVEALED.get() { self.0.serialize(serializer) } else { serializer.serialize_str(MASK) }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The inner error may quote the value.
        T::deserialize(deserializer).map(Self).map_err(|_| serde::de::Error::custom("is not a valid secret"))
    }
}

impl<T> JsonSchema for Secret<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let indirect = |key: &str| {
            serde_json::json!({
                "type": "object",
                "properties": { key: { "type": "string" } },
                "required": [key],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "writeOnly": true,
            "anyOf": [{ "type": "string" }, indirect("file"), indirect("env")],
        })
    }
}
