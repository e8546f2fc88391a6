//! Evaluates a rule over a context. The work is bounded: a rule that goes over lists within lists
//! of the context ends with an error instead of taking long.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::context::TARGETING_KEY;
use super::operation::{affix, case, fractional, sem_ver};
use super::rule::{Operator, Rule};
use super::value::{from_number, loosely_equal, number, order, strictly_equal, text, truthy};

/// Rules visited for one question.
const STEPS_MAX: u32 = 100_000;
/// What texts and lists that a rule makes may come to, in bytes and items.
const SIZE_MAX: usize = 1 << 20;

/// What the whole of one question knows.
pub(super) struct Question<'a> {
    pub(super) flag_key: &'a str,
    pub(super) context: &'a Map<String, Value>,
    /// What `$flagd` stands for.
    pub(super) flagd: &'a Value,
}

/// Where `var` looks.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Context,
    Item(&'a Value),
}

struct Evaluation<'a> {
    question: &'a Question<'a>,
    steps: u32,
    size: usize,
}

type Outcome<'a> = Result<Cow<'a, Value>, TooMuch>;

/// The bound on the work was reached.
#[derive(Debug)]
pub(super) struct TooMuch;

/// The value of a rule.
pub(super) fn evaluate(rule: &Rule, question: &Question<'_>) -> Result<Value, TooMuch> {
    let mut evaluation = Evaluation { question, steps: 0, size: 0 };
    evaluation.value(rule, Scope::Context).map(Cow::into_owned)
}

fn owned<'a>(value: impl Into<Value>) -> Cow<'a, Value> {
    Cow::Owned(value.into())
}

impl<'q> Evaluation<'q> {
    fn value<'a>(&mut self, rule: &'a Rule, scope: Scope<'a>) -> Outcome<'a>
    where
        'q: 'a,
    {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(TooMuch);
        }
        match rule {
            Rule::Literal(value) => Ok(Cow::Borrowed(value)),
            Rule::List(items) => Ok(owned(self.values(items, scope)?)),
            Rule::Call(operator, arguments) => self.call(*operator, arguments, scope),
        }
    }

    fn values<'a>(&mut self, rules: &'a [Rule], scope: Scope<'a>) -> Result<Vec<Value>, TooMuch>
    where
        'q: 'a,
    {
        self.grow(rules.len())?;
        rules.iter().map(|rule| self.value(rule, scope).map(Cow::into_owned)).collect()
    }

    fn grow(&mut self, by: usize) -> Result<(), TooMuch> {
        self.size = self.size.saturating_add(by);
        if self.size > SIZE_MAX { Err(TooMuch) } else { Ok(()) }
    }

    /// The argument in this place, or nothing.
    fn argument<'a>(&mut self, arguments: &'a [Rule], place: usize, scope: Scope<'a>) -> Outcome<'a>
    where
        'q: 'a,
    {
        arguments.get(place).map_or(Ok(Cow::Owned(Value::Null)), |rule| self.value(rule, scope))
    }

    fn call<'a>(&mut self, operator: Operator, arguments: &'a [Rule], scope: Scope<'a>) -> Outcome<'a>
    where
        'q: 'a,
    {
        match operator {
            Operator::Var => self.var(arguments, scope),
            Operator::If => self.choose(arguments, scope),
            Operator::And => self.until(arguments, scope, false),
            Operator::Or => self.until(arguments, scope, true),
            Operator::Map | Operator::Filter => self.each(operator, arguments, scope),
            Operator::Reduce => self.reduce(arguments, scope),
            Operator::All | Operator::None | Operator::Some => self.quantify(operator, arguments, scope),
            _ => {
                let values = self.values(arguments, scope)?;
                self.apply(operator, values, scope).map(Cow::Owned)
            }
        }
    }

    /// Operations over values that are all known.
    fn apply(&mut self, operator: Operator, values: Vec<Value>, scope: Scope<'_>) -> Result<Value, TooMuch> {
        let first = values.first().unwrap_or(&Value::Null);
        let second = values.get(1).unwrap_or(&Value::Null);
        Ok(match operator {
            Operator::Not => (!truthy(first)).into(),
            Operator::Truth => truthy(first).into(),
            Operator::Equal => loosely_equal(first, second).into(),
            Operator::NotEqual => (!loosely_equal(first, second)).into(),
            Operator::Same => strictly_equal(first, second).into(),
            Operator::NotSame => (!strictly_equal(first, second)).into(),
            Operator::Less => ascending(&values, Ordering::is_lt).into(),
            Operator::LessOrEqual => ascending(&values, Ordering::is_le).into(),
            Operator::Greater => ascending(&values, Ordering::is_gt).into(),
            Operator::GreaterOrEqual => ascending(&values, Ordering::is_ge).into(),
            Operator::Max => extreme(&values, f64::max),
            Operator::Min => extreme(&values, f64::min),
            Operator::Add => from_number(values.iter().map(number).sum()),
            Operator::Multiply => from_number(values.iter().map(number).product()),
            Operator::Subtract if values.len() == 1 => from_number(-number(first)),
            Operator::Subtract => from_number(number(first) - number(second)),
            Operator::Divide => from_number(number(first) / number(second)),
            Operator::Remainder => from_number(number(first) % number(second)),
            Operator::Merge => self.merge(values)?,
            Operator::In => contains(second, first).into(),
            Operator::Cat => self.cat(&values)?,
            Operator::Substr => substr(first, second, values.get(2)),
            Operator::Missing => self.missing(&values, scope),
            Operator::MissingSome => self.missing_some(first, second, scope),
            Operator::Log => {
                tracing::debug!(flag = self.question.flag_key, value = %first, "a rule logs");
                first.clone()
            }
            Operator::SemVer => sem_ver(&values).into(),
            Operator::StartsWith => affix(&values, |text, affix| text.starts_with(affix)).into(),
            Operator::EndsWith => affix(&values, |text, affix| text.ends_with(affix)).into(),
            Operator::Lower => case(&values, str::to_ascii_lowercase),
            Operator::Upper => case(&values, str::to_ascii_uppercase),
            Operator::Fractional => {
                let targeting_key = self.question.context.get(TARGETING_KEY).and_then(Value::as_str);
                fractional(&values, self.question.flag_key, targeting_key)
            }
            // `call` does these, argument by argument.
            Operator::Var
            | Operator::If
            | Operator::And
            | Operator::Or
            | Operator::Map
            | Operator::Filter
            | Operator::Reduce
            | Operator::All
            | Operator::None
            | Operator::Some => Value::Null,
        })
    }

    fn var<'a>(&mut self, arguments: &'a [Rule], scope: Scope<'a>) -> Outcome<'a>
    where
        'q: 'a,
    {
        let path = self.argument(arguments, 0, scope)?;
        match self.find(&path, scope) {
            Some(value) if !value.is_null() => Ok(value),
            _ => self.argument(arguments, 1, scope),
        }
    }

    /// What `path` leads to: names and numbers of list items between dots, or everything.
    fn find<'a>(&self, path: &Value, scope: Scope<'a>) -> Option<Cow<'a, Value>>
    where
        'q: 'a,
    {
        let path = text(path);
        if path.is_empty() {
            return Some(match scope {
                Scope::Item(item) => Cow::Borrowed(item),
                Scope::Context => Cow::Owned(Value::Object(self.question.context.clone())),
            });
        }
        let mut names = path.split('.');
        let first = names.next()?;
        let start = match scope {
            Scope::Item(item) => step(item, first)?,
            Scope::Context if first == "$flagd" => self.question.flagd,
            Scope::Context => self.question.context.get(first)?,
        };
        names.try_fold(start, step).map(Cow::Borrowed)
    }

    fn choose<'a>(&mut self, arguments: &'a [Rule], scope: Scope<'a>) -> Outcome<'a>
    where
        'q: 'a,
    {
        for branch in arguments.chunks(2) {
            match branch {
                [condition, then] => {
                    let condition = self.value(condition, scope)?;
                    if truthy(&condition) {
                        return self.value(then, scope);
                    }
                }
                [otherwise] => return self.value(otherwise, scope),
                _ => {}
            }
        }
        Ok(Cow::Owned(Value::Null))
    }

    /// The first value that is as true as `end`, or the last one.
    fn until<'a>(&mut self, arguments: &'a [Rule], scope: Scope<'a>, end: bool) -> Outcome<'a>
    where
        'q: 'a,
    {
        let mut last = Cow::Owned(Value::Null);
        for argument in arguments {
            last = self.value(argument, scope)?;
            if truthy(&last) == end {
                break;
            }
        }
        Ok(last)
    }

    fn list<'a>(&mut self, arguments: &'a [Rule], scope: Scope<'a>) -> Result<Vec<Value>, TooMuch>
    where
        'q: 'a,
    {
        match self.argument(arguments, 0, scope)?.into_owned() {
            Value::Array(items) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    fn on_item(&mut self, rule: Option<&Rule>, item: &Value) -> Result<Value, TooMuch> {
        // A fresh borrow of the question: an item lives shorter than it.
        let mut inner = Evaluation { question: self.question, steps: self.steps, size: self.size };
        let value =
            rule.map_or(Ok(Value::Null), |rule| inner.value(rule, Scope::Item(item)).map(Cow::into_owned));
        (self.steps, self.size) = (inner.steps, inner.size);
        value
    }

    fn each<'a>(&mut self, operator: Operator, arguments: &'a [Rule], scope: Scope<'a>) -> Outcome<'a>
    where
        'q: 'a,
    {
        let mut results = Vec::new();
        for item in self.list(arguments, scope)? {
            let value = self.on_item(arguments.get(1), &item)?;
            self.grow(1)?;
            match operator {
                Operator::Map => results.push(value),
                _ if truthy(&value) => results.push(item),
                _ => {}
            }
        }
        Ok(owned(results))
    }

    fn reduce<'a>(&mut self, arguments: &'a [Rule], scope: Scope<'a>) -> Outcome<'a>
    where
        'q: 'a,
    {
        let items = self.list(arguments, scope)?;
        let mut accumulator = self.argument(arguments, 2, scope)?.into_owned();
        for item in items {
            let pair = serde_json::json!({ "current": item, "accumulator": accumulator });
            accumulator = self.on_item(arguments.get(1), &pair)?;
        }
        Ok(Cow::Owned(accumulator))
    }

    /// `all` of an empty list is false, as JSONLogic has it.
    fn quantify<'a>(&mut self, operator: Operator, arguments: &'a [Rule], scope: Scope<'a>) -> Outcome<'a>
    where
        'q: 'a,
    {
        let items = self.list(arguments, scope)?;
        let mut hits = 0;
        for item in &items {
            hits += usize::from(truthy(&self.on_item(arguments.get(1), item)?));
        }
        Ok(owned(match operator {
            Operator::All => !items.is_empty() && hits == items.len(),
            Operator::None => hits == 0,
            _ => hits > 0,
        }))
    }

    fn merge(&mut self, values: Vec<Value>) -> Result<Value, TooMuch> {
        let mut merged = Vec::new();
        for value in values {
            match value {
                Value::Array(items) => merged.extend(items),
                single => merged.push(single),
            }
        }
        self.grow(merged.len())?;
        Ok(Value::Array(merged))
    }

    fn cat(&mut self, values: &[Value]) -> Result<Value, TooMuch> {
        let mut joined = String::new();
        for value in values {
            let part = text(value);
            self.grow(part.len())?;
            joined.push_str(&part);
        }
        Ok(Value::String(joined))
    }

    /// Those of the names that lead to nothing; a list in the first place stands for its items.
    fn missing(&self, names: &[Value], scope: Scope<'_>) -> Value {
        let names = match names {
            [Value::Array(names), ..] => names,
            names => names,
        };
        let is_missing = |name: &&Value| {
            let found = match scope {
                Scope::Item(item) => text(name).split('.').try_fold(item, step).cloned(),
                Scope::Context => self.find(name, Scope::Context).map(Cow::into_owned),
            };
            found.is_none_or(|value| value.is_null() || value == "")
        };
        names.iter().filter(is_missing).cloned().collect()
    }

    /// Nothing if at least so many of the names lead somewhere, else those that do not.
    fn missing_some(&self, least: &Value, names: &Value, scope: Scope<'_>) -> Value {
        let missing = self.missing(std::slice::from_ref(names), scope);
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        let found = count(names).saturating_sub(count(&missing));
        if found as f64 >= number(least) { Value::Array(Vec::new()) } else { missing }
    }
}

fn step<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Every value stands so to the next one: `{"<": [1, {"var": "x"}, 10]}` is between.
fn ascending(values: &[Value], holds: fn(Ordering) -> bool) -> bool {
    values.len() > 1 && values.windows(2).all(|pair| order(&pair[0], &pair[1]).is_some_and(holds))
}

fn extreme(values: &[Value], choose: fn(f64, f64) -> f64) -> Value {
    values.iter().map(number).reduce(choose).map_or(Value::Null, from_number)
}

fn contains(whole: &Value, part: &Value) -> bool {
    match whole {
        Value::String(whole) => part.as_str().is_some_and(|part| whole.contains(part)),
        Value::Array(items) => items.iter().any(|item| strictly_equal(item, part)),
        _ => false,
    }
}

/// Negative places count from the end, in characters.
fn substr(value: &Value, start: &Value, length: Option<&Value>) -> Value {
    let characters: Vec<char> = text(value).chars().collect();
    let place = |from: f64| if from < 0.0 { from + characters.len() as f64 } else { from };
    let clamp = |place: f64| (place.max(0.0) as usize).min(characters.len());
    let start = clamp(place(number(start)));
    let end = match length.map(number) {
        None => characters.len(),
        Some(length) if length < 0.0 => clamp(characters.len() as f64 + length),
        Some(length) => clamp(start as f64 + length),
    };
    characters.get(start..end).unwrap_or_default().iter().collect::<String>().into()
}
