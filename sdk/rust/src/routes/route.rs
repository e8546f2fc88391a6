use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use tower_layer::Layer;
use tower_service::Service;

use crate::config::Validate;
use crate::resilience::RateLimitOptions;
use crate::security::JsonLimits;
use crate::security::access::{Question, Resource};
use crate::security::layer::ValidationLayer;
use crate::telemetry::metrics::Registry;

/// What holds for a route that says nothing of its rate: 1,000 requests a second, 2,000 at once, and
/// nobody waits.
pub const RATE_LIMIT: RateLimitOptions =
    RateLimitOptions { calls: 1000, per: Duration::from_secs(1), burst: 2000, max_wait: Duration::ZERO };

/// Who may keep an answer, and how long: its `Cache-Control` (RFC 9111), in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Nobody.
    NoStore,
    /// Only who asked.
    Private(Duration),
    /// Everybody on the way too.
    Shared(Duration),
}

/// What a route says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// With `GET` goes `HEAD`.
    pub method: Method,
    /// As axum has it: `/orders/{id}`.
    pub path: String,
    /// What must be allowed, all of it: `order:read`; `…` where a closure asks.
    pub permissions: Vec<String>,
    /// Of all requests of the route together; none if it is unlimited.
    pub rate_limit: Option<RateLimitOptions>,
    /// Of answers that are successes and say nothing of it themselves.
    pub cache: Option<Cache>,
    /// The types that are validated.
    pub validation: Vec<&'static str>,
}

type Ask = Box<dyn Fn(&Parts) -> Question + Send + Sync>;
type Validated<S> = Box<dyn FnOnce(MethodRouter<S>, &str, &Registry) -> MethodRouter<S> + Send>;

/// A route; see the [module](super).
pub struct Route<S = ()> {
    pub(super) definition: Definition,
    /// The handler with its own middleware.
    pub(super) handler: MethodRouter<S>,
    pub(super) asks: Vec<Ask>,
    pub(super) validations: Vec<Validated<S>>,
}

impl<S> std::fmt::Debug for Route<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Route").field(&self.definition).finish()
    }
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// Answers requests of this method and path. The rate limit is [`RATE_LIMIT`].
    ///
    /// # Panics
    /// axum has no filter for the method.
    pub fn new<H, A>(method: Method, path: impl Into<String>, handler: H) -> Self
    where
        H: Handler<A, S>,
        A: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("axum knows the method");
        let definition = Definition {
            method,
            path: path.into(),
            permissions: Vec::new(),
            rate_limit: Some(RATE_LIMIT),
            cache: None,
            validation: Vec::new(),
        };
        Self { definition, handler: on(filter, handler), asks: Vec::new(), validations: Vec::new() }
    }

    /// Only who may do this to resources of that kind. Nobody owns the resource here: what depends on the
    /// owner is asked with [`Route::asks`].
    #[must_use]
    pub fn permission(mut self, action: &str, resource: &str) -> Self {
        let question = Question::new(action, Resource::new(resource));
        self.definition.permissions.push(format!("{resource}:{action}"));
        self.asks.push(Box::new(move |_| question.clone()));
        self
    }

    /// Only who may do what the closure makes of the request.
    #[must_use]
    pub fn asks(mut self, ask: impl Fn(&Parts) -> Question + Send + Sync + 'static) -> Self {
        self.definition.permissions.push("…".into());
        self.asks.push(Box::new(ask));
        self
    }

    /// So many requests of all callers together.
    #[must_use]
    pub fn rate_limit(mut self, options: RateLimitOptions) -> Self {
        self.definition.rate_limit = Some(options);
        self
    }

    /// As many requests as come.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        self.definition.rate_limit = None;
        self
    }

    /// Who may keep the answers. Only for `GET` and `HEAD`.
    #[must_use]
    pub const fn cache(mut self, cache: Cache) -> Self {
        self.definition.cache = Some(cache);
        self
    }

    /// Only bodies that are valid; the handler takes [`Valid<T>`](crate::security::layer::Valid).
    #[must_use]
    pub fn validates_body<T>(mut self, limits: JsonLimits) -> Self
    where
        T: DeserializeOwned + JsonSchema + Validate + Send + Sync + 'static,
    {
        self.definition.validation.push(std::any::type_name::<T>());
        self.validations.push(Box::new(move |router, name, registry| {
            router.route_layer(ValidationLayer::<T>::body(name, limits, registry))
        }));
        self
    }

    /// Only queries that are valid; the handler takes [`Valid<T>`](crate::security::layer::Valid).
    #[must_use]
    pub fn validates_query<T>(mut self) -> Self
    where
        T: DeserializeOwned + Validate + Send + Sync + 'static,
    {
        self.definition.validation.push(std::any::type_name::<T>());
        self.validations.push(Box::new(|router, name, registry| {
            router.route_layer(ValidationLayer::<T>::query(name, registry))
        }));
        self
    }

    /// Middleware around the handler, outside of what was added before.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<axum::routing::Route<Infallible>> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.handler = self.handler.route_layer(layer);
        self
    }

    /// What it says of itself.
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }
}
