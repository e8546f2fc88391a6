//! The functions that exist, and what they take. How they are evaluated is elsewhere.
//!
//! Must hold: the table is sorted by name, which a test checks, since it is searched by halving.

use crate::ast::ValueType::{self, Matrix, Scalar, String, Vector};

/// A function's name and shape.
#[derive(Debug, PartialEq)]
pub struct Function {
    /// As written in a query, in snake case.
    pub name: &'static str,
    /// The types of the arguments in order; `variadic` says how often the last may come.
    pub args: &'static [ValueType],
    /// As in Prometheus: 0, all of `args` have to be there; n > 0, the last may be left out or come
    /// up to n times; -1, the last may come any number of times (or never).
    pub variadic: i32,
    /// The type of a call.
    pub returns: ValueType,
    /// Refused unless [`crate::ParseOptions::experimental_functions`] is set.
    pub experimental: bool,
}

/// The function of that name; names are case-sensitive.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok().map(|at| &FUNCTIONS[at])
}

/// Every function, sorted by name.
pub fn functions() -> &'static [Function] {
    FUNCTIONS
}

const fn stable(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Function {
    Function { name, args, variadic: 0, returns, experimental: false }
}

/// Takes one instant vector.
const fn of_vector(name: &'static str) -> Function {
    stable(name, &[Vector], Vector)
}

/// Takes one range vector.
const fn of_range(name: &'static str) -> Function {
    stable(name, &[Matrix], Vector)
}

/// Takes an instant vector, or nothing for the time of the evaluation.
const fn of_date(name: &'static str) -> Function {
    variadic(1, of_vector(name))
}

const fn variadic(variadic: i32, function: Function) -> Function {
    Function { variadic, ..function }
}

const fn experimental(function: Function) -> Function {
    Function { experimental: true, ..function }
}

/// As of Prometheus 3.
#[rustfmt::skip]
static FUNCTIONS: &[Function] = &[
    of_vector("abs"),
    of_vector("absent"),
    of_range("absent_over_time"),
    of_vector("acos"),
    of_vector("acosh"),
    of_vector("asin"),
    of_vector("asinh"),
    of_vector("atan"),
    of_vector("atanh"),
    of_range("avg_over_time"),
    of_vector("ceil"),
    of_range("changes"),
    stable("clamp", &[Vector, Scalar, Scalar], Vector),
    stable("clamp_max", &[Vector, Scalar], Vector),
    stable("clamp_min", &[Vector, Scalar], Vector),
    of_vector("cos"),
    of_vector("cosh"),
    of_range("count_over_time"),
    of_date("day_of_month"),
    of_date("day_of_week"),
    of_date("day_of_year"),
    of_date("days_in_month"),
    of_vector("deg"),
    of_range("delta"),
    of_range("deriv"),
    experimental(stable("double_exponential_smoothing", &[Matrix, Scalar, Scalar], Vector)),
    experimental(stable("end", &[], Scalar)),
    of_vector("exp"),
    experimental(of_range("first_over_time")),
    of_vector("floor"),
    of_vector("histogram_avg"),
    of_vector("histogram_count"),
    stable("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    stable("histogram_quantile", &[Scalar, Vector], Vector),
    experimental(variadic(9, stable("histogram_quantiles", &[Vector, String, Scalar, Scalar], Vector))),
    of_vector("histogram_stddev"),
    of_vector("histogram_stdvar"),
    of_vector("histogram_sum"),
    of_date("hour"),
    of_range("idelta"),
    of_range("increase"),
    experimental(variadic(1, stable("info", &[Vector, Vector], Vector))),
    experimental(variadic(1, stable("integral", &[Matrix, Scalar], Vector))),
    of_range("irate"),
    variadic(-1, stable("label_join", &[Vector, String, String, String], Vector)),
    stable("label_replace", &[Vector, String, String, String, String], Vector),
    of_range("last_over_time"),
    of_vector("ln"),
    of_vector("log10"),
    of_vector("log2"),
    experimental(of_range("mad_over_time")),
    experimental(stable("max_of", &[Scalar, Scalar], Scalar)),
    of_range("max_over_time"),
    experimental(stable("min_of", &[Scalar, Scalar], Scalar)),
    of_range("min_over_time"),
    of_date("minute"),
    of_date("month"),
    stable("pi", &[], Scalar),
    stable("predict_linear", &[Matrix, Scalar], Vector),
    of_range("present_over_time"),
    stable("quantile_over_time", &[Scalar, Matrix], Vector),
    of_vector("rad"),
    experimental(stable("range", &[], Scalar)),
    of_range("rate"),
    of_range("resets"),
    variadic(1, stable("round", &[Vector, Scalar], Vector)),
    stable("scalar", &[Vector], Scalar),
    of_vector("sgn"),
    of_vector("sin"),
    of_vector("sinh"),
    of_vector("sort"),
    experimental(variadic(-1, stable("sort_by_label", &[Vector, String], Vector))),
    experimental(variadic(-1, stable("sort_by_label_desc", &[Vector, String], Vector))),
    of_vector("sort_desc"),
    of_vector("sqrt"),
    experimental(stable("start", &[], Scalar)),
    experimental(of_vector("start_timestamp")),
    of_range("stddev_over_time"),
    of_range("stdvar_over_time"),
    experimental(stable("step", &[], Scalar)),
    of_range("sum_over_time"),
    of_vector("tan"),
    of_vector("tanh"),
    stable("time", &[], Scalar),
    of_vector("timestamp"),
    experimental(of_range("ts_of_first_over_time")),
    experimental(of_range("ts_of_last_over_time")),
    experimental(of_range("ts_of_max_over_time")),
    experimental(of_range("ts_of_min_over_time")),
    stable("vector", &[Scalar], Vector),
    of_date("year"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted() {
        assert!(FUNCTIONS.windows(2).all(|two| two[0].name < two[1].name));
    }

    #[test]
    fn every_function_is_found_by_its_name() {
        for expected in functions() {
            assert_eq!(function(expected.name), Some(expected));
        }
        assert_eq!(function("Rate"), None);
    }
}
