//! The same for every request, as layers for axum and whatever else speaks `tower`.
//!
//! [`SecurityLayer`] gives every answer its headers and a policy with a fresh nonce.
//! [`AccessLayer`] lets only those through who may; with the feature `axum`, `ValidationLayer` only what
//! is valid. With the feature `jwt`, [`TokenLayer`] lets only
//! requests through whose token is valid.
//!
//! ```
//! use axum::{Extension, Router, routing::get};
//! use fresnel_sdk::security::SecurityHeaders;
//! use fresnel_sdk::security::csp::{Nonce, Policy};
//! use fresnel_sdk::security::layer::SecurityLayer;
//!
//! async fn page(Extension(nonce): Extension<Nonce>) -> String {
//!     format!("<script nonce=\"{nonce}\">start()</script>")
//! }
//!
//! let layer = SecurityLayer::new(SecurityHeaders::default(), Some(Policy::strict()));
//! let app: Router = Router::new().route("/", get(page)).layer(layer);
//! ```

mod access;
#[cfg(feature = "axum")]
mod input;
#[cfg(feature = "jwt")]
mod token;

pub use self::access::{AccessLayer, AccessService};
#[cfg(feature = "axum")]
pub use self::input::{Valid, ValidationLayer, ValidationService};
#[cfg(feature = "jwt")]
pub use self::token::{TokenLayer, TokenService};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::csp::{Nonce, Policy};
use super::headers::SecurityHeaders;

/// Gives every answer security headers and, if there is one, a policy with a fresh [`Nonce`], which
/// the request carries as an extension. A header that the answer already has stays.
#[derive(Clone, Debug)]
pub struct SecurityLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    headers: Vec<(HeaderName, HeaderValue)>,
    policy: Option<Policy>,
}

impl SecurityLayer {
    /// With these headers and this policy.
    pub fn new(headers: SecurityHeaders, policy: Option<Policy>) -> Self {
        let pair = |(name, value): (&'static str, String)| {
            // All values are made of visible ASCII.
            Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
        };
        let headers = headers.pairs().into_iter().filter_map(pair).collect();
        Self { shared: Arc::new(Shared { headers, policy }) }
    }
}

impl<S> Layer<S> for SecurityLayer {
    type Service = SecurityService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SecurityService { inner, shared: self.shared.clone() }
    }
}

/// What [`SecurityLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct SecurityService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B, R> Service<Request<B>> for SecurityService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = self.shared.clone();
        let nonce = Nonce::random();
        request.extensions_mut().insert(nonce.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            shared.apply(answer.headers_mut(), &nonce);
            Ok(answer)
        })
    }
}

impl Shared {
    fn apply(&self, headers: &mut HeaderMap, nonce: &Nonce) {
        for (name, value) in &self.headers {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        for (name, value) in self.policy.iter().flat_map(|policy| policy.headers(nonce)) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.entry(name).or_insert(value);
            }
        }
    }
}
