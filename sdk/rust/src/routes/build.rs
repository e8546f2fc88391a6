use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::Method;
use http::header::{CACHE_CONTROL, HeaderValue};

use super::route::{Cache, Definition, Route};
use crate::resilience::RateLimit;
use crate::security::access::Access;
use crate::security::layer::AccessLayer;
use crate::telemetry::metrics::Registry;

/// Why routes are not built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The path does not begin with `/`.
    #[error("the path of `{0}` must begin with `/`")]
    Path(String),
    /// Two routes have the same method and path.
    #[error("`{0}` is there twice")]
    Duplicate(String),
    /// A route has permissions, and there are no rules to ask.
    #[error("`{0}` needs permissions; give the routes their rules with `access`")]
    NoAccess(String),
    /// Answers of this method are not kept.
    #[error("`{0}` cannot have a cache: only GET and HEAD can")]
    CacheOfMethod(String),
    /// A route with permissions would let everybody on the way keep its answers.
    #[error("`{0}` needs permissions; a shared cache would answer those who do not have them")]
    SharedCache(String),
}

/// Routes that become a router; see the [module](super).
pub struct Routes<S = ()> {
    registry: Registry,
    access: Option<Arc<Access>>,
    routes: Vec<Route<S>>,
}

impl<S> std::fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routes").field("routes", &self.routes).finish_non_exhaustive()
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet. What is let through and what is valid is counted in `registry`, under the names of the
    /// routes: `GET /orders/{id}`.
    pub fn new(registry: &Registry) -> Self {
        Self { registry: registry.clone(), access: None, routes: Vec::new() }
    }

    /// The rules that permissions are asked of. Who asks is told by an outer layer, as
    /// [`AccessLayer`] says.
    #[must_use]
    pub fn access(mut self, access: Arc<Access>) -> Self {
        self.access = Some(access);
        self
    }

    /// One more route.
    #[must_use]
    pub fn route(mut self, route: Route<S>) -> Self {
        self.routes.push(route);
        self
    }

    /// What each route says of itself, in order.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.routes.iter().map(Route::definition)
    }

    /// The router.
    ///
    /// # Errors
    /// The first route that cannot be.
    ///
    /// # Panics
    /// A path has braces that axum does not understand, or differs from another one only in the name of
    /// a parameter.
    pub fn build(self) -> Result<Router<S>, RouteError> {
        let mut names = BTreeSet::new();
        let mut router = Router::new();
        for route in self.routes {
            let name = name(&route.definition);
            check(&route.definition, &name)?;
            if !names.insert(name.clone()) {
                return Err(RouteError::Duplicate(name));
            }
            let path = route.definition.path.clone();
            let handler = wrap(route, &name, self.access.as_ref(), &self.registry)?;
            router = router.route(&path, handler);
        }
        Ok(router)
    }
}

fn name(definition: &Definition) -> String {
    format!("{} {}", definition.method, definition.path)
}

fn check(definition: &Definition, name: &str) -> Result<(), RouteError> {
    if !definition.path.starts_with('/') {
        return Err(RouteError::Path(name.to_owned()));
    }
    let readable = [Method::GET, Method::HEAD].contains(&definition.method);
    match definition.cache {
        Some(_) if !readable => Err(RouteError::CacheOfMethod(name.to_owned())),
        Some(Cache::Shared(_)) if !definition.permissions.is_empty() => {
            Err(RouteError::SharedCache(name.to_owned()))
        }
        _ => Ok(()),
    }
}

/// From the inside out.
fn wrap<S: Clone + Send + Sync + 'static>(
    route: Route<S>,
    name: &str,
    access: Option<&Arc<Access>>,
    registry: &Registry,
) -> Result<MethodRouter<S>, RouteError> {
    let mut handler = route.handler;
    if let Some(cache) = route.definition.cache {
        handler = handler.route_layer(from_fn(move |request, next| keep(cache, request, next)));
    }
    for validation in route.validations {
        handler = validation(handler, name, registry);
    }
    for ask in route.asks {
        let access = access.ok_or_else(|| RouteError::NoAccess(name.to_owned()))?;
        handler = handler.route_layer(AccessLayer::new(access.clone(), ask));
    }
    if let Some(options) = route.definition.rate_limit {
        let limit = RateLimit::new(name, options, registry);
        handler = handler.route_layer(from_fn(move |request, next| limited(limit.clone(), request, next)));
    }
    Ok(handler)
}

async fn limited(limit: RateLimit, request: Request, next: Next) -> Response {
    match limit.permit().await {
        Ok(()) => next.run(request).await,
        Err(rejected) => rejected.into_response(),
    }
}

/// Tells who may keep a success that does not say it itself.
async fn keep(cache: Cache, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    if answer.status().is_success() {
        let value = match cache {
            Cache::NoStore => "no-store".to_owned(),
            Cache::Private(age) => format!("private, max-age={}", age.as_secs()),
            Cache::Shared(age) => format!("public, max-age={}", age.as_secs()),
        };
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().entry(CACHE_CONTROL).or_insert(value);
        }
    }
    answer
}
