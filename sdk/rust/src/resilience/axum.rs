//! Faults switched over HTTP, for axum: chaos tests of a service that runs.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /faults` | tells what goes wrong where |
//! | `PUT /faults/{point}` | from now on this goes wrong there, and faults are on |
//! | `DELETE /faults/{point}` | nothing goes wrong there any more |
//! | `DELETE /faults` | faults are off |
//!
//! What goes wrong is a list as JSON: `[{"probability": 0.1, "latency": "3s"}, {"probability": 1, "error":
//! "card_network_down", "times": 5}, {"probability": 0.01, "abort": true}]`; see [`Fault`]. Who may not is
//! answered with 403. Nothing of it outlives the process.
//!
//! ```
//! use fresnel_sdk::resilience::{Faults, axum::router};
//! use fresnel_sdk::telemetry::metrics::Registry;
//!
//! let faults = Faults::new(7, &Registry::new());
//! let may = |headers: &http::HeaderMap| headers.get("authorization").is_some_and(|it| it == "Bearer chaos");
//! let app: axum::Router = axum::Router::new().merge(router(faults, may));
//! # let _ = app;
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use ::axum::Router;
use ::axum::extract::{Path, Request, State};
use ::axum::middleware::{Next, from_fn};
use ::axum::response::{IntoResponse, Json, Response};
use ::axum::routing::{get, put};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{Effect, Fault, Faults};
use crate::config::Duration;
use crate::problem::problem;

/// A fault as it is written: with one effect.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    probability: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    abort: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
}

#[derive(Serialize)]
struct Listed {
    enabled: bool,
    points: BTreeMap<String, Vec<Written>>,
}

/// The switches of these faults, for requests whose headers say that they may.
pub fn router(faults: Faults, may: impl Fn(&HeaderMap) -> bool + Clone + Send + Sync + 'static) -> Router {
    let guarded = move |request: Request, next: Next| {
        let allowed = may(request.headers());
        async move {
            match allowed {
                true => next.run(request).await,
                false => problem(StatusCode::FORBIDDEN, "only operators switch faults", Map::new()),
            }
        }
    };
    Router::new()
        .route("/faults", get(list).delete(switch_off))
        .route("/faults/{point}", put(set).delete(clear))
        .with_state(faults)
        .layer(from_fn(guarded))
}

async fn list(State(faults): State<Faults>) -> Json<Listed> {
    let written = |(point, faults): (Arc<str>, Vec<Fault>)| {
        (point.to_string(), faults.into_iter().map(Into::into).collect())
    };
    Json(Listed { enabled: faults.is_enabled(), points: faults.list().into_iter().map(written).collect() })
}

async fn set(
    State(faults): State<Faults>,
    Path(point): Path<String>,
    Json(written): Json<Vec<Written>>,
) -> Response {
    let read: Result<Vec<Fault>, _> = written.into_iter().map(TryInto::try_into).collect();
    let room = "there are too many points already";
    match read.and_then(|read| faults.set(&point, read).then_some(()).ok_or(room)) {
        Ok(()) => {
            faults.enable(true);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(why) => problem(StatusCode::UNPROCESSABLE_ENTITY, why, Map::new()),
    }
}

async fn clear(State(faults): State<Faults>, Path(point): Path<String>) -> StatusCode {
    faults.clear(&point);
    StatusCode::NO_CONTENT
}

async fn switch_off(State(faults): State<Faults>) -> StatusCode {
    faults.enable(false);
    StatusCode::NO_CONTENT
}

impl TryFrom<Written> for Fault {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        let Written { probability, latency, error, abort, times } = written;
        if !(0.0..=1.0).contains(&probability) {
            return Err("`probability` must be from 0 to 1");
        }
        let effect = match (latency, error, abort) {
            (Some(latency), None, false) => Effect::Latency(latency.get()),
            (None, Some(error), false) => Effect::Error(error),
            (None, None, true) => Effect::Abort,
            _ => return Err("a fault has one of `latency`, `error` and `abort`"),
        };
        Ok(Self { probability, effect, times })
    }
}

impl From<Fault> for Written {
    fn from(fault: Fault) -> Self {
        let Fault { probability, effect, times } = fault;
        let nothing = Self { probability, latency: None, error: None, abort: false, times };
        match effect {
            Effect::Latency(latency) => Self { latency: Some(latency.into()), ..nothing },
            Effect::Error(error) => Self { error: Some(error), ..nothing },
            Effect::Abort => Self { abort: true, ..nothing },
        }
    }
}
