//! What HTTP says: which answers are failures, which requests may be repeated, how long there is.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

use super::{Policy, oneshot};
#[cfg(feature = "reqwest")]
use crate::resilience::Classify;
use crate::resilience::{
    BoxError, DEADLINE_HEADER, Deadline, Judge, RETRY_AFTER, Retry, RetryError, Rules, Verdict,
    parse_retry_after,
};

/// Judges answers by their status, and errors by [`Rules`].
///
/// 5xx are failures that may be tried again, but for 501 and 505; 408 and 429 are, too, and of the
/// last it is certain that nothing was done. Other 4xx are the caller's fault. `Retry-After` is
/// read.
#[derive(Debug, Default)]
pub struct HttpJudge(Rules);

impl HttpJudge {
    /// With rules of one's own for errors.
    pub const fn new(rules: Rules) -> Self {
        Self(rules)
    }
}

impl<B> Judge<Response<B>, BoxError> for HttpJudge {
    fn judge(&self, outcome: &Result<Response<B>, BoxError>) -> Verdict {
        match outcome {
            Ok(response) => of_response(response.status(), response.headers()),
            Err(_) => self.0.judge(outcome),
        }
    }
}

/// For `reqwest`: judge what it answers before `error_for_status`, which leaves the headers out.
#[cfg(feature = "reqwest")]
impl<E: Classify> Judge<reqwest::Response, E> for HttpJudge {
    fn judge(&self, outcome: &Result<reqwest::Response, E>) -> Verdict {
        match outcome {
            Ok(answer) => of_response(answer.status(), answer.headers()),
            Err(_) => self.0.judge(outcome),
        }
    }
}

fn of_response(status: StatusCode, headers: &HeaderMap) -> Verdict {
    let retry_after = || {
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
        parse_retry_after(value, SystemTime::now())
    };
    match status.as_u16() {
        501 | 505 => Verdict::FAILURE,
        408 | 500..=599 => Verdict::RETRYABLE.after(retry_after()),
        429 => Verdict { executed: false, ..Verdict::RETRYABLE.after(retry_after()) },
        400..=499 => Verdict::IGNORED,
        _ => Verdict::SUCCESS,
    }
}

/// Whether a second request like this does no harm: by its method ([RFC 9110, section
/// 9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2)), or because it has an
/// `Idempotency-Key`.
pub fn is_idempotent<B>(request: &Request<B>) -> bool {
    let methods = [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE];
    methods.contains(request.method()) || request.headers().contains_key("idempotency-key")
}

/// A [`Retry`] for HTTP requests: those that are not idempotent are tried again only when certainly
/// nothing was done.
#[derive(Debug)]
pub struct HttpRetry<J>(Retry<J>);

impl<J> HttpRetry<J> {
    /// Decides for each request whether it [`is_idempotent`].
    pub const fn new(retry: Retry<J>) -> Self {
        Self(retry)
    }
}

impl<J> Clone for HttpRetry<J> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B, Res, J> Policy<Request<B>, Res> for HttpRetry<J>
where
    B: Clone + Send + 'static,
    Res: Send + 'static,
    J: Judge<Res, BoxError> + 'static,
{
    async fn call<S>(self, service: S, request: Request<B>) -> Result<Res, BoxError>
    where
        S: Service<Request<B>, Response = Res> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let retry = if is_idempotent(&request) { self.0 } else { self.0.idempotent(false) };
        let answer = retry.run(move || oneshot(service.clone(), request.clone())).await;
        answer.map_err(|error: RetryError<BoxError>| error.into())
    }
}

/// For servers: a request is handled within the time that its [`DEADLINE_HEADER`] gives it, and
/// what it calls knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveDeadline {
    /// For requests that do not say.
    pub default: Option<Duration>,
    /// No request gets more.
    pub max: Duration,
}

/// 30 s at most, also for requests that do not say.
impl Default for ReceiveDeadline {
    fn default() -> Self {
        let max = Duration::from_secs(30);
        Self { default: Some(max), max }
    }
}

impl<B: Send + 'static, Res: Send + 'static> Policy<Request<B>, Res> for ReceiveDeadline {
    async fn call<S>(self, service: S, request: Request<B>) -> Result<Res, BoxError>
    where
        S: Service<Request<B>, Response = Res> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let said = request.headers().get(DEADLINE_HEADER).and_then(|value| value.to_str().ok());
        let wanted = said.and_then(Deadline::from_header).or(self.default.map(Deadline::after));
        match wanted {
            Some(wanted) => wanted.min(Deadline::after(self.max)).run(oneshot(service, request)).await,
            None => oneshot(service, request).await,
        }
    }
}

/// For clients: tells the other side by [`DEADLINE_HEADER`] what is left of the task's
/// [`Deadline`]. Put it inside a retry, so that each attempt tells the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendDeadline;

impl<B: Send + 'static, Res: Send + 'static> Policy<Request<B>, Res> for SendDeadline {
    async fn call<S>(self, service: S, mut request: Request<B>) -> Result<Res, BoxError>
    where
        S: Service<Request<B>, Response = Res> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let value = Deadline::current().map(Deadline::header_value);
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            request.headers_mut().insert(DEADLINE_HEADER, value);
        }
        oneshot(service, request).await
    }
}
