//! HTTP and gRPC, on both sides, as tower layers.
//!
//! ```
//! use axum::{Router, routing::get};
//! use fresnel_sdk::instrument::http::ServerLayer;
//! # use fresnel_sdk::telemetry::{metrics::Registry, trace::Tracer};
//!
//! # let (tracer, registry) = (Tracer::disabled(), Registry::new());
//! let app: Router = Router::new()
//!     .route("/users/{id}", get(async || "hello"))
//!     .layer(ServerLayer::http(&tracer, &registry));
//! ```
//!
//! A request is over when its body is, or when nobody waits for it any more. Layers of routes see the
//! template of the route ([`Route`]); without one a span is named by its method alone.

mod body;
mod client;
mod exchange;
mod instruments;
#[cfg(feature = "reqwest")]
mod reqwest;
mod server;

pub use self::body::Watched;
pub use self::client::{ClientLayer, ClientService, HttpClient};
pub use self::server::{Route, ServerLayer, ServerService};

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http,
    Grpc,
}

/// The methods that the conventions know; all others are one, so that nobody makes up series.
fn method_name(method: &http::Method) -> &'static str {
    const KNOWN: [&str; 10] =
        ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// As the conventions write it.
fn version(version: http::Version) -> Option<&'static str> {
    match version {
        http::Version::HTTP_10 => Some("1.0"),
        http::Version::HTTP_11 => Some("1.1"),
        http::Version::HTTP_2 => Some("2"),
        http::Version::HTTP_3 => Some("3"),
        _ => None,
    }
}
