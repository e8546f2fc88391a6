//! The parts as [tower](https://docs.rs/tower) layers: [`layer`] makes one of any [`Policy`].
//!
//! A layer is always ready and waits for the service inside as part of the call, so that timeouts,
//! breakers and limits hold for that, too. Its errors are boxed, as those of tower's own layers;
//! find a [`Rejected`] in one by `downcast_ref`. The service inside must be `Clone`: each attempt is made
//! by a clone.
//!
//! ```
//! use std::time::Duration;
//! use fresnel_sdk::resilience::tower::{HttpJudge, HttpRetry, ReceiveDeadline, SendDeadline, layer};
//! use fresnel_sdk::resilience::{Breaker, BreakerOptions, Retry, RetryOptions, Timeout};
//! use fresnel_sdk::telemetry::metrics::Registry;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! let registry = Registry::new();
//! let retry = Retry::new("stock", RetryOptions::default(), &registry).judged_by(HttpJudge::default());
//! let breaker = Breaker::new("stock", BreakerOptions::default(), &registry).judged_by(HttpJudge::default());
//! let client = service_fn(async |request: http::Request<String>| {
//!     Ok::<_, std::io::Error>(http::Response::new(request.into_body()))
//! });
//! let client = ServiceBuilder::new()
//!     .layer(layer(HttpRetry::new(retry)))
//!     .layer(layer(breaker))
//!     .layer(layer(Timeout::new("stock", Duration::from_secs(1), &registry)))
//!     .layer(layer(SendDeadline))
//!     .service(client);
//! let answer = fresnel_sdk::clock::simulate(client.oneshot(http::Request::new("hello".to_owned())));
//! assert_eq!(answer.expect("it works").into_body(), "hello");
//! # let _ = ReceiveDeadline::default();
//! ```

#[cfg(feature = "axum")]
mod answering;
mod balance;
mod http;
mod policies;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

#[cfg(feature = "axum")]
pub use self::answering::{Answering, AnsweringLayer, answering};
pub use self::balance::Balance;
pub use self::http::{HttpJudge, HttpRetry, ReceiveDeadline, SendDeadline, is_idempotent};
pub use self::policies::{AtPoint, FallbackTo, LimitByKey};
use super::BoxError;
#[allow(unused_imports)]
use super::Rejected;

/// What a layer does with a call.
pub trait Policy<Request, Response>: Clone + Send + 'static {
    /// Makes the call: once, several times, later, or not.
    fn call<S>(self, service: S, request: Request) -> impl Future<Output = Result<Response, BoxError>> + Send
    where
        S: Service<Request, Response = Response> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send;
}

/// A layer that does what a policy says. Several services share one policy: one breaker, one limit.
pub const fn layer<P>(policy: P) -> PolicyLayer<P> {
    PolicyLayer(policy)
}

/// What [`layer`] gives.
#[derive(Clone, Debug)]
pub struct PolicyLayer<P>(P);

impl<S, P: Clone> Layer<S> for PolicyLayer<P> {
    type Service = Guarded<S, P>;

    fn layer(&self, inner: S) -> Guarded<S, P> {
        Guarded { inner, policy: self.0.clone() }
    }
}

/// A service behind a policy.
#[derive(Clone)]
pub struct Guarded<S, P> {
    inner: S,
    policy: P,
}

impl<S, P> fmt::Debug for Guarded<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

/// A call that runs.
pub type CallFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl<Request, S, P> Service<Request> for Guarded<S, P>
where
    Request: Send + 'static,
    S: Service<Request> + Clone + Send + 'static,
    S::Response: Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    P: Policy<Request, S::Response>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = CallFuture<S::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(self.policy.clone().call(self.inner.clone(), request))
    }
}

/// Waits until a service is ready, and calls it.
pub(super) async fn oneshot<S, Request>(mut service: S, request: Request) -> Result<S::Response, BoxError>
where
    S: Service<Request>,
    S::Error: Into<BoxError>,
{
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
    service.call(request).await.map_err(Into::into)
}
