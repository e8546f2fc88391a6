//! The endpoints, for axum.
//!
//! | path | question | 503 when |
//! |---|---|---|
//! | `/livez` | must the process be restarted? | a live check is unhealthy |
//! | `/startupz` | has it started? | it is starting |
//! | `/readyz` | can it take requests? | something critical is unhealthy or not known yet; it is starting or stopping |
//! | `/health`, `/healthz` | how is it? | as `/readyz`, but for its phase |
//!
//! Each answers a [`Report`] as JSON that no cache may keep. What the checks found is added by
//! `?detailed=true` for those who may see it. While the checks are monitored
//! ([`Checker::start_monitoring`]), answers come from what is known and wait for nothing.
//!
//! ```
//! use fresnel_sdk::health::{Checker, axum::{Sight, router}};
//! use fresnel_sdk::telemetry::metrics::Registry;
//!
//! let checker = Checker::new("1.4.2", &Registry::new());
//! let sight = Sight::bearer("a secret of the operators");
//! let app: axum::Router = axum::Router::new().merge(router(checker, sight));
//! # let _ = app;
//! ```

use std::fmt;
use std::sync::Arc;

use ::axum::Router;
use ::axum::extract::{Query, State};
use ::axum::http::{HeaderMap, StatusCode, header};
use ::axum::response::{IntoResponse, Json, Response};
use ::axum::routing::get;
use serde::Deserialize;

use super::{Checker, Phase, Report, Scope, Status};
use crate::config::Secret;

/// Who may see what the checks found: errors and addresses are of use to attackers.
#[derive(Clone)]
pub struct Sight(Arc<dyn Fn(&HeaderMap) -> bool + Send + Sync>);

impl Sight {
    /// Nobody.
    pub fn nobody() -> Self {
        Self::when(|_| false)
    }

    /// Everybody: for a port that only operators reach.
    pub fn everybody() -> Self {
        Self::when(|_| true)
    }

    /// Who sends this as `Authorization: Bearer`. An empty one lets nobody see.
    pub fn bearer(token: impl Into<String>) -> Self {
        let token = Secret::new(token.into());
        Self::when(move |headers| {
            let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            let sent = value.and_then(|value| value.strip_prefix("Bearer "));
            !token.expose().is_empty() && sent.is_some_and(|sent| token.matches(sent))
        })
    }

    /// By the headers of the request.
    pub fn when(may_see: impl Fn(&HeaderMap) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_see))
    }

    /// Whether who sends these headers may see it.
    pub fn lets(&self, headers: &HeaderMap) -> bool {
        (self.0)(headers)
    }
}

impl fmt::Debug for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sight")
    }
}

#[derive(Clone)]
struct Desk {
    checker: Checker,
    sight: Sight,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    detailed: bool,
}

/// The endpoints of a checker.
pub fn router(checker: Checker, sight: Sight) -> Router {
    let route = |scope| {
        get(move |State(desk): State<Desk>, Query(asked): Query<Asked>, headers: HeaderMap| async move {
            desk.answer(scope, asked.detailed && desk.sight.lets(&headers)).await
        })
    };
    Router::new()
        .route("/livez", route(Scope::Live))
        .route("/readyz", route(Scope::Ready))
        .route("/health", route(Scope::All))
        .route("/healthz", route(Scope::All))
        .route("/startupz", get(started))
        .with_state(Desk { checker, sight })
}

async fn started(State(desk): State<Desk>) -> StatusCode {
    match desk.checker.phase() {
        Phase::Starting => StatusCode::SERVICE_UNAVAILABLE,
        Phase::Running | Phase::Stopping => StatusCode::OK,
    }
}

impl Desk {
    async fn answer(&self, scope: Scope, detailed: bool) -> Response {
        let report = self.checker.answer(scope).await;
        let status = status_code(scope, &report);
        let report = if detailed { report } else { report.without_details() };
        (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
    }
}

/// Without checks nothing speaks against it; one that has not run yet does, but not against the
/// process being alive.
fn status_code(scope: Scope, report: &Report) -> StatusCode {
    let works = match report.status {
        Status::Healthy | Status::Degraded => true,
        Status::Unhealthy => false,
        Status::Unknown => scope == Scope::Live || report.summary.total == 0,
    };
    if works { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
