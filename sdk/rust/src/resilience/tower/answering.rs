use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::{BoxError, Policy};
use crate::problem::problem;
use crate::resilience::Rejected;

/// As [`layer`](super::layer), for a router of axum, which knows no errors: a call that is turned away is
/// answered as [`Rejected`] is over HTTP, any other error of the policy with 500 and told in the log.
///
/// ```
/// use axum::{Router, routing::get};
/// use fresnel_sdk::resilience::tower::{ReceiveDeadline, answering};
/// use fresnel_sdk::resilience::{RateLimit, RateLimitOptions};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let limit = RateLimit::new("shop", RateLimitOptions::default(), &Registry::new());
/// let app: Router = Router::new()
///     .route("/", get(async || "hello"))
///     .layer(answering(ReceiveDeadline::default()))
///     .layer(answering(limit));
/// ```
pub const fn answering<P>(policy: P) -> AnsweringLayer<P> {
    AnsweringLayer(policy)
}

/// What [`answering`] gives.
#[derive(Clone, Debug)]
pub struct AnsweringLayer<P>(P);

impl<S, P: Clone> Layer<S> for AnsweringLayer<P> {
    type Service = Answering<S, P>;

    fn layer(&self, inner: S) -> Answering<S, P> {
        Answering { inner, policy: self.0.clone() }
    }
}

/// A service of axum behind a policy.
#[derive(Clone, Debug)]
pub struct Answering<S, P> {
    inner: S,
    policy: P,
}

impl<B, S, P> Service<Request<B>> for Answering<S, P>
where
    B: Send + 'static,
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Response: IntoResponse + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    P: Policy<Request<B>, S::Response>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = self.policy.clone().call(self.inner.clone(), request);
        Box::pin(async move {
            Ok(match call.await {
                Ok(answer) => answer.into_response(),
                Err(error) => answer(&*error),
            })
        })
    }
}

fn answer(error: &(dyn std::error::Error + 'static)) -> Response {
    let causes = std::iter::successors(Some(error), |error| error.source());
    match causes.clone().find_map(|cause| cause.downcast_ref::<Rejected>()) {
        Some(rejected) => rejected.clone().into_response(),
        None => {
            let error = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
            tracing::error!(error, "a request failed in a layer");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            problem(status, "it is not possible at the moment", serde_json::Map::new())
        }
    }
}
