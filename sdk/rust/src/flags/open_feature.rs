use async_trait::async_trait;
use open_feature::provider::{FeatureProvider, ProviderMetadata, ProviderStatus, ResolutionDetails};
use open_feature::{
    EvaluationContext, EvaluationContextFieldValue, EvaluationErrorCode, EvaluationReason, EvaluationResult,
    FlagMetadata, FlagMetadataValue, StructValue,
};
use serde_json::{Map, Value};

use super::client::Flags;
use super::context::{Context, TARGETING_KEY};
use super::details::{Details, ErrorCode, Reason};

/// [`Flags`] as a provider of the crate `open-feature`.
///
/// A flag that leaves its value to the code is an error of the kind `GENERAL` here, because the
/// crate takes the default of the caller only then. Times in a context are seconds since 1970;
/// structures in it are not seen by the rules, because the crate hides their type.
///
/// ```
/// use fresnel_sdk::flags::{Flags, Provider};
/// use open_feature::OpenFeature;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let flags = Flags::from_text(r#"{"flags": {"dark": {
///     "state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"
/// }}}"#)?;
/// let mut api = OpenFeature::default();
/// api.set_provider(Provider::new(flags)).await;
/// assert!(api.create_client().get_bool_value("dark", None, None).await.unwrap_or(false));
/// # Ok::<(), fresnel_sdk::flags::RuleError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Provider {
    flags: Flags,
    metadata: ProviderMetadata,
}

impl Provider {
    /// Answers from these flags.
    pub fn new(flags: Flags) -> Self {
        Self { flags, metadata: ProviderMetadata::new("fresnel") }
    }
}

#[async_trait]
impl FeatureProvider for Provider {
    fn status(&self) -> ProviderStatus {
        if self.flags.is_ready() { ProviderStatus::Ready } else { ProviderStatus::NotReady }
    }

    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        resolution(self.flags.optional(key, &convert(context), |value| value.as_bool()))
    }

    async fn resolve_int_value(
        &self,
        key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        resolution(self.flags.optional(key, &convert(context), super::value::integer))
    }

    async fn resolve_float_value(
        &self,
        key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        resolution(self.flags.optional(key, &convert(context), |value| value.as_f64()))
    }

    async fn resolve_string_value(
        &self,
        key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        resolution(self.flags.optional(key, &convert(context), super::value::string))
    }

    async fn resolve_struct_value(
        &self,
        key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        let details = self.flags.optional(key, &convert(context), super::value::object);
        let value = details.value.as_ref().map(structure);
        resolution(details.with_value(value))
    }
}

fn convert(context: &EvaluationContext) -> Context {
    let mut facts = Map::new();
    for (name, value) in &context.custom_fields {
        let value = match value {
            EvaluationContextFieldValue::Bool(value) => (*value).into(),
            EvaluationContextFieldValue::Int(value) => (*value).into(),
            EvaluationContextFieldValue::Float(value) => (*value).into(),
            EvaluationContextFieldValue::String(value) => value.as_str().into(),
            EvaluationContextFieldValue::DateTime(value) => value.unix_timestamp().into(),
            EvaluationContextFieldValue::Struct(_) => continue,
        };
        facts.insert(name.clone(), value);
    }
    if let Some(key) = &context.targeting_key {
        facts.insert(TARGETING_KEY.into(), key.as_str().into());
    }
    Context::from(facts)
}

fn resolution<T>(details: Details<Option<T>>) -> EvaluationResult<ResolutionDetails<T>> {
    let fail = |code, message| Err(open_feature::EvaluationError { code, message: Some(message) });
    match (details.error, details.value) {
        (Some(error), _) => fail(code(error.code), error.message),
        (None, None) => {
            let message = "the flag leaves its value to the code".to_owned();
            fail(EvaluationErrorCode::General(message.clone()), message)
        }
        (None, Some(value)) => Ok(ResolutionDetails {
            value,
            variant: details.variant,
            reason: Some(reason(details.reason)),
            flag_metadata: Some(metadata(&details.metadata)),
        }),
    }
}

fn reason(reason: Reason) -> EvaluationReason {
    match reason {
        Reason::Static => EvaluationReason::Static,
        Reason::Default => EvaluationReason::Default,
        Reason::TargetingMatch => EvaluationReason::TargetingMatch,
        Reason::Disabled => EvaluationReason::Disabled,
        Reason::Error => EvaluationReason::Error,
    }
}

fn code(code: ErrorCode) -> EvaluationErrorCode {
    match code {
        ErrorCode::ProviderNotReady => EvaluationErrorCode::ProviderNotReady,
        ErrorCode::FlagNotFound => EvaluationErrorCode::FlagNotFound,
        ErrorCode::ParseError => EvaluationErrorCode::ParseError,
        ErrorCode::TypeMismatch => EvaluationErrorCode::TypeMismatch,
        ErrorCode::General => EvaluationErrorCode::General("rule".into()),
    }
}

/// Lists and objects have no place in the crate's metadata.
fn metadata(values: &Map<String, Value>) -> FlagMetadata {
    let mut metadata = FlagMetadata::default();
    for (name, value) in values {
        let value = match value {
            Value::Bool(value) => FlagMetadataValue::Bool(*value),
            Value::String(value) => FlagMetadataValue::String(value.clone()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => FlagMetadataValue::Int(integer),
                (None, Some(float)) => FlagMetadataValue::Float(float),
                (None, None) => continue,
            },
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        metadata.values.insert(name.clone(), value);
    }
    metadata
}

fn structure(object: &Map<String, Value>) -> StructValue {
    let fields = object.iter().filter_map(|(name, value)| Some((name.clone(), field(value)?)));
    StructValue { fields: fields.collect() }
}

/// The crate has no null: such fields are left out.
fn field(value: &Value) -> Option<open_feature::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => open_feature::Value::Bool(*value),
        Value::String(value) => open_feature::Value::String(value.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => open_feature::Value::Int(integer),
            None => open_feature::Value::Float(number.as_f64()?),
        },
        Value::Array(items) => open_feature::Value::Array(items.iter().filter_map(field).collect()),
        Value::Object(object) => open_feature::Value::Struct(structure(object)),
    })
}
