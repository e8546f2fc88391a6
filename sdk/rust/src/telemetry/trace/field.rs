use crate::telemetry::otlp::{Value, Writer};

/// The value of an attribute, borrowed for as long as it takes to write it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// A truth value.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// A text.
    Text(&'a str),
    /// Anything that OTLP knows.
    Any(&'a Value),
}

impl FieldValue<'_> {
    /// The fields of an `AnyValue`.
    pub(in crate::telemetry) fn write(self, writer: &mut Writer) {
        match self {
            Self::Bool(value) => writer.always_integer(2, u64::from(value)),
            Self::Int(value) => writer.always_integer(3, value.cast_unsigned()),
            Self::Double(value) => writer.always_fixed64(4, value.to_bits()),
            Self::Text(text) => writer.always_bytes(1, text),
            Self::Any(value) => value.write(writer),
        }
    }
}

impl From<bool> for FieldValue<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for FieldValue<'_> {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for FieldValue<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Value> for FieldValue<'a> {
    fn from(value: &'a Value) -> Self {
        Self::Any(value)
    }
}

macro_rules! integers {
    ($($kind:ty),*) => {$(
        impl From<$kind> for FieldValue<'_> {
            fn from(value: $kind) -> Self {
                Self::Int(i64::from(value))
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u8, u16, u32);

/// What is beyond `i64` is held at its end: OTLP has no unsigned numbers.
impl From<u64> for FieldValue<'_> {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// As for `u64`.
impl From<usize> for FieldValue<'_> {
    fn from(value: usize) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
