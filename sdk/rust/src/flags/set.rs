use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use super::context::Context;
use super::details::{Details, ErrorCode, EvaluationError, Reason};
use super::evaluate::{Question, evaluate};
use super::rule::{Rule, compile};

/// Larger texts are refused.
const BYTES_MAX: usize = 16 << 20;
/// More flags are refused.
const FLAGS_MAX: usize = 10_000;
/// Integers beyond cannot be told apart by every reader of JSON.
const SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Rules that cannot be used, with everything that is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Sentences that begin with the flag they are about.
    pub problems: Vec<String>,
}

/// One problem on each line.
impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for RuleError {}

/// All flags of a rule file, checked. Immutable: a reload makes another one.
#[derive(Clone, Debug, Default)]
pub struct FlagSet {
    flags: BTreeMap<String, Flag>,
}

#[derive(Clone, Debug)]
struct Flag {
    enabled: bool,
    variants: Map<String, Value>,
    default_variant: Option<String>,
    targeting: Option<Rule>,
    metadata: Map<String, Value>,
}

impl FlagSet {
    /// Reads a rule file in flagd's format: at most 16 MiB, 10,000 flags, and rules nested 64 deep.
    ///
    /// # Errors
    /// Everything that is wrong with it: what is missing, a default that is no variant, variants of
    /// several types, an operation that nobody knows.
    ///
    /// ```
    /// use fresnel_sdk::flags::FlagSet;
    ///
    /// let error = FlagSet::parse(r#"{"flags": {"a": {
    ///     "state": "ENABLED", "variants": {"on": true}, "defaultVariant": "off"
    /// }}}"#).unwrap_err();
    /// assert_eq!(error.to_string(), "flag `a`: the default variant `off` is not one of its variants");
    /// ```
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let refuse = |problem: String| RuleError { problems: vec![problem] };
        if text.len() > BYTES_MAX {
            return Err(refuse(format!("the rules have {} bytes, at most {BYTES_MAX} are read", text.len())));
        }
        let root: Value = serde_json::from_str(text).map_err(|error| refuse(format!("no JSON: {error}")))?;
        let Some(flags) = root.get("flags").and_then(Value::as_object) else {
            return Err(refuse("there is no object `flags`".into()));
        };
        if flags.len() > FLAGS_MAX {
            return Err(refuse(format!("there are {} flags, at most {FLAGS_MAX} are read", flags.len())));
        }
        let empty = Map::new();
        let object = |name: &str| root.get(name).and_then(Value::as_object).unwrap_or(&empty);
        let (evaluators, metadata) = (object("$evaluators"), object("metadata"));
        let mut set = Self::default();
        let mut problems = Vec::new();
        for (key, value) in flags {
            match Flag::parse(value, evaluators, metadata) {
                Ok(flag) => drop(set.flags.insert(key.clone(), flag)),
                Err(problem) => problems.push(format!("flag `{key}`: {problem}")),
            }
        }
        if problems.is_empty() { Ok(set) } else { Err(RuleError { problems }) }
    }

    /// The keys of all flags, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.flags.keys().map(String::as_str)
    }

    /// Whether the flag is there and switched on.
    pub fn is_on(&self, key: &str) -> Option<bool> {
        self.flags.get(key).map(|flag| flag.enabled)
    }

    /// The answer for a context at a time, in seconds since 1970 (`$flagd.timestamp` in the rules).
    /// The same arguments always give the same answer.
    pub fn evaluate(&self, key: &str, context: &Context, unix_seconds: u64) -> Details<Option<Value>> {
        match self.flags.get(key) {
            Some(flag) => flag.evaluate(key, context, unix_seconds),
            None => {
                let error =
                    EvaluationError::new(ErrorCode::FlagNotFound, format!("there is no flag `{key}`"));
                Details::failed(None, error)
            }
        }
    }
}

impl Flag {
    fn parse(
        value: &Value,
        evaluators: &Map<String, Value>,
        shared: &Map<String, Value>,
    ) -> Result<Self, String> {
        let flag = value.as_object().ok_or("is no object")?;
        let enabled = match flag.get("state").and_then(Value::as_str) {
            Some("ENABLED") => true,
            Some("DISABLED") => false,
            _ => return Err("`state` must be `ENABLED` or `DISABLED`".into()),
        };
        let variants = flag.get("variants").and_then(Value::as_object).ok_or("there are no `variants`")?;
        check_variants(variants)?;
        let default_variant = match flag.get("defaultVariant") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if variants.contains_key(name) => Some(name.clone()),
            Some(Value::String(name)) => {
                return Err(format!("the default variant `{name}` is not one of its variants"));
            }
            Some(_) => return Err("`defaultVariant` must be a text or null".into()),
        };
        let targeting = match flag.get("targeting") {
            None | Some(Value::Null) => None,
            Some(Value::Object(rule)) if rule.is_empty() => None,
            Some(rule) => Some(compile(rule, evaluators).map_err(|problem| format!("its rule {problem}"))?),
        };
        let mut metadata = shared.clone();
        metadata.extend(flag.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default());
        Ok(Self { enabled, variants: variants.clone(), default_variant, targeting, metadata })
    }

    fn evaluate(&self, key: &str, context: &Context, unix_seconds: u64) -> Details<Option<Value>> {
        if !self.enabled {
            return self.default(Reason::Disabled);
        }
        let Some(rule) = &self.targeting else {
            let left_to_code = self.default_variant.is_none();
            return self.default(if left_to_code { Reason::Default } else { Reason::Static });
        };
        let flagd = json!({ "flagKey": key, "timestamp": unix_seconds });
        let question = Question { flag_key: key, context: &context.0, flagd: &flagd };
        let variant = match evaluate(rule, &question) {
            Ok(Value::Null) => return self.default(Reason::Default),
            Ok(Value::String(variant)) => variant,
            Ok(other) => other.to_string(),
            Err(_) => return self.failed(ErrorCode::General, format!("the rule of `{key}` takes too long")),
        };
        match self.variants.get(&variant) {
            Some(_) => self.answer(Some(variant), Reason::TargetingMatch),
            None => {
                let message =
                    format!("the rule of `{key}` chose `{variant}`, which is not one of its variants");
                self.failed(ErrorCode::ParseError, message)
            }
        }
    }

    fn default(&self, reason: Reason) -> Details<Option<Value>> {
        self.answer(self.default_variant.clone(), reason)
    }

    fn answer(&self, variant: Option<String>, reason: Reason) -> Details<Option<Value>> {
        let value = variant.as_ref().and_then(|variant| self.variants.get(variant)).cloned();
        Details { value, variant, reason, error: None, metadata: self.metadata.clone() }
    }

    fn failed(&self, code: ErrorCode, message: String) -> Details<Option<Value>> {
        let failed = Details::failed(None, EvaluationError::new(code, message));
        Details { metadata: self.metadata.clone(), ..failed }
    }
}

/// All variants are of one type, and numbers can be read by everybody.
fn check_variants(variants: &Map<String, Value>) -> Result<(), String> {
    let kinds = variants.values().map(std::mem::discriminant);
    if kinds.collect::<std::collections::HashSet<_>>().len() > 1 {
        return Err("its variants are of several types".into());
    }
    if variants.values().any(Value::is_null) {
        return Err("a variant has no value".into());
    }
    let too_large = |value: &Value| {
        let is_integer = value.is_i64() || value.is_u64();
        is_integer && value.as_f64().is_none_or(|number| number.abs() > SAFE_INTEGER)
    };
    match variants.iter().find(|(_, value)| too_large(value)) {
        Some((name, _)) => Err(format!("the integer of variant `{name}` is beyond 2^53 - 1")),
        None => Ok(()),
    }
}
