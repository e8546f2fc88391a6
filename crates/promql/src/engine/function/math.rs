//! Functions of one number.

use crate::engine::plan::MathFunction;

/// The function to apply to each value.
pub(in crate::engine) fn of(function: MathFunction) -> fn(f64) -> f64 {
    match function {
        MathFunction::Abs => f64::abs,
        MathFunction::Ceil => f64::ceil,
        MathFunction::Floor => f64::floor,
        MathFunction::Exp => f64::exp,
        MathFunction::Sqrt => f64::sqrt,
        MathFunction::Ln => f64::ln,
        MathFunction::Log2 => f64::log2,
        MathFunction::Log10 => f64::log10,
        MathFunction::Sin => f64::sin,
        MathFunction::Cos => f64::cos,
        MathFunction::Tan => f64::tan,
        MathFunction::Asin => f64::asin,
        MathFunction::Acos => f64::acos,
        MathFunction::Atan => f64::atan,
        MathFunction::Sinh => f64::sinh,
        MathFunction::Cosh => f64::cosh,
        MathFunction::Tanh => f64::tanh,
        MathFunction::Asinh => f64::asinh,
        MathFunction::Acosh => f64::acosh,
        MathFunction::Atanh => f64::atanh,
        MathFunction::Rad => |value| value * std::f64::consts::PI / 180.0,
        MathFunction::Deg => |value| value * 180.0 / std::f64::consts::PI,
        MathFunction::Sgn => |value| {
            if value < 0.0 {
                -1.0
            } else if value > 0.0 {
                1.0
            } else {
                value
            }
        },
    }
}

/// `round`: to the nearest multiple, halves up. Multiplying by the inverse loses less.
pub(in crate::engine) fn round(value: f64, nearest: f64) -> f64 {
    let inverse = 1.0 / nearest;
    (value * inverse + 0.5).floor() / inverse
}
