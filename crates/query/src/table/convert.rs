use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, StringArray, StringBuilder, StructArray, TimestampNanosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Int32Type, Int64Type, Schema};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

use super::columns::{Conversion, SPAN_KINDS, STATUS_CODES, UTC, timestamp_type};

/// Makes an exposed column of a file's column. Times are not made by it but by a plain cast, which
/// pruning understands.
#[derive(Debug, Clone, Eq)]
pub(crate) struct Convert {
    pub(crate) conversion: Conversion,
    pub(crate) input: Arc<dyn PhysicalExpr>,
}

impl PartialEq for Convert {
    fn eq(&self, other: &Self) -> bool {
        self.conversion == other.conversion && self.input.eq(&other.input)
    }
}

impl Hash for Convert {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.conversion.hash(state);
        self.input.hash(state);
    }
}

impl fmt::Display for Convert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.conversion.name(), self.input)
    }
}

impl Convert {
    /// The value of the file's column that an exposed value stands for, where there is exactly one
    /// and where both are ordered alike if `ordered` is asked for.
    pub(crate) fn file_value(&self, exposed: &ScalarValue, ordered: bool) -> Option<ScalarValue> {
        let text = exposed.try_as_str()??;
        match self.conversion {
            Conversion::Hex => parse_hex(text).map(|bytes| ScalarValue::Binary(Some(bytes))),
            Conversion::SpanKind if !ordered => number(&SPAN_KINDS, text),
            Conversion::StatusCode if !ordered => number(&STATUS_CODES, text),
            _ => None,
        }
    }
}

impl Conversion {
    fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Time => "time",
            Self::TimeOrNone => "time_or_none",
            Self::Hex => "hex",
            Self::SpanKind => "span_kind",
            Self::StatusCode => "status_code",
            Self::Events => "events",
            Self::Links => "links",
        }
    }

    /// Makes an exposed column of a file's.
    pub(super) fn convert(self, array: &ArrayRef) -> Result<ArrayRef> {
        Ok(match self {
            Self::Same => Arc::clone(array),
            Self::Time => times(array)?,
            Self::TimeOrNone => times_or_none(array)?,
            Self::Hex => Arc::new(hex(array)?),
            Self::SpanKind => Arc::new(words(array, &SPAN_KINDS)?),
            Self::StatusCode => Arc::new(words(array, &STATUS_CODES)?),
            Self::Events | Self::Links => Arc::new(self.elements(array)?),
        })
    }

    /// Converts the fields of a list's structs; offsets and nulls stay.
    fn elements(self, array: &ArrayRef) -> Result<ListArray> {
        let name = self.name();
        let Some(list) = array.as_list_opt::<i32>() else {
            return internal_err!("{name}: {} is not a list", array.data_type());
        };
        let DataType::List(element) = self.data_type(list.data_type()) else {
            return internal_err!("{name}: a list stays a list");
        };
        let DataType::Struct(fields) = element.data_type() else {
            return internal_err!("{name}: elements are structs");
        };
        let values = list.values().as_struct();
        let mut columns = Vec::with_capacity(fields.len());
        for (column, field) in values.columns().iter().zip(fields) {
            columns.push(match (column.data_type(), field.data_type()) {
                (DataType::Int64, DataType::Timestamp(..)) => times(column)?,
                (DataType::Binary, DataType::Utf8) => Arc::new(hex(column)?) as ArrayRef,
                _ => Arc::clone(column),
            });
        }
        let values =
            StructArray::try_new_with_length(fields.clone(), columns, values.nulls().cloned(), values.len())?;
        Ok(ListArray::try_new(element, list.offsets().clone(), Arc::new(values), list.nulls().cloned())?)
    }
}

impl PhysicalExpr for Convert {
    fn data_type(&self, input_schema: &Schema) -> Result<DataType> {
        Ok(self.conversion.data_type(&self.input.data_type(input_schema)?))
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        Ok(self.conversion == Conversion::TimeOrNone || self.input.nullable(input_schema)?)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        match self.input.evaluate(batch)? {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(self.conversion.convert(&array)?)),
            ColumnarValue::Scalar(scalar) => {
                let array = self.conversion.convert(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.input]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        match children.pop() {
            Some(input) => Ok(Arc::new(Self { conversion: self.conversion, input })),
            None => internal_err!("{self} has one input"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.conversion.name())?;
        self.input.fmt_sql(f)?;
        f.write_str(")")
    }
}

fn times(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(arrow::compute::cast(array, &timestamp_type())?)
}

fn times_or_none(array: &ArrayRef) -> Result<ArrayRef> {
    let Some(nanos) = array.as_primitive_opt::<Int64Type>() else {
        return internal_err!("a time is an Int64, not {}", array.data_type());
    };
    let times: TimestampNanosecondArray = nanos.iter().map(|nano| nano.filter(|nano| *nano != 0)).collect();
    Ok(Arc::new(times.with_timezone(Arc::clone(&UTC))))
}

/// Lower-case hex of every value, into one buffer.
pub(crate) fn hex(array: &ArrayRef) -> Result<StringArray> {
    let Some(ids) = array.as_binary_opt::<i32>() else {
        return internal_err!("an id is Binary, not {}", array.data_type());
    };
    let (first, last) = (ids.value_offsets()[0], ids.value_offsets()[ids.len()]);
    let Some(length) = (last - first).checked_mul(2) else {
        return exec_err!("more than 1 GiB of ids in a batch");
    };
    let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    for byte in &ids.value_data()[first as usize..last as usize] {
        text.extend_from_slice(&HEX_PAIRS[usize::from(*byte)]);
    }
    let offsets: ScalarBuffer<i32> = ids.value_offsets().iter().map(|offset| (offset - first) * 2).collect();
    let text = Buffer::from_vec(text);
    Ok(StringArray::try_new(OffsetBuffer::new(offsets), text, ids.nulls().cloned())?)
}

const HEX_PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// The bytes of lower-case hex.
pub(crate) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// Bytes as lower-case hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let pairs = bytes.iter().flat_map(|byte| HEX_PAIRS[usize::from(*byte)]);
    pairs.map(char::from).collect()
}

/// A number that has no word stays a number.
fn words(array: &ArrayRef, words: &[&str]) -> Result<StringArray> {
    let Some(numbers) = array.as_primitive_opt::<Int32Type>() else {
        return internal_err!("a code is an Int32, not {}", array.data_type());
    };
    let mut text = StringBuilder::with_capacity(numbers.len(), numbers.len() * 8);
    for number in numbers {
        match number.map(|number| (number, word(words, number))) {
            Some((_, Some(word))) => text.append_value(word),
            Some((number, None)) => text.append_value(number.to_string()),
            None => text.append_null(),
        }
    }
    Ok(text.finish())
}

fn word<'a>(words: &[&'a str], number: i32) -> Option<&'a str> {
    usize::try_from(number).ok().and_then(|index| words.get(index).copied())
}

fn number(words: &[&str], word: &str) -> Option<ScalarValue> {
    let index = words.iter().position(|known| *known == word)?;
    Some(ScalarValue::Int32(i32::try_from(index).ok()))
}
