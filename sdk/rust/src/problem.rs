//! Answers that say what is wrong, as [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) has it.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

/// A problem document without a type of its own: what it is about is the status.
pub(crate) fn problem<B: From<String>>(
    status: StatusCode,
    detail: &str,
    more: Map<String, Value>,
) -> Response<B> {
    let title = status.canonical_reason().unwrap_or_default();
    let mut document = more;
    document.extend([
        ("type".to_owned(), json!("about:blank")),
        ("status".to_owned(), json!(status.as_u16())),
        ("title".to_owned(), json!(title)),
        ("detail".to_owned(), json!(detail)),
    ]);
    let mut answer = Response::new(B::from(Value::Object(document).to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer
}
