use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Extensions, Request, Response, StatusCode};
use serde_json::Map;
use tower_layer::Layer;
use tower_service::Service;

use crate::problem::problem;
use crate::security::access::{Access, Question, Subject};

type Ask = dyn Fn(&Parts) -> Question + Send + Sync;

/// Lets only those through who may do what a closure makes of the request. Who it is, is the request's
/// extension [`Subject`], or the token that [`TokenLayer`](super::TokenLayer) found valid; without
/// either the answer is 401, and 403 for who may not, as problem documents (RFC 9457). Why is only in the
/// log.
///
/// ```
/// use std::sync::Arc;
/// use axum::{Router, routing::get};
/// use fresnel_sdk::security::access::{Access, AccessRules, Question, Resource};
/// use fresnel_sdk::security::layer::AccessLayer;
///
/// let access = Arc::new(Access::new(&AccessRules::default())?);
/// let layer = AccessLayer::new(access, |request| {
///     let resource = Resource::new("order");
///     Question::new("read", match request.uri.path().strip_prefix("/orders-of/") {
///         Some(owner) => resource.owned_by(owner),
///         None => resource,
///     })
/// });
/// // Outside of it stands what says who it is.
/// let app: Router = Router::new().route("/orders-of/{name}", get(async || "orders")).layer(layer);
/// # Ok::<(), fresnel_sdk::security::access::RulesError>(())
/// ```
#[derive(Clone)]
pub struct AccessLayer {
    access: Arc<Access>,
    ask: Arc<Ask>,
}

impl AccessLayer {
    /// By these rules; `ask` says what a request wants.
    pub fn new(access: Arc<Access>, ask: impl Fn(&Parts) -> Question + Send + Sync + 'static) -> Self {
        Self { access, ask: Arc::new(ask) }
    }

    fn refusal<B: From<String>>(&self, request: &Parts) -> Option<Response<B>> {
        let Some(subject) = subject(&request.extensions) else {
            let mut answer = problem(StatusCode::UNAUTHORIZED, "it is not known who asks", Map::new());
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return Some(answer);
        };
        let question = (self.ask)(request);
        let decision = self.access.decide(&subject, &question);
        if decision.is_allowed() {
            return None;
        }
        tracing::info!(
            enduser.id = subject.id,
            action = question.action,
            resource = question.resource.kind,
            ?decision,
            "refuse a request that is not allowed"
        );
        Some(problem(StatusCode::FORBIDDEN, "it is not allowed", Map::new()))
    }
}

impl std::fmt::Debug for AccessLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLayer").field("access", &self.access).finish_non_exhaustive()
    }
}

fn subject(extensions: &Extensions) -> Option<Subject> {
    let own = extensions.get::<Subject>().cloned();
    #[cfg(feature = "jwt")]
    let own = own.or_else(|| {
        let claims = extensions.get::<Arc<crate::security::jwt::Claims>>()?;
        Some(Subject::from(&**claims))
    });
    own
}

impl<S> Layer<S> for AccessLayer {
    type Service = AccessService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AccessService { inner, layer: self.clone() }
    }
}

/// What [`AccessLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct AccessService<S> {
    inner: S,
    layer: AccessLayer,
}

impl<S, B, R> Service<Request<B>> for AccessService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: From<String> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        match self.layer.refusal(&parts) {
            Some(answer) => Box::pin(ready(Ok(answer))),
            None => Box::pin(self.inner.call(Request::from_parts(parts, body))),
        }
    }
}
