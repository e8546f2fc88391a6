use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("there is no such product")]
    NoSuchProduct,
    #[error("there is no such order")]
    NoSuchOrder,
    #[error("only {left} are left")]
    SoldOut { left: u32 },
    #[error("the database failed")]
    Database(#[from] rusqlite::Error),
    #[error("redis failed")]
    Redis(#[from] redis::RedisError),
    #[error("the payment failed")]
    Payment(#[source] anyhow::Error),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoSuchProduct | Self::NoSuchOrder => StatusCode::NOT_FOUND,
            Self::SoldOut { .. } => StatusCode::CONFLICT,
            Self::Database(_) | Self::Redis(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Payment(_) => StatusCode::BAD_GATEWAY,
        };
        if status.is_server_error() {
            let cause = std::error::Error::source(&self).map(ToString::to_string);
            tracing::error!(error = %self, cause, "the request failed");
        }
        (status, format!("{self}\n")).into_response()
    }
}
