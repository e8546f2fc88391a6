use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// Why there is no answer, as Prometheus says it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What kind.
    pub kind: ErrorType,
    /// One sentence for the asker.
    pub message: String,
}

/// Prometheus' kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// The request is wrong.
    BadData,
    /// The query has no answer with these series or limits.
    Execution,
    /// Somebody cancelled it.
    Canceled,
    /// It took too long.
    Timeout,
    /// A bug, or files that cannot be read.
    Internal,
    /// Later perhaps.
    Unavailable,
}

impl ErrorType {
    fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Canceled | Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Fault {
    /// The request is wrong.
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self { kind: ErrorType::BadData, message: message.into() }
    }

    /// A parameter is wrong, in Prometheus' words.
    pub(super) fn parameter(name: &str, what: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter \"{name}\": {what}"))
    }
}

/// The envelope of an error.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrometheusError<'a> {
    /// `error`
    status: &'a str,
    /// bad_data, execution, canceled, timeout, internal, unavailable
    error_type: &'a str,
    /// What is wrong.
    error: &'a str,
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = PrometheusError { status: "error", error_type: self.kind.as_str(), error: &self.message };
        let mut response = (self.kind.status(), axum::Json(body)).into_response();
        if self.kind == ErrorType::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
