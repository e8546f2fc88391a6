//! Through the OpenFeature SDK, as an application would use it.

use open_feature::{EvaluationContext, EvaluationErrorCode, EvaluationReason, OpenFeature};

use crate::flags::{Flags, Provider};

const RULES: &str = r#"{"flags": {
    "dark": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
        "metadata": {"owner": "shop", "version": 2},
        "targeting": {"if": [{"and": [{"==": [{"var": "targetingKey"}, "ann"]}, {">": [{"var": "age"}, 17]}]}, "on"]}},
    "limit": {"state": "ENABLED", "variants": {"ten": 10}, "defaultVariant": "ten"},
    "theme": {"state": "ENABLED", "variants": {"t": {"size": 3, "names": ["a"]}}, "defaultVariant": "t"},
    "code": {"state": "ENABLED", "variants": {"x": "X"}}
}}"#;

#[test]
fn an_application_asks_through_openfeature() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut api = OpenFeature::default();
        api.set_provider(Provider::new(Flags::from_text(RULES).unwrap())).await;
        let client = api.create_client();
        let ann = EvaluationContext::default().with_targeting_key("ann").with_custom_field("age", 30);
        let details = client.get_bool_details("dark", Some(&ann), None).await.unwrap();
        assert!(details.value);
        assert_eq!(details.variant.as_deref(), Some("on"));
        assert_eq!(details.reason, Some(EvaluationReason::TargetingMatch));
        assert_eq!(details.flag_metadata.values.len(), 2);
        assert!(!client.get_bool_value("dark", None, None).await.unwrap());
        assert_eq!(client.get_int_value("limit", None, None).await.unwrap(), 10);
        assert_eq!(client.get_float_value("limit", None, None).await.unwrap(), 10.0);
        let error = client.get_string_value("limit", None, None).await.unwrap_err();
        assert_eq!(error.code, EvaluationErrorCode::TypeMismatch);
        let error = client.get_string_value("nobody", None, None).await.unwrap_err();
        assert_eq!(error.code, EvaluationErrorCode::FlagNotFound);
        let error = client.get_string_value("code", None, None).await.unwrap_err();
        assert!(matches!(error.code, EvaluationErrorCode::General(_)));
    });
}
