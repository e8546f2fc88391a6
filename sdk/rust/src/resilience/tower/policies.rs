//! What each part does as a layer.

use std::borrow::Borrow;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use tower_service::Service;

use super::{Policy, oneshot};
use crate::resilience::{
    BoxError, Breaker, Bulkhead, Fallback, Faults, Hedge, Judge, KeyedRateLimit, LoadShed, RateLimit, Retry,
    RetryError, Timeout,
};

/// Parts whose `run` takes the call as one future.
macro_rules! single_call {
    ($($part:ty),*) => {$(
        impl<Request: Send + 'static, Response: Send + 'static> Policy<Request, Response> for $part {
            async fn call<S>(self, service: S, request: Request) -> Result<Response, BoxError>
            where
                S: Service<Request, Response = Response> + Clone + Send + 'static,
                S::Error: Into<BoxError>,
                S::Future: Send,
            {
                self.run(oneshot(service, request)).await
            }
        }
    )*};
}

single_call!(Timeout, Bulkhead, RateLimit, LoadShed);

impl<Request, Response, J> Policy<Request, Response> for Breaker<J>
where
    Request: Send + 'static,
    Response: Send + 'static,
    J: Judge<Response, BoxError> + 'static,
{
    async fn call<S>(self, service: S, request: Request) -> Result<Response, BoxError>
    where
        S: Service<Request, Response = Response> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.run(oneshot(service, request)).await
    }
}

impl<Request, Response, J> Policy<Request, Response> for Retry<J>
where
    Request: Clone + Send + 'static,
    Response: Send + 'static,
    J: Judge<Response, BoxError> + 'static,
{
    async fn call<S>(self, service: S, request: Request) -> Result<Response, BoxError>
    where
        S: Service<Request, Response = Response> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let answer = self.run(move || oneshot(service.clone(), request.clone())).await;
        answer.map_err(|error: RetryError<BoxError>| error.into())
    }
}

impl<Request, Response, J> Policy<Request, Response> for Hedge<J>
where
    Request: Clone + Send + 'static,
    Response: Send + 'static,
    J: Judge<Response, BoxError> + 'static,
{
    async fn call<S>(self, service: S, request: Request) -> Result<Response, BoxError>
    where
        S: Service<Request, Response = Response> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.run(move || oneshot(service.clone(), request.clone())).await
    }
}

/// A [`Fallback`] as a layer: the closure gives what is answered instead of an error.
#[derive(Clone, Debug)]
pub struct FallbackTo<F> {
    fallback: Fallback,
    answer: F,
}

impl<F> FallbackTo<F> {
    /// Answers with what `answer` makes of the error.
    pub const fn new(fallback: Fallback, answer: F) -> Self {
        Self { fallback, answer }
    }
}

impl<Request, Response, F, A> Policy<Request, Response> for FallbackTo<F>
where
    Request: Send + 'static,
    Response: Send + 'static,
    F: Fn(BoxError) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response, BoxError>> + Send,
{
    async fn call<S>(self, service: S, request: Request) -> Result<Response, BoxError>
    where
        S: Service<Request, Response = Response> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.fallback.run(oneshot(service, request), self.answer).await
    }
}

/// A [`KeyedRateLimit`] as a layer: the closure gives the key of a request; one without is let
/// through.
#[derive(Debug)]
pub struct LimitByKey<K, F> {
    limit: KeyedRateLimit<K>,
    key: F,
}

impl<K, F: Clone> Clone for LimitByKey<K, F> {
    fn clone(&self) -> Self {
        Self { limit: self.limit.clone(), key: self.key.clone() }
    }
}

impl<K, F> LimitByKey<K, F> {
    /// Limits the requests of each key.
    pub const fn new(limit: KeyedRateLimit<K>, key: F) -> Self {
        Self { limit, key }
    }
}

impl<Request, Response, K, F> Policy<Request, Response> for LimitByKey<K, F>
where
    Request: Send + 'static,
    Response: Send + 'static,
    K: Hash + Eq + Clone + Borrow<K> + Send + 'static,
    F: Fn(&Request) -> Option<K> + Clone + Send + 'static,
{
    async fn call<S>(self, service: S, request: Request) -> Result<Response, BoxError>
    where
        S: Service<Request, Response = Response> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        if let Some(key) = (self.key)(&request) {
            self.limit.check(&key)?;
        }
        oneshot(service, request).await
    }
}

/// A point of [`Faults`] as a layer.
#[derive(Clone, Debug)]
pub struct AtPoint {
    faults: Faults,
    point: Arc<str>,
}

impl AtPoint {
    /// The point of this name.
    pub fn new(faults: Faults, point: impl Into<Arc<str>>) -> Self {
        Self { faults, point: point.into() }
    }
}

impl<Request: Send + 'static, Response: Send + 'static> Policy<Request, Response> for AtPoint {
    async fn call<S>(self, service: S, request: Request) -> Result<Response, BoxError>
    where
        S: Service<Request, Response = Response> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.faults.run(&self.point, oneshot(service, request)).await
    }
}
