//! Who may knock: stands before every door, and answers for those behind it who panic.
//!
//! On a loopback address a request must name a loopback host: a page of somebody else's site whose
//! name was made to point to 127.0.0.1 (DNS rebinding) does not. A browser's request from another
//! origin must come from one that is allowed, because a browser sends what any page tells it to.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use fresnel_sdk::telemetry::metrics::{BoundCounter, Counter, Registry};
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use model::ErrorKind;
use receive::{Refusal, Senders};
use tracing::Instrument;

use crate::supervise;

/// In whose words a door refuses.
#[derive(Clone, Copy, Debug)]
pub enum Medium {
    /// Problem documents.
    Api,
    /// Statuses as trailers.
    OtlpGrpc,
    /// Statuses as bodies.
    OtlpHttp,
}

impl Medium {
    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::OtlpGrpc => "otlp_grpc",
            Self::OtlpHttp => "otlp_http",
        }
    }

    /// The answer to a request with these headers.
    fn refuse(self, refusal: &Refusal, headers: &HeaderMap) -> Response {
        match self {
            Self::OtlpGrpc => receive::otlp::grpc_refusal(refusal, headers),
            Self::OtlpHttp => receive::otlp::http_refusal(refusal, headers),
            Self::Api => {
                let status = match refusal.kind() {
                    ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
                    ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
                    ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                api::Problem::new(status, refusal.to_string()).into_response()
            }
        }
    }
}

/// Requests that panicked, by door.
pub fn panics(registry: &Registry) -> Counter {
    registry.counter("fresnel.http.panics", "{panic}", "Requests during which the server panicked, by door.")
}

/// What a door needs to know to judge a request.
#[derive(Clone)]
pub struct Guard(Arc<Rules>);

struct Rules {
    medium: Medium,
    panics: BoundCounter,
    loopback: bool,
    origins: Vec<String>,
    hosts: Vec<String>,
}

impl Guard {
    /// For a door at `address`.
    pub fn new(
        address: std::net::SocketAddr,
        medium: Medium,
        config: &api::Config,
        panics: &Counter,
    ) -> Self {
        Self(Arc::new(Rules {
            medium,
            panics: panics.bind(&[("door", medium.name())]),
            loopback: address.ip().is_loopback(),
            origins: config.origins.clone(),
            hosts: config.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        }))
    }

    /// Puts the guard before every route.
    pub fn protect(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, judge))
    }

    /// The answer of what is behind the door. One that panics is answered for, as an error of ours:
    /// the sender would only see its connection end.
    async fn answer(&self, request: Request, next: Next) -> Response {
        let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
        let path = request.uri().path().to_owned();
        let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        answered.unwrap_or_else(|panic| {
            let (door, error) = (self.0.medium.name(), supervise::message(panic.as_ref()));
            tracing::error!(door, path, error, "a request panicked");
            self.0.panics.add(1);
            let headers = content_type.map(|value| (header::CONTENT_TYPE, value));
            self.0.medium.refuse(&Refusal::Panicked, &headers.into_iter().collect())
        })
    }

    fn host_allowed(&self, request: &Request) -> bool {
        if !self.0.loopback {
            return true;
        }
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        let host = authority.or_else(|| text(request.headers(), header::HOST.as_str()));
        host.is_some_and(|host| {
            let name = name_of(host).to_ascii_lowercase();
            is_loopback_name(&name) || self.0.hosts.contains(&name)
        })
    }

    fn origin_allowed(&self, request: &Request) -> bool {
        let Some(origin) = text(request.headers(), header::ORIGIN.as_str()) else { return true };
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        let own = authority.or_else(|| text(request.headers(), header::HOST.as_str())).unwrap_or("");
        let same = origin.split_once("://").is_some_and(|(_, host)| host.eq_ignore_ascii_case(own));
        same || self.0.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

async fn judge(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let forbid = |reason: &str| guard.0.medium.refuse(&Refusal::Forbidden(reason.into()), request.headers());
    if !guard.host_allowed(&request) {
        return forbid(
            "this host name is not served: use 127.0.0.1 or localhost, or add the name to `api.hosts`",
        );
    }
    if !guard.origin_allowed(&request) {
        return forbid("pages of this origin may not ask: add it to `api.origins`");
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if preflight && origin.is_some() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        guard.answer(request, next).await
    };
    if let Some(origin) = origin {
        share(response.headers_mut(), origin, wanted);
    }
    response
}

/// What tells a browser that the page of an allowed origin may have the answer.
fn share(headers: &mut HeaderMap, origin: HeaderValue, wanted: Option<HeaderValue>) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let methods = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    let exposed = HeaderValue::from_static("x-fresnel-query-id, retry-after");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    if let Some(wanted) = wanted {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
}

/// Lets only those with a key see what is theirs, and tells the API whose it is.
///
/// While the log is replayed an answer could only be incomplete: questions about data wait outside.
pub fn scope(router: Router, senders: Arc<Senders>, ready: Arc<AtomicBool>) -> Router {
    router.layer(middleware::from_fn_with_state((senders, ready), identify))
}

/// Answered also before the server is ready: they are about the server itself.
const ABOUT_ITSELF: &[&str] = &["/api/v1/status", "/api/openapi.json"];

/// Whether an answer is about data.
fn asks(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/prometheus/api/")
}

type Identify = (Arc<Senders>, Arc<AtomicBool>);

async fn identify(State((senders, ready)): State<Identify>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if asks(path) && !ABOUT_ITSELF.contains(&path) && !ready.load(Ordering::Acquire) {
        let detail = "the server is starting or stopping; an answer now could not be complete";
        let problem = api::Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        return problem.into_response();
    }
    // Orchestrators ask without a key; there is nothing of a tenant's in these answers.
    const HEALTH: [&str; 4] = ["/livez", "/readyz", "/prometheus/-/healthy", "/prometheus/-/ready"];
    if HEALTH.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    match senders.identify_reader(request.headers()) {
        Ok(reader) => {
            let sight =
                if reader.admin { api::Sight::Everybody } else { api::Sight::Only(reader.tenant.clone()) };
            request.extensions_mut().insert(sight);
            request.extensions_mut().insert(api::Scope(reader.tenant));
            traced(request, next).await
        }
        Err(refusal) => {
            let mut response = Medium::Api.refuse(&refusal, request.headers());
            if response.status() == StatusCode::UNAUTHORIZED {
                let scheme = HeaderValue::from_static("Basic realm=\"Fresnel: any user, a key as password\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            }
            response
        }
    }
}

/// A question to the API is a span, named by its route as the conventions for HTTP servers say.
/// What the page asks again every few seconds is none: it would hide everything else.
async fn traced(request: Request, next: Next) -> Response {
    let of_the_page = request.headers().get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    if of_the_page || !asks(request.uri().path()) {
        return next.run(request).await;
    }
    let method = request.method().as_str().to_owned();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let route = route.unwrap_or_else(|| "/api".to_owned());
    let span = tracing::info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        url.path = request.uri().path(),
        http.response.status_code = tracing::field::Empty,
        error.r#type = tracing::field::Empty,
    );
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("error.type", response.status().as_str());
    }
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The host without its port: `[::1]:4300` is `::1`.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.split(':').next().unwrap_or(host)
}

fn is_loopback_name(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
