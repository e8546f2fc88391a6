use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use super::{CallFuture, oneshot};
use crate::resilience::{Balancer, BoxError, Judge, Rules};

/// A service whose calls a [`Balancer`] spreads over others.
pub struct Balance<S, J = Rules>(Balancer<S, J>);

impl<S, J> Balance<S, J> {
    /// Over the balancer's endpoints, which are services.
    pub const fn new(balancer: Balancer<S, J>) -> Self {
        Self(balancer)
    }
}

impl<S, J> Clone for Balance<S, J> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, J> fmt::Debug for Balance<S, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Balance").field(&self.0).finish()
    }
}

impl<Request, S, J> Service<Request> for Balance<S, J>
where
    Request: Send + 'static,
    S: Service<Request> + Clone + Send + Sync + 'static,
    S::Response: Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    J: Judge<S::Response, BoxError> + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = CallFuture<S::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let balancer = self.0.clone();
        Box::pin(async move { balancer.run(|service: Arc<S>| oneshot(S::clone(&service), request)).await })
    }
}
