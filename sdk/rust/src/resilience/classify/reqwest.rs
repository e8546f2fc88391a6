use std::error::Error;

use super::{Category, Classification, Classify};

/// What the server does not do at all.
const fn is_for_good(status: u16) -> bool {
    matches!(status, 501 | 505)
}

/// By the status of `error_for_status`, else by how far the request came. What the answer said besides,
/// such as `Retry-After`, is not in the error: have the answer judged by
/// [`HttpJudge`](crate::resilience::tower::HttpJudge) before `error_for_status`.
impl Classify for reqwest::Error {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }

    fn classification(&self) -> Classification {
        let category = match self.status().map(|status| status.as_u16()) {
            Some(401) => Category::Authentication,
            Some(403) => Category::Authorization,
            Some(408 | 504) => Category::Timeout,
            Some(429) => Category::RateLimit,
            // Whoever answers for it did not reach it, or it is not there for now.
            Some(502 | 503) => Category::Network,
            Some(400..=499) => Category::Validation,
            Some(_) => Category::System,
            None if self.is_timeout() => Category::Timeout,
            None if self.is_builder() => Category::Validation,
            None if self.is_connect() || self.is_request() || self.is_body() => Category::Network,
            None => Category::Unknown,
        };
        let broken = self.status().is_some_and(|it| it.is_server_error() && !is_for_good(it.as_u16()));
        let class = Classification::of(category);
        Classification { retryable: class.retryable || broken, ..class }
    }

    fn executed(&self) -> bool {
        let turned_away = self.status().is_some_and(|status| status.as_u16() == 429);
        !(turned_away || self.is_connect() || self.is_builder())
    }
}
