//! Functions that make much of little are bounded or left out: what they make is not counted in
//! the memory budget.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::FieldRef;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// The most bytes that a bounded function makes of a batch.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Functions that fill texts, with a length or count as second argument.
const BOUNDED: [&str; 3] = ["repeat", "lpad", "rpad"];

/// Functions that fill lists. The table functions `range` and `generate_series` remain.
const LEFT_OUT: [&str; 4] = ["array_repeat", "array_resize", "range", "generate_series"];

/// Bounds the functions of a session.
pub(super) fn bound(state: &mut SessionState) -> Result<()> {
    for name in LEFT_OUT {
        state.deregister_udf(name)?;
    }
    for name in BOUNDED {
        let inner = state.udf(name)?;
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(Bounded { inner })))?;
    }
    Ok(())
}

#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.inner().return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let per_unit = if self.name() == "repeat" { longest(&args.args[0], rows)? } else { 4 };
        let Some(made) = total(&args.args[1], rows)?.checked_mul(per_unit).filter(|made| *made <= BYTES_MAX)
        else {
            return exec_err!("{}() would make more than 64 MiB of text of a batch of rows", self.name());
        };
        debug_assert!(made <= BYTES_MAX);
        self.inner.inner().invoke_with_args(args)
    }
}

fn array(value: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    value.to_array(rows)
}

/// Bytes of the longest text.
fn longest(texts: &ColumnarValue, rows: usize) -> Result<u64> {
    let texts = arrow::compute::cast(&array(texts, rows)?, &DataType::Utf8)?;
    let lengths = texts.as_string::<i32>().iter().flatten().map(str::len);
    Ok(lengths.max().unwrap_or(0) as u64)
}

/// The sum of counts; negative ones make nothing.
fn total(counts: &ColumnarValue, rows: usize) -> Result<u64> {
    let counts = arrow::compute::cast(&array(counts, rows)?, &DataType::Int64)?;
    debug_assert_eq!(counts.len(), rows);
    let counts = counts.as_primitive::<Int64Type>().iter().flatten();
    Ok(counts.fold(0_u64, |sum, count| sum.saturating_add(u64::try_from(count).unwrap_or(0))))
}
