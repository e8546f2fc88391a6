//! Routes that say what holds for them: method, path, handler, middleware, permissions, rate limit, cache,
//! validation.
//!
//! What enters: [`Route`]s with handlers of axum. What leaves: an axum `Router`, and a [`Definition`] of
//! each route, for documentation and tests.
//!
//! What must hold: a request passes, in this order, the rate limit, the permissions, the validation and
//! the route's own middleware before it reaches the handler; every route has a rate limit unless it says
//! otherwise; a route with permissions is not built without rules to ask, nor kept by shared caches.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use axum::extract::Path;
//! use fresnel_sdk::routes::{Cache, Route, Routes};
//! use fresnel_sdk::security::access::{Access, AccessRules};
//! use fresnel_sdk::telemetry::metrics::Registry;
//! use http::Method;
//!
//! async fn show(Path(id): Path<u64>) -> String {
//!     format!("order {id}")
//! }
//!
//! let access = Access::new(&AccessRules::default())?;
//! let routes = Routes::new(&Registry::new()).access(Arc::new(access)).route(
//!     Route::new(Method::GET, "/orders/{id}", show)
//!         .permission("read", "order")
//!         .cache(Cache::Private(Duration::from_secs(60))),
//! );
//! let app: axum::Router = routes.build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod route;

#[cfg(test)]
mod tests;

/// The examples of the guide are tests, too.
#[cfg(all(doctest, feature = "jwt"))]
#[doc = include_str!("../../../docs/sdk/security.md")]
mod guide {}

pub use self::build::{RouteError, Routes};
pub use self::route::{Cache, Definition, RATE_LIMIT, Route};
