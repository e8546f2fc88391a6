use serde_json::Value;

/// Keys that programs in JavaScript take for something else than a key.
const PROTOTYPE_KEYS: [&str; 3] = ["__proto__", "constructor", "prototype"];

/// Why a text is refused. None of it quotes the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than allowed.
    #[error("the text has {bytes} bytes, at most {limit} are read")]
    TooLong {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It is no JSON.
    #[error("the text is no JSON: line {line}, column {column}")]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Lists or objects lie deeper than allowed.
    #[error("the text is nested deeper than {0}")]
    TooDeep(usize),
    /// More values than allowed.
    #[error("the text has more than {0} values")]
    TooMany(usize),
    /// A key such as `__proto__`.
    #[error("the text has a key that stands for a prototype")]
    PrototypeKey,
}

/// How much JSON of a stranger is read.
///
/// ```
/// use fresnel_sdk::security::{JsonError, JsonLimits};
///
/// let limits = JsonLimits { depth: 2, ..JsonLimits::default() };
/// assert_eq!(limits.parse("[[1]]")?, serde_json::json!([[1]]));
/// assert_eq!(limits.parse("[[[1]]]"), Err(JsonError::TooDeep(2)));
/// assert_eq!(limits.parse(r#"{"__proto__": 1}"#), Err(JsonError::PrototypeKey));
/// # Ok::<(), JsonError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct JsonLimits {
    /// Of the text.
    pub bytes: usize,
    /// Of lists and objects within each other, at most 100.
    pub depth: usize,
    /// Values in all.
    pub values: usize,
}

impl Default for JsonLimits {
    /// 1 MiB, 32 deep, 100,000 values.
    fn default() -> Self {
        Self { bytes: 1 << 20, depth: 32, values: 100_000 }
    }
}

impl JsonLimits {
    /// Reads a text.
    ///
    /// # Errors
    /// Which limit it breaks.
    pub fn parse(&self, text: &str) -> Result<Value, JsonError> {
        if text.len() > self.bytes {
            return Err(JsonError::TooLong { bytes: text.len(), limit: self.bytes });
        }
        // The reader has a limit of 128 of its own, so that the stack is safe until here.
        let value: Value = serde_json::from_str(text)
            .map_err(|error| JsonError::Malformed { line: error.line(), column: error.column() })?;
        let mut values = 0;
        self.walk(&value, self.depth.min(100), &mut values)?;
        Ok(value)
    }

    fn walk(&self, value: &Value, depth: usize, values: &mut usize) -> Result<(), JsonError> {
        *values += 1;
        if *values > self.values {
            return Err(JsonError::TooMany(self.values));
        }
        let below = || depth.checked_sub(1).ok_or(JsonError::TooDeep(self.depth));
        match value {
            Value::Array(items) => {
                let depth = below()?;
                items.iter().try_for_each(|item| self.walk(item, depth, values))
            }
            Value::Object(object) => {
                let depth = below()?;
                if object.keys().any(|key| PROTOTYPE_KEYS.contains(&key.as_str())) {
                    return Err(JsonError::PrototypeKey);
                }
                object.values().try_for_each(|item| self.walk(item, depth, values))
            }
            _ => Ok(()),
        }
    }
}
