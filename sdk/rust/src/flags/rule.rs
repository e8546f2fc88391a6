//! Rules as they are evaluated: JSONLogic, checked once and without names to look up.

use serde_json::{Map, Value};

/// Deeper rules are refused, so that neither reading nor evaluating one can exhaust the stack.
const DEPTH_MAX: usize = 64;

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Literal(Value),
    List(Vec<Rule>),
    Call(Operator, Vec<Rule>),
}

macro_rules! operators {
    ($($name:literal => $operator:ident),* $(,)?) => {
        /// What a rule does with its arguments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Operator { $($operator),* }

        impl Operator {
            fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$operator),)* _ => None }
            }
        }
    };
}

operators! {
    "var" => Var, "missing" => Missing, "missing_some" => MissingSome,
    "if" => If, "and" => And, "or" => Or, "!" => Not, "!!" => Truth,
    "==" => Equal, "!=" => NotEqual, "===" => Same, "!==" => NotSame,
    "<" => Less, "<=" => LessOrEqual, ">" => Greater, ">=" => GreaterOrEqual,
    "max" => Max, "min" => Min, "+" => Add, "-" => Subtract, "*" => Multiply, "/" => Divide, "%" => Remainder,
    "map" => Map, "filter" => Filter, "reduce" => Reduce, "all" => All, "none" => None, "some" => Some,
    "merge" => Merge, "in" => In, "cat" => Cat, "substr" => Substr, "log" => Log,
    "fractional" => Fractional, "sem_ver" => SemVer, "starts_with" => StartsWith, "ends_with" => EndsWith,
    "lower" => Lower, "upper" => Upper,
}

/// Reads a rule, with what it refers to in its place.
pub(super) fn compile(value: &Value, evaluators: &Map<String, Value>) -> Result<Rule, String> {
    compile_at(value, evaluators, 0)
}

fn compile_at(value: &Value, evaluators: &Map<String, Value>, depth: usize) -> Result<Rule, String> {
    if depth > DEPTH_MAX {
        return Err(format!("is nested deeper than {DEPTH_MAX}, or refers to itself"));
    }
    let below = |value: &Value| compile_at(value, evaluators, depth + 1);
    match value {
        Value::Array(items) => Ok(Rule::List(items.iter().map(below).collect::<Result<_, _>>()?)),
        Value::Object(object) => {
            let mut entries = object.iter();
            let (Some((name, arguments)), None) = (entries.next(), entries.next()) else {
                // Not an operation: an object with none or many keys is itself.
                return Ok(Rule::Literal(value.clone()));
            };
            if name == "$ref" {
                let name = arguments.as_str().ok_or("has a `$ref` that is no text")?;
                let target = evaluators.get(name);
                return below(
                    target.ok_or_else(|| format!("refers to `{name}`, which is not in `$evaluators`"))?,
                );
            }
            let name = if name == "?:" { "if" } else { name.as_str() };
            let operator =
                Operator::parse(name).ok_or_else(|| format!("has the unknown operation `{name}`"))?;
            let arguments = match arguments {
                Value::Array(items) => items.iter().map(below).collect::<Result<_, _>>()?,
                single => vec![below(single)?],
            };
            Ok(Rule::Call(operator, arguments))
        }
        scalar => Ok(Rule::Literal(scalar.clone())),
    }
}
